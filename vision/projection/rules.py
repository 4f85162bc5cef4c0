"""What may shine: the node's own look at every mark that the hub asks for.

An inviting mark is only for a thing that stands, that carries the mark's very label and no other
thing does, that frames agree about, and that was seen not long ago. Whatever else a mark says, the
thing has to be there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from contracts.labels import label_key
from contracts.wall_messages import INVITING, Mark, Thing
from vision.projection.settings import BeamSettings

__all__ = ["why_withheld"]


KEYS_MAX = 1024
"""Labels are looked at in every step; so many keys are remembered."""
_key = lru_cache(maxsize=KEYS_MAX)(label_key)


def why_withheld(
    mark: Mark,
    things: Mapping[str, Thing],
    *,
    now_s: float,
    settings: BeamSettings,
    lit_s: float = math.inf,
) -> str | None:
    """Why a mark must not shine; None if it may, as far as things tell. `lit_s`: when it first
    shone."""
    if mark.thing_id is None:
        return None
    thing = things.get(mark.thing_id)
    if thing is None or thing.state == "gone":
        return "the thing is not there"
    if thing.state == "moves" and mark.look not in ("wrong", "not_this"):
        return "the thing is being moved"
    if now_s - thing.seen_s > settings.hidden_s_max and (
        thing.hidden or mark.look in INVITING or thing.state == "moves"
    ):
        return f"the thing was not seen for more than {settings.hidden_s_max:.0f} s"
    if mark.look not in INVITING:
        return None
    if thing.hidden and lit_s <= thing.seen_s and now_s - thing.seen_s > settings.covered_s_max:
        # Whoever came in front of it may be lifting it, and the light would fall on what is behind.
        return "somebody is in front of the thing"
    return _why_not_inviting(mark, thing, things)


def _why_not_inviting(mark: Mark, thing: Thing, things: Mapping[str, Thing]) -> str | None:
    if thing.label is None:
        return "no label was read on the thing"
    if thing.contested:
        return "readings of the thing's label disagree"
    if thing.label.text != mark.label_text:
        return "the thing carries another label"
    key = _key(thing.label.text)
    twin = any(
        other.label is not None
        and other.thing_id != thing.thing_id
        and other.state != "gone"
        and _key(other.label.text) == key
        for other in things.values()
    )
    if thing.twins or twin:
        return "another thing carries the same label"
    return None
