"""Style as a test: sizes, headings, and what must not stand in a public tree."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "auditor", "contracts", "edge", "hardware", "hub", "models", "sortie", "store_sim", "vision",
)  # fmt: skip
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
FILE_BYTES_MAX = 4 * 1024 * 1024

FILES_OVER_THE_LIMIT: dict[str, str] = {}
"""Path to the reason why it may be longer."""
FUNCTIONS_OVER_THE_LIMIT: dict[str, str] = {}
"""`path::function` to the reason why it may be longer."""


def tracked() -> list[Path]:
    """Files git tracks or would track; a plain walk where the tree is not a git checkout."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return [p for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return [path for name in listing if (path := ROOT / name).is_file()]


def python_files() -> list[Path]:
    return sorted(path for path in tracked() if path.suffix == ".py")


def test_files_fit_five_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in python_files()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }
    assert {name: n for name, n in long.items() if name not in FILES_OVER_THE_LIMIT} == {}
    assert set(FILES_OVER_THE_LIMIT) <= set(long), "a named exception is not needed any more"


def test_functions_fit_a_screen() -> None:
    long: dict[str, int] = {}
    for path in python_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{path.relative_to(ROOT)}::{node.name}"] = lines
    assert {name: n for name, n in long.items() if name not in FUNCTIONS_OVER_THE_LIMIT} == {}
    assert set(FUNCTIONS_OVER_THE_LIMIT) <= set(long), "a named exception is not needed any more"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_what_it_is_for(package: str) -> None:
    readme = ROOT / package / "README.md"
    assert readme.is_file(), f"{package} has no README.md"
    text = readme.read_text(encoding="utf-8").lower()
    assert "may import" in text
    assert "must not" in text


def test_public_modules_have_docstrings() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert bare == []


def test_no_leftovers_and_no_private_paths() -> None:
    unfinished = re.compile(
        r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b|NotImplemented" + "Error"
    )
    private = re.compile(r"(^|[^A-Za-z0-9_.])/(work|home|farm|root)/[a-z]")
    found = []
    for path in tracked():
        if path.suffix not in {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".js", ".sh", ""}:
            continue
        if path.name == "LICENSE":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if unfinished.search(line) or private.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_constraints_carry_versions_and_no_address() -> None:
    for name in ("constraints.txt", "constraints-train.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line), f"{name}: {line}"


def test_no_large_file_is_tracked() -> None:
    large = [str(p.relative_to(ROOT)) for p in tracked() if p.stat().st_size > FILE_BYTES_MAX]
    assert large == []


def test_a_wheel_takes_along_what_the_packages_read() -> None:
    """Scripts, stores, weights and pages are files beside the code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    taken = {pattern.rpartition(".")[2] for pattern in patterns}
    beside = {
        path.suffix.lstrip(".")
        for path in tracked()
        if path.relative_to(ROOT).parts[0] in PACKAGES and path.suffix not in (".py", ".md")
    }
    assert beside == taken
