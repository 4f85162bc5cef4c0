"""Asks nodes for evidence that a review or dispute needs, takes it in, and says what is here.

Nothing is sent that nobody asked for. A node that does not answer is asked again after a wait that
doubles, so many times at most; then the piece is missing, and people decide without it. All of it
is outside of the journal: it changes no cart and no receipt, and it expires.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, select, update

from contracts.messages import SendEvidence
from hub.effects import us
from hub.errors import RejectedError
from hub.evidence.folder import EvidenceFolder
from hub.evidence.tables import evidence as table
from hub.review.doubts import unclear_of
from hub.service import Hub, Outgoing
from hub.state import HubState
from hub.turns import Turns

__all__ = ["ASKED_MAX", "EVIDENCE_BYTES_MAX", "EvidenceDesk", "reaches_wanted"]

EVIDENCE_BYTES_MAX = 4_000_000
ASKED_MAX = 8
"""Tries a piece; with doubling waits that is about ten minutes."""
FIRST_WAIT_S = 2.0
WAIT_S_MAX = 300.0
IDS_A_MESSAGE = 32
WANTED_MAX = 2_000


def reaches_wanted(state: HubState) -> list[str]:
    """Reaches that staff have to decide about: of open disputes, and of visits in review."""
    wanted: dict[str, None] = {}
    for dispute_id, visit_id in state.aftercare.open.items():
        visit = state.visits.get(visit_id)
        if visit is None:
            continue
        number = visit.disputes[dispute_id]["line"]
        for line in visit.lines:
            if line.line == number:
                wanted.update(dict.fromkeys(line.reaches))
    for visit in state.open_visits():
        if visit.review_until_s is not None:
            unclear = unclear_of(state, visit.visit_id)
            wanted.update(dict.fromkeys(one.reach_id for one in unclear))
    return list(wanted)[:WANTED_MAX]


class EvidenceDesk:
    """The hub's side of evidence. `lock` is the hub's: one writer at a time."""

    def __init__(self, folder: EvidenceFolder, lock: Turns) -> None:
        self._folder = folder
        self._lock = lock
        self._files = threading.Lock()

    def of_reaches(self, hub: Hub, reach_ids: Iterable[str]) -> list[dict[str, Any]]:
        """What there is of some reaches, by reach and name."""
        names = list(reach_ids)
        if not names:
            return []
        statement = (
            select(table)
            .where(table.c.reach_id.in_(names[:WANTED_MAX]))
            .order_by(table.c.reach_id, table.c.device_id, table.c.evidence_id)
        )
        with self._lock:
            return hub.store.select(statement)

    def due(self, hub: Hub, reach_ids: Iterable[str], now_s: float) -> list[Outgoing]:
        """Messages that ask nodes for what is wanted, is not here and may still be there."""
        now_us = us(now_s)
        by_device: dict[str, list[str]] = {}
        with self._lock:
            for row in self.of_reaches(hub, reach_ids):
                if row["state"] not in ("on the node", "asked") or row["next_us"] > now_us:
                    continue
                gone = row["expires_us"] <= now_us or row["asked"] >= ASKED_MAX
                wait_s = min(FIRST_WAIT_S * 2 ** row["asked"], WAIT_S_MAX)
                values: dict[str, Any] = {"state": "missing"}
                if not gone:
                    by_device.setdefault(row["device_id"], []).append(row["evidence_id"])
                    values = {
                        "state": "asked",
                        "asked": row["asked"] + 1,
                        "next_us": now_us + us(wait_s),
                    }
                hub.store.run(_row(row["device_id"], row["evidence_id"]).values(**values))
        out = []
        for device_id, names in sorted(by_device.items()):
            for begin in range(0, len(names), IDS_A_MESSAGE):
                ids = tuple(names[begin : begin + IDS_A_MESSAGE])
                message = SendEvidence(evidence_ids=ids)
                out.append(hub.outgoing("evidence", device_id, message, qos=1))
        return out

    def wanted(self, hub: Hub, device_id: str, evidence_id: str) -> Mapping[str, Any]:
        """The row of a piece a node wants to send; RejectedError if nobody asked for it."""
        statement = select(table).where(
            table.c.device_id == device_id, table.c.evidence_id == evidence_id
        )
        with self._lock:
            found = hub.store.select(statement)
        if not found or found[0]["asked"] == 0:
            raise RejectedError(f"expected evidence that was asked for, got {evidence_id}")
        row: Mapping[str, Any] = found[0]
        return row

    def take(self, hub: Hub, device_id: str, evidence_id: str, data: bytes) -> None:
        """A node sent a piece; RejectedError if it is not the one its event announced."""
        row = self.wanted(hub, device_id, evidence_id)
        with self._files:
            self._folder.keep(data, sha256=row["sha256"], media_type=row["media_type"])
        with self._lock:
            hub.store.run(_row(device_id, evidence_id).values(state="here"))
            hub.live.version += 1

    def missing(self, hub: Hub, device_id: str, evidence_id: str) -> None:
        """A node says that it has a piece no more."""
        row = self.wanted(hub, device_id, evidence_id)
        if row["state"] == "asked":
            with self._lock:
                hub.store.run(_row(device_id, evidence_id).values(state="missing"))
                hub.live.version += 1

    def read(self, sha256: str) -> tuple[bytes, str] | None:
        """A piece and its media type; None if it is not here any more."""
        with self._files:
            return self._folder.read(sha256)

    def sweep(self, hub: Hub, now_s: float) -> None:
        """Forgets what expired, on disk and in the table."""
        with self._files:
            self._folder.sweep()
        with self._lock:
            hub.store.run(delete(table).where(table.c.expires_us <= us(now_s)))


def _row(device_id: str, evidence_id: str) -> Any:
    return update(table).where(table.c.device_id == device_id, table.c.evidence_id == evidence_id)
