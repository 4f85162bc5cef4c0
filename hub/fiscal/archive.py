"""Archives of the fiscal journal, and verifying one with nothing but itself.

    made = write_archive(store, layout, signer, France(), Path("2026.zip"), period="2026")
    report = verify_archive(Path("2026.zip"))
    for finding in report.findings: print(finding)

A ZIP file of entries.jsonl, manifest.json, manifest.sig and README.txt; anchor.json holds the
entry before the first one, keys.jsonl all that name keys where there was more than one. The same
journal gives the same bytes, so that archives can be compared.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from contracts.store_file import StoreFile
from hub.chain import link
from hub.errors import FiscalError
from hub.fiscal.chain_of_keys import KeyChain
from hub.fiscal.journal import FINDINGS_MAX, entries_of, key_entries, read_entry, state_of
from hub.fiscal.keys import valid_signature
from hub.fiscal.model import Entry, FiscalProfile, Signer, signed
from hub.fiscal.tables import fiscal_entries as table
from hub.store.service import Store

__all__ = ["ArchiveReport", "Archived", "verify_archive", "write_archive"]

ENTRIES, ANCHOR, MANIFEST, SIGNATURE, README, KEYS = (
    "entries.jsonl", "anchor.json", "manifest.json", "manifest.sig", "README.txt", "keys.jsonl",
)  # fmt: skip
KEYS_NOTICE = """
keys.jsonl      the entries that name keys, from the journal's first on: each hand-over is signed by
                the key before, and every entry after it by the key that it names
"""
MEMBER_BYTES_MAX = 4 * 1024**3
TEXTS = ("source", "kind", "day", "previous_hash", "hash", "signature")
"""What is text of an entry, if nobody edited it."""
STAMP = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the same journal gives the same file."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What was written: entries `first` to `last`, and the file's SHA-256."""

    period: str
    first: int
    last: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What an archive holds, and what is wrong with it, a sentence each."""

    manifest: dict[str, Any]
    entries: int
    findings: tuple[str, ...]


def write_archive(
    store: Store,
    layout: StoreFile,
    signer: Signer,
    profile: FiscalProfile,
    target: Path,
    *,
    period: str = "",
) -> Archived:
    """Writes a year ("2026"), a month, a day, or with "" all of the journal. FiscalError if the
    file exists, the period is none, or nothing of the journal is in it."""
    if re.fullmatch(r"(\d{4}(-\d{2}(-\d{2})?)?)?", period) is None:
        raise FiscalError(f"expected a year, a month, a day or nothing, got {period!r:.40}")
    if target.exists():
        raise FiscalError(f"expected a new file, {target} exists; give another name")
    first, last = _bounds(store, period)
    lines = _lines(entries_of(store, first=first, until=last))
    files = {ENTRIES: lines, README: profile.notice().encode()}
    named = key_entries(store)
    if len(named) > 1:
        files[KEYS] = _lines(named)
        files[README] += KEYS_NOTICE.encode()
    if first > 1:
        anchor = next(entries_of(store, first=first - 1, until=first - 1))
        files[ANCHOR] = json.dumps(asdict(anchor), sort_keys=True, ensure_ascii=False).encode()
    head = json.loads(lines.splitlines()[-1])["hash"]
    manifest = json.dumps(
        {
            "schema": 1,
            "profile": profile.name,
            "store_id": layout.store_id,
            "name": layout.name,
            "currency": layout.currency,
            "period": period or "all",
            "first": first,
            "last": last,
            "head": head,
            "public_key": signer.public_key,
            "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        },
        sort_keys=True,
        indent=1,
    )
    files[MANIFEST] = manifest.encode()
    files[SIGNATURE] = signer.sign(manifest).encode()
    data = _zipped(files)
    _write(target, data)
    return Archived(period or "all", first, last, hashlib.sha256(data).hexdigest())


def verify_archive(path: Path, *, public_key: str | None = None) -> ArchiveReport:
    """Checks an archive against itself, and against a public key that is known from elsewhere if
    one is given: the journal's, or one that handed over to it. FiscalError if it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {info.filename: _member(archive, info) for info in archive.infolist()}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        raise FiscalError(f"expected a fiscal archive, {path} cannot be read: {error}") from error
    try:
        manifest = json.loads(files[MANIFEST])
        key, sums = str(manifest["public_key"]), dict(manifest["sha256"])
        first, last, head = int(manifest["first"]), int(manifest["last"]), manifest["head"]
        mark = files[SIGNATURE].decode()
    except (KeyError, ValueError, TypeError) as error:
        raise FiscalError(
            f"expected a fiscal archive with {MANIFEST} and {SIGNATURE}, {path} has none that can "
            "be read"
        ) from error
    findings = []
    keys, faults = _keys(files, key)
    findings.extend(faults)
    known = [one for _from, one in keys]
    if public_key is not None and public_key.lower() not in known:
        findings.append(f"{MANIFEST}: expected the public key {public_key}, it names {key}")
    if not valid_signature(key, files[MANIFEST].decode(errors="replace"), mark):
        findings.append(f"{MANIFEST}: its signature is not of the key it names; it was edited")
    for name, digest in sorted(sums.items()):
        if name not in files:
            findings.append(f"{name}: expected it in the archive, it is missing")
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            findings.append(f"{name}: it is not what the manifest names; it was edited")
    findings.extend(
        f"{name}: the manifest does not name it"
        for name in sorted(set(files) - set(sums) - {MANIFEST, SIGNATURE})
    )
    followed = list(_followed(files, keys, first, last, str(head)))
    findings.extend(found for _count, faults in followed for found in faults)
    return ArchiveReport(manifest, followed[-1][0], tuple(findings[:FINDINGS_MAX]))


def _keys(files: dict[str, bytes], key: str) -> tuple[list[tuple[int, str]], list[str]]:
    """The journal's keys, each with the number of the first entry that it signs, and what is wrong
    with how one handed over to the next."""
    if KEYS not in files:
        return [(1, key)], []
    chain = KeyChain(valid_signature)
    found: list[tuple[int, str]] = []
    faults: list[str] = []
    try:
        named = [_parsed(line) for line in files[KEYS].splitlines()]
    except FiscalError as error:
        return [(1, key)], [f"{KEYS}: {error}"]
    for entry in named:
        chain.begin(entry)
        if link(entry.previous_hash, entry.row()) != entry.hash:
            faults.append(f"{KEYS}: entry {entry.number} does not fit its hash; it was edited")
            break
        faults.extend(f"{KEYS}: {fault}" for fault in chain.follow(entry))
        if len(chain.keys) > len(found):
            found.append((1 if entry.number == 1 else entry.number + 1, chain.key))
    if chain.key != key:
        faults.append(f"{KEYS}: expected the keys to end with {key}, they end with {chain.key}")
    return found or [(1, key)], faults


def _followed(
    files: dict[str, bytes], keys: list[tuple[int, str]], first: int, last: int, head: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """How many entries were followed, and what is wrong with each."""
    try:
        anchor = _parsed(files[ANCHOR]) if ANCHOR in files else None
    except FiscalError as error:
        yield 0, (f"{ANCHOR}: {error}",)
        anchor = None
    state = state_of(anchor)
    if anchor is not None and not valid_signature(
        _in_force(keys, anchor.number), anchor.hash, anchor.signature
    ):
        yield 0, (f"{ANCHOR}: the signature is not of the journal's key",)
    if state.number != first - 1:
        yield 0, (f"{ENTRIES}: expected to begin with entry {first}, after {state.number}",)
    count = 0
    for number, line in enumerate(files.get(ENTRIES, b"").splitlines(), 1):
        try:
            entry = _parsed(line)
        except FiscalError as error:
            yield count, (f"{ENTRIES} line {number}: {error}",)
            continue
        state, faults = signed(entry, state, _in_force(keys, entry.number), valid_signature)
        count += 1
        yield count, faults
    if (state.number, state.head) != (last, head):
        yield count, (f"{ENTRIES}: expected to end with entry {last}, it ends with {state.number}",)
    yield count, ()


def _in_force(keys: list[tuple[int, str]], number: int) -> str:
    """The key that signs the entry of a number."""
    return [key for begin, key in keys if begin <= number or begin == 1][-1]


def _lines(entries: Iterable[Entry]) -> bytes:
    return "".join(
        json.dumps(asdict(entry), sort_keys=True, ensure_ascii=False) + "\n" for entry in entries
    ).encode()


def _parsed(line: bytes) -> Entry:
    try:
        row = json.loads(line)
        # Half of a character can be read here, and hashed nowhere.
        json.dumps(row, ensure_ascii=False).encode()
        entry = read_entry(row)
    except (ValueError, TypeError, KeyError) as error:
        raise FiscalError("not an entry of a journal; it was edited") from error
    whole = type(entry.number) is int and type(entry.at_us) is int
    if not (whole and all(isinstance(getattr(entry, name), str) for name in TEXTS)):
        raise FiscalError("not an entry of a journal; it was edited")
    return entry


def _bounds(store: Store, period: str) -> tuple[int, int]:
    """The first and last entry of a period; notes of earlier archives at its end are left out."""
    found = store.select(
        select(func.min(table.c.number).label("first"), func.max(table.c.number).label("last"))
        .where(table.c.day.like(f"{period}%"))
        .where(table.c.source.not_like("technical:archived:%"))
    )[0]
    if found["first"] is None:
        raise FiscalError(
            f"expected entries of {period or 'the journal'}, there are none; run `sortie hub "
            "fiscal run` first"
        )
    return int(found["first"]), int(found["last"])


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MEMBER_BYTES_MAX:
        raise FiscalError(f"expected parts of at most {MEMBER_BYTES_MAX} bytes, {info.filename}")
    return archive.read(info)


def _write(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{target.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise FiscalError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
