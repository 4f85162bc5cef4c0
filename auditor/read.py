"""Reading truth folders and the hub's export. Formats only; nothing is judged here.

A truth folder holds `visits.jsonl` (what each shopper took and who owes for it, schema 1 or 2 of
store_sim.truth) and `phones.jsonl`, one `{"shopper": 3, "visit_id": "…"}` a line: which visit a
shopper's phone opened. In schema 1 everybody pays for themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import UnreadableError

__all__ = ["TrueVisit", "read_export", "read_truth"]

EXPORT_PARTS = (
    "events", "transactions", "holds", "visits", "receipts", "products", "prices", "stock", "inbox",
)  # fmt: skip


TRUTH_SCHEMAS = (1, 2)


@dataclass(frozen=True, slots=True)
class TrueVisit:
    """What one shopper really did. `left_s` is None while the shopper is in the store.

    `payer` is the shopper whose receipt owes for `kept`, None where nobody does (staff, and
    whoever came in without a code). `code` is what was shown at the gate, None if nothing was.
    """

    shopper: int
    visit_id: str | None
    entered_s: float | None
    left_s: float | None
    kept: Mapping[str, int]
    actions: int
    payer: int | None
    staff: bool = False
    code: str | None = None


def read_truth(folder: Path) -> list[TrueVisit]:
    """All visits of a truth folder, by shopper; UnreadableError names file and line."""
    phones = {
        row["shopper"]: row["visit_id"]
        for row in _lines(folder / "phones.jsonl", ("shopper", "visit_id"))
    }
    path = folder / "visits.jsonl"
    visits = [
        _visit(f"{path}:{number}", row, phones)
        for number, row in enumerate(
            _lines(path, ("shopper", "entered_s", "left_s", "kept", "actions")), 1
        )
    ]
    return sorted(visits, key=lambda visit: visit.shopper)


def read_export(source: Path | Mapping[str, Any]) -> dict[str, Any]:
    """The hub's export, from a file or as it is; UnreadableError if a part is missing."""
    if isinstance(source, Path):
        try:
            document = json.loads(source.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableError(
                f"{source}: expected the hub's export as JSON: {error}"
            ) from error
    else:
        document = dict(source)
    missing = [part for part in EXPORT_PARTS if part not in document]
    if document.get("schema") != 1 or missing:
        raise UnreadableError(
            f"expected an export of schema 1 with {', '.join(EXPORT_PARTS)}; got schema "
            f"{document.get('schema')!r}, missing {', '.join(missing) or 'nothing'}"
        )
    return dict(document)


def _visit(where: str, row: Mapping[str, Any], phones: Mapping[int, str]) -> TrueVisit:
    schema = row.get("schema", 1)
    if schema not in TRUTH_SCHEMAS:
        raise UnreadableError(
            f"{where}: expected truth of schema 1 or 2, got {schema!r}; read it with the version "
            "of Sortie that wrote it"
        )
    payer, staff = row["shopper"], False
    if schema == 2:
        missing = [name for name in ("payer", "staff") if name not in row]
        if missing:
            raise UnreadableError(f"{where}: expected payer and staff; {missing} missing")
        payer, staff = row["payer"], row["staff"]
    if payer is not None and not isinstance(payer, int):
        raise UnreadableError(f"{where}: expected a shopper's index or null as payer: {payer!r}")
    return TrueVisit(
        shopper=row["shopper"],
        visit_id=phones.get(row["shopper"]),
        entered_s=row["entered_s"],
        left_s=row["left_s"],
        kept=row["kept"],
        actions=len(row["actions"]),
        payer=payer,
        staff=bool(staff),
        code=row.get("code"),
    )


def _lines(path: Path, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UnreadableError(f"{path}:{number}: expected a JSON object: {error}") from error
        missing = [name for name in fields if name not in row]
        if missing:
            raise UnreadableError(
                f"{path}:{number}: expected {', '.join(fields)}; {missing} missing"
            )
        rows.append(row)
    return rows
