"""What goes into a beam and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import MarkSeen, ProjectionJudged
from vision.wall.records import LitRegion

__all__ = ["BeamOut", "MarkState", "marks_seen"]


MarkState = tuple[Literal["shown", "seen", "withheld"], str]
"""How a mark stands, and why it is withheld."""
REASON_CHARS_MAX = 120


def marks_seen(
    before: Mapping[str, MarkSeen], states: Mapping[str, MarkState], now_s: float
) -> dict[str, MarkSeen]:
    """How marks stand and since when; those that stand as before are the same objects."""
    shown: dict[str, MarkSeen] = {}
    for name, (state, why) in states.items():
        reason = why[:REASON_CHARS_MAX]
        old = before.get(name)
        if old is None or (old.state, old.reason) != (state, reason):
            old = MarkSeen(mark_id=name, state=state, since_s=now_s, reason=reason)
        shown[name] = old
    return shown


@dataclass(frozen=True, slots=True, eq=False)
class BeamOut:
    """What a step of a beam asks for and says.

    `picture` (H, W, 3) to throw from now on, None: what is thrown stays. `shown`: how every mark
    stands; `changed`: those of them that stand otherwise than after the step before. `judged`: news
    of the projection, if any. `want_capture`: observations shall carry captures. `lit`: by camera,
    where light of ours falls in its picture; all of it while stripes are thrown.
    """

    picture: NDArray[np.uint8] | None
    shown: tuple[MarkSeen, ...]
    changed: tuple[MarkSeen, ...] = ()
    judged: ProjectionJudged | None = None
    want_capture: bool = False
    lit: Mapping[str, tuple[LitRegion, ...]] = field(default_factory=dict)
