"""docs/asvs.md names only tests and settings that there are, and leaves no chapter out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from hub.settings import HubSettings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
SETTINGS = sorted(set(re.findall(r"SORTIE_HUB_([A-Z0-9_]+)", PAGE)))
ASKED = {
    1: (2, 10, 11, 3, 2), 2: (3, 3, 4, 1), 3: (0, 2, 4, 6, 5, 0, 2), 4: (3, 1, 2, 4),
    5: (1, 3, 2, 3), 6: (3, 11, 3, 4, 5), 7: (3, 4, 2, 5, 2, 2), 8: (2, 3, 1, 1), 9: (3, 4),
    11: (2, 3, 3, 3, 1, 1), 12: (3, 2, 4), 13: (1, 5, 2, 5), 14: (2, 4, 3), 15: (3, 3, 7),
    16: (1, 5, 4, 3, 3),
}  # fmt: skip
"""Chapter to the highest number of level 1 or 2 in each of its sections (ASVS 5.0.0)."""
HIGHER = {"1.2.10", "13.4.6", "13.4.7", "6.2.12"}


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_test_named_on_the_page_is_there() -> None:
    assert len(TESTS) > 80
    missing = [f"{path}::{name}" for path, name in TESTS if name not in named_in(path)]
    assert missing == []
    # Nothing on the page looks like a test and is not read as one.
    assert len(set(re.findall(r"tests/[\w/]+\.py::\w+", PAGE))) == len(TESTS)


def test_every_setting_named_on_the_page_is_there() -> None:
    assert len(SETTINGS) > 10
    assert [name for name in SETTINGS if name.lower() not in HubSettings.model_fields] == []


def test_every_file_named_on_the_page_is_there() -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", PAGE)
    files = re.findall(r"`((?:hub|docs|contracts)/[\w./-]*)`", PAGE)
    assert [name for name in links if not (ROOT / "docs" / name).exists()] == []
    assert [name for name in files if not (ROOT / name).exists()] == []


def numbered() -> set[str]:
    """Every requirement the page speaks of: by its number, between two numbers, or as a section
    that does not apply."""
    found = set(re.findall(r"\b\d+\.\d+\.\d+\b", PAGE))
    for chapter, first, begin, _, _, end in re.findall(
        r"\b(\d+)\.(\d+)\.(\d+)\s+to\s+(\d+)\.(\d+)\.(\d+)\b", PAGE
    ):
        found |= {f"{chapter}.{first}.{n}" for n in range(int(begin), int(end))}
    left_out = " ".join(
        re.findall(r"^Does not apply:.*?(?:\n\n|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    )
    for section in re.findall(r"(?<![\d.])(\d+\.\d+)(?![\d.]*\d)", left_out):
        chapter, row = section.split(".")
        most = ASKED.get(int(chapter), ())
        if 0 < int(row) <= len(most):
            found |= {f"{section}.{n}" for n in range(1, most[int(row) - 1] + 1)}
    return found


def test_every_requirement_of_levels_one_and_two_is_spoken_of() -> None:
    asked = {
        f"{chapter}.{section}.{n}"
        for chapter, sections in ASKED.items()
        for section, most in enumerate(sections, 1)
        for n in range(1, most + 1)
    }
    # These sections' first numbers are level 3 alone.
    assert sorted(asked - HIGHER - numbered()) == []
    for chapter in range(1, 18):
        assert f"\n## V{chapter} " in PAGE
