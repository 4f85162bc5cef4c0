"""Messages between a wall's node and the hub: what stands there, what is scanned, what shines.

The node says which labelled things it sees and where, and what became of them; it knows no order
and no customer. The hub says which things to mark and how. A node marks a thing as one to take only
while it has read that very label on it and the projection is within bounds: what it may not show,
it withholds, and says so.

Positions are in the wall's frame (u, v, z), metres; times are the device's monotonic seconds.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from contracts.base import Contract
from contracts.ids import MarkId, ProjectorId, ScannerId, ThingId, WallId
from contracts.labels import LABEL_CHARS_MAX
from contracts.message import Message
from contracts.units import Count, Finite, Metres, PositiveMetres, Seconds
from contracts.wall import Symbology

__all__ = [
    "CUE_LIFE_S",
    "INVITING",
    "LabelRead",
    "Mark",
    "MarkLook",
    "MarkSeen",
    "MarksJudged",
    "OutlinePoint",
    "ProjectionJudged",
    "Thing",
    "ThingsSeen",
    "WallAttended",
    "WallCues",
    "WallScanned",
]

CUE_LIFE_S = 6.0
"""Marks go dark when the hub has not repeated them for so long; it repeats them every two."""

OutlinePoint = tuple[Metres, Metres]
"""(u, z) of a corner."""

LabelText = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]


class LabelRead(Contract):
    """What is printed on a thing: read in `reads` frames, all of which said the same.

    `text` is the symbol's content; the separator FNC1 between GS1 element strings is written as
    ASCII 29, and one at the beginning is left out.
    """

    symbology: Symbology
    text: LabelText
    reads: Annotated[int, Field(ge=1, le=1_000_000)]


class Thing(Contract):
    """News of one thing at the wall. `thing_id` stays the same for as long as it is followed.

    `state`: it stands (lies, hangs) still; it is being moved or carried; it is gone, out of sight
    of all cameras without standing anywhere. `hidden`: nothing of it is seen right now, and nothing
    says that it went. `label` is None where none was read ("unknown"); `contested`: frames disagree
    about the label, so it counts as unread. `twins`: other things that carry the same label.
    `outline_m` and `v_m`: corners and depth of its face. `mark_m`: corners of the part of it that
    marks are drawn in, which has the label in its middle; None where that is the whole face.
    `since_s`: when it came into this state. `seen_s`: when it was last seen.
    """

    thing_id: ThingId
    state: Literal["stands", "moves", "gone"]
    hidden: bool = False
    label: LabelRead | None = None
    contested: bool = False
    twins: Annotated[tuple[ThingId, ...], Field(max_length=16)] = ()
    outline_m: Annotated[tuple[OutlinePoint, ...], Field(min_length=3, max_length=8)]
    mark_m: Annotated[tuple[OutlinePoint, ...], Field(min_length=4, max_length=4)] | None = None
    v_m: Metres = 0.0
    sd_m: Annotated[PositiveMetres, Field(description="of the outline's centre")] = 0.005
    since_s: Seconds
    seen_s: Seconds


class ThingsSeen(Message):
    """What changed at a wall. `whole`: these are all things there are, e.g. after a start."""

    TYPE: ClassVar[str] = "sortie.wall.things_seen.v1"

    wall_id: WallId
    t_s: Seconds
    whole: bool = False
    things: Annotated[tuple[Thing, ...], Field(max_length=256)]


class WallAttended(Message):
    """Somebody is before a wall, or nobody is any more; never who. Told when it changes, and once
    after a start; while all cameras of the wall are blind nothing is told."""

    TYPE: ClassVar[str] = "sortie.wall.attended.v1"

    wall_id: WallId
    t_s: Seconds
    somebody: bool


class WallScanned(Message):
    """A code was read at one of a wall's scanners. What it means is the hub's business."""

    TYPE: ClassVar[str] = "sortie.wall.scanned.v1"

    wall_id: WallId
    scanner_id: ScannerId
    code: Annotated[str, Field(min_length=1, max_length=512)]
    t_s: Seconds


class ProjectionJudged(Message):
    """How well a projector hits what it aims at.

    `state`: `true`, within bounds; `off`, out of bounds and dark until calibrated anew;
    `calibrating`; `unplugged`. `residual_mm`: 95th percentile of the distance between where marks
    were meant and where the camera saw them, on the wall; None if nothing was measured.
    """

    TYPE: ClassVar[str] = "sortie.wall.projection_judged.v1"

    wall_id: WallId
    projector_id: ProjectorId
    t_s: Seconds
    state: Literal["true", "off", "calibrating", "unplugged"]
    residual_mm: Annotated[Finite, Field(ge=0, le=1e5)] | None = None
    points: Count = 0
    reason: Annotated[str, Field(max_length=200)] = ""


class MarkSeen(Contract):
    """What became of a mark: it shines, it was seen to shine where it should, it is withheld."""

    mark_id: MarkId
    state: Literal["shown", "seen", "withheld"]
    since_s: Seconds
    reason: Annotated[str, Field(max_length=120)] = ""


class MarksJudged(Message):
    """What became of the marks that the hub asked for; those not named are as they were."""

    TYPE: ClassVar[str] = "sortie.wall.marks_judged.v1"

    wall_id: WallId
    t_s: Seconds
    revision: Count
    marks: Annotated[tuple[MarkSeen, ...], Field(max_length=256)]


MarkLook = Literal["take_a", "take_b", "not_this", "wrong", "place", "look"]
"""How a mark looks, told apart by form as well as by colour: `take_a` a green ring with a dot,
`take_b` a blue double diamond, `not_this` a red cross, `wrong` a red frame that blinks (this was
not yours), `place` a white dashed frame (put it here), `look` a white frame (staff: this one)."""
INVITING: frozenset[str] = frozenset({"take_a", "take_b"})
"""Looks that say: take this."""


class Mark(Contract):
    """One thing or place to mark. An inviting look needs thing and label: the node shows it only
    while that thing carries that label, uncontested."""

    mark_id: MarkId
    look: MarkLook
    thing_id: ThingId | None = None
    label_text: LabelText | None = None
    area_m: Annotated[
        tuple[OutlinePoint, ...] | None,
        Field(min_length=3, max_length=8, description="a place on the front plane, for `place`"),
    ] = None

    @model_validator(mode="after")
    def _says_what(self) -> Mark:
        if self.look in INVITING and (self.thing_id is None or self.label_text is None):
            raise ValueError(
                f"expected thing_id and label_text with look {self.look}, got {self.thing_id} and "
                f"{self.label_text}"
            )
        if (self.thing_id is None) == (self.area_m is None):
            raise ValueError(
                f"expected a thing_id or an area_m, one of them, got {self.thing_id} and "
                f"{self.area_m}"
            )
        return self


class WallCues(Message):
    """All that shall shine at a wall now, in place of what shone before.

    Sent when it changes and again every two seconds; a node whose cues are older than CUE_LIFE_S
    goes dark. A revision lower than the one shown is late news and left out while those are not
    that old. `calibrate` rises by one when staff ask for a calibration.
    """

    TYPE: ClassVar[str] = "sortie.wall.cues.v1"

    wall_id: WallId
    revision: Count
    marks: Annotated[tuple[Mark, ...], Field(max_length=256)] = ()
    calibrate: Annotated[Count, Field(description="how often staff have asked for one")] = 0
