"""From a reach as its node told it to rows that say which evidence the node has."""

from __future__ import annotations

from typing import Any

from contracts.codec import message_of
from contracts.envelope import Envelope
from contracts.errors import ContractError
from contracts.messages import ReachClosed

__all__ = ["KEPT_S_MAX", "evidence_rows"]

KEPT_S_MAX = 90 * 86_400.0
"""What says that it is kept for longer is believed for so long."""


def evidence_rows(item: Envelope, now_us: int) -> list[dict[str, Any]]:
    """Rows of hub.evidence.tables for a message just taken; none for most messages."""
    if item.type != ReachClosed.TYPE:
        return []
    try:
        message = message_of(item)
    except ContractError:
        # The core says what is wrong with the message.
        return []
    if not isinstance(message, ReachClosed):
        return []
    rows = []
    for one in message.evidence:
        # The node's clock says when it expires; how long that is from now is all that counts.
        left_s = min(max(0.0, one.expires_s - item.monotonicus / 1e6), KEPT_S_MAX)
        rows.append(
            {
                "device_id": item.deviceid,
                "evidence_id": one.evidence_id,
                "reach_id": message.reach_id,
                "sha256": one.sha256,
                "media_type": one.media_type,
                "size": one.bytes,
                "state": "on the node",
                "asked": 0,
                "next_us": 0,
                "expires_us": now_us + round(left_s * 1e6),
            }
        )
    return rows
