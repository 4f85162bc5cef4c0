"""Sends evidence to the hub when it asks, one piece after the other, in a thread of its own.

What cannot be sent is dropped and counted: the hub asks again. Of a piece that is not here any
more the hub is told, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.courier import Courier

__all__ = ["WAITING_MAX", "EvidenceSender", "evidence_path"]

WAITING_MAX = 64


def evidence_path(node_id: str, evidence_id: str, *, gone: bool = False) -> str:
    """Where the hub takes a piece, or that there is none."""
    return f"/api/v1/nodes/{node_id}/evidence/{evidence_id}{'/gone' if gone else ''}"


class EvidenceSender(Courier[bytes | None]):
    """`put(path, data)` sends one piece and raises OSError if it fails. What is offered is the
    piece's bytes, None if it is gone."""

    def __init__(self, node_id: str, put: Callable[[str, bytes], None]) -> None:
        def letter(evidence_id: str, data: bytes | None) -> tuple[str, bytes]:
            return evidence_path(node_id, evidence_id, gone=data is None), data or b""

        super().__init__("evidence", put, letter, most=WAITING_MAX)
