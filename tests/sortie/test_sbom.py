"""`sortie sbom`: the packages that are here, in the form of CycloneDX."""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from sortie.cli import main
from sortie.sbom import document


def package(folder: Path, name: str, *lines: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""])
    )


@pytest.fixture
def three(tmp_path: Path) -> list[Distribution]:
    package(
        tmp_path,
        "Alpha.One",
        "License-Expression: MIT",
        "Requires-Dist: beta_two>=1; python_version>'3'",
        "Requires-Dist: gamma; extra == 'more'",
        "Requires-Dist: absent",
    )
    package(tmp_path, "beta-two", "Classifier: License :: OSI Approved :: BSD License")
    package(tmp_path, "gamma", "License: " + "a whole text " * 20)
    return list(distributions(path=[str(tmp_path)]))


def test_names_versions_licences_and_needs(three: list[Distribution]) -> None:
    made = document(three)
    assert [(row["purl"], row.get("licenses")) for row in made["components"]] == [
        ("pkg:pypi/alpha-one@1.0", [{"expression": "MIT"}]),
        ("pkg:pypi/beta-two@1.0", [{"license": {"name": "BSD License"}}]),
        ("pkg:pypi/gamma@1.0", None),
    ]
    needs = {row["ref"]: row["dependsOn"] for row in made["dependencies"]}
    assert needs["pkg:pypi/alpha-one@1.0"] == ["pkg:pypi/beta-two@1.0"]
    assert len(needs["sortie-store"]) == 3
    assert document(reversed(three)) == made


def test_the_command_tells_what_is_installed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sbom.json"
    monkeypatch.setattr(sys, "argv", ["sortie", "sbom", "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    made = json.loads(out.read_text())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    here = {row["name"].lower(): row["version"] for row in made["components"]}
    for name in ("fastapi", "pydantic", "cryptography", "zxcvbn"):
        assert name in here, "what the hub needs is in it"
    refs = [row["bom-ref"] for row in made["components"]]
    assert len(set(refs)) == len(refs)
    assert {ref for row in made["dependencies"] for ref in row["dependsOn"]} <= set(refs)
    assert str(Path(sys.prefix)) not in out.read_text()
