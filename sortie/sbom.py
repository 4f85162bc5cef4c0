"""`sortie sbom`: what is installed here, as a CycloneDX 1.6 document.

It is made of the metadata that every installed package carries; nothing is asked over the network.
The same installation gives the same document: it has no time and no random number in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Annotated, Any

import typer

from sortie.output import check_output, write_output

__all__ = ["document", "register"]

OWN = "sortie-store"
LICENSE = "AGPL-3.0-or-later"
NAME_CHARS_MAX = 100
"""Some packages put the whole text of their licence where its name belongs."""


def document(installed: Iterable[Distribution]) -> dict[str, Any]:
    """The document for these packages."""
    found = {_name(one): one for one in installed if _name(one) not in ("", OWN)}
    refs = {name: _purl(name, one) for name, one in found.items()}
    components = [
        {
            "type": "library",
            "bom-ref": refs[name],
            "name": found[name].metadata["Name"],
            "version": found[name].version,
            "purl": refs[name],
            **_licenses(found[name]),
        }
        for name in sorted(found)
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": OWN,
                "name": OWN,
                "version": _own_version(),
                "licenses": [{"expression": LICENSE}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": OWN, "dependsOn": sorted(refs.values())},
            *(
                {"ref": refs[name], "dependsOn": _needs(found[name], refs)}
                for name in sorted(found)
            ),
        ],
    }


def _needs(one: Distribution, refs: Mapping[str, str]) -> list[str]:
    """What a package asks for by itself and is here; what its extras ask for is left out."""
    asked = (text for text in one.requires or () if not re.search(r"\bextra\s*==", text))
    names = (re.match(r"[A-Za-z0-9._-]+", text.strip()) for text in asked)
    known = {_normal(name[0]) for name in names if name is not None}
    return sorted(refs[name] for name in known if name in refs)


def _licenses(one: Distribution) -> dict[str, Any]:
    told = one.metadata
    if expressions := told.get_all("License-Expression"):
        return {"licenses": [{"expression": expressions[0]}]}
    names = [
        row.rpartition(" :: ")[2]
        for row in told.get_all("Classifier") or ()
        if row.startswith("License :: ")
    ]
    plain = "".join(told.get_all("License") or ()).strip()
    if not names and plain and len(plain) <= NAME_CHARS_MAX and "\n" not in plain:
        names = [plain]
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def _name(one: Distribution) -> str:
    return _normal(one.metadata["Name"] or "")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _purl(name: str, one: Distribution) -> str:
    return f"pkg:pypi/{name}@{one.version}"


def _own_version() -> str:
    try:
        return version(OWN)
    except PackageNotFoundError:
        return "0"


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("sbom")
    def sbom(
        *,
        out: Annotated[
            Path | None, typer.Option("--out", help="write it to this file instead of printing")
        ] = None,
    ) -> None:
        """List every installed package, its version and licence (CycloneDX JSON)."""
        check_output("--out", out)
        text = json.dumps(document(distributions()), indent=1) + "\n"
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_output("--out", out, text)
