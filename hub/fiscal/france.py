"""France: article 286, I, 3° bis of the Code général des impôts, as a profile of the journal.

Cash systems must meet four conditions: inalterability, security, keeping and archiving. Here:

    inalterability   corrections are entries of their own; each entry is chained to the one before
    security         each entry is signed with a key that is not in the database
    keeping          closings by day, month and year with perpetual totals; nothing is deleted
    archiving        archives that anybody can verify without this software's database

Since 2026 the law asks for a certificate of an accredited body or the vendor's individual
attestation; this software has neither by itself, and says so in each archive.
"""

from __future__ import annotations

from datetime import date, timedelta

from hub.fiscal.model import Closing

__all__ = ["France"]


class France:
    """Closings by day, month and year."""

    name = "fr-286-i-3-bis"

    def closings(self, day: date) -> tuple[Closing, ...]:
        """Always the day; the month and the year on their last day."""
        made = [Closing("day", day.isoformat())]
        tomorrow = day + timedelta(days=1)
        if tomorrow.month != day.month:
            made.append(Closing("month", day.isoformat()[:7]))
        if tomorrow.year != day.year:
            made.append(Closing("year", day.isoformat()[:4]))
        return tuple(made)

    def notice(self) -> str:
        """What whoever opens an archive should know."""
        return _NOTICE


_NOTICE = """Fiscal archive of a Sortie store (profile fr-286-i-3-bis).

entries.jsonl   the journal, one entry a line: tickets, corrections, closings, technical entries
anchor.json     the entry before the first one, if the archive does not begin with the journal
manifest.json   what is in here: period, numbers, SHA-256 of each file, the public key
manifest.sig    Ed25519 signature of manifest.json, in hexadecimal

Each entry's hash is SHA-256 of "previous hash, newline, canonical JSON of number, source, kind,
at_us, day and body"; its signature is Ed25519 over the hash's 64 characters. Amounts are minor
units, times microseconds since 1970 UTC, days those of the store's time zone.

To verify:   sortie hub fiscal verify THIS-FILE

Keep archives for six years, on media that are not the store's own. The software keeps the four
conditions technically; it is not certified, and an attestation is its operator's to obtain.
"""
