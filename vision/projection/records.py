"""What goes into a beam and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import MarkSeen, ProjectionJudged
from vision.wall.records import LitRegion

__all__ = ["BeamOut", "SeesWall"]


class SeesWall(Protocol):
    """What a beam needs of one picture of one camera; vision.wall.WallObservation has it.

    `t_s` when the picture was taken; `active`: something changes in it; `blind`: why it cannot be
    judged; `capture`: the picture in grey (H, W), if it was asked for.
    """

    @property
    def camera_id(self) -> str: ...
    @property
    def t_s(self) -> float: ...
    @property
    def active(self) -> bool: ...
    @property
    def blind(self) -> str | None: ...
    @property
    def capture(self) -> NDArray[np.uint8] | None: ...


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
