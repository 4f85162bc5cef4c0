"""Messages of a device with their times moved to the hub's clock.

The copies are not validated again: hub time of a device's first seconds may be below zero, which
the wire format does not allow and the rules do not mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from contracts.messages import ReachClosed, ReachOpened, TrackPoint, TrackSegment, WristPoint
from hub.attribution.model import FloorNews, FloorPoint

__all__ = ["closed_in_hub_time", "opened_in_hub_time", "segment_in_hub_time"]


T = TypeVar("T", bound=BaseModel)
_SET = object.__setattr__
_TUPLE = tuple.__new__


def opened_in_hub_time(message: ReachOpened, offset_s: float) -> ReachOpened:
    """A reach's opening in hub time."""
    return _with(message, t_s=message.t_s + offset_s)


def closed_in_hub_time(message: ReachClosed, offset_s: float) -> ReachClosed:
    """All of a reach's times in hub time."""
    return _with(
        message,
        t_open_s=message.t_open_s + offset_s,
        t_close_s=message.t_close_s + offset_s,
        hands=tuple(
            _with(hand, t_in_s=hand.t_in_s + offset_s, t_out_s=hand.t_out_s + offset_s)
            for hand in message.hands
        ),
        changes=tuple(
            _with(
                change,
                t_before_s=change.t_before_s + offset_s,
                t_after_s=change.t_after_s + offset_s,
            )
            for change in message.changes
        ),
        grams=tuple(
            _with(step, t_start_s=step.t_start_s + offset_s, t_end_s=step.t_end_s + offset_s)
            for step in message.grams
        ),
    )


def segment_in_hub_time(segment: TrackSegment, offset_s: float) -> FloorNews:
    """A track segment's times in hub time."""
    points = _moved(segment.points, offset_s)
    wrists = _moved(segment.wrists, offset_s) if segment.wrists else ()
    # Past the named tuple's own constructor, which takes as long as the rest.
    return _TUPLE(FloorNews, (segment.track_id, segment.state, points, wrists, segment.linked_from))


def _moved(points: Sequence[TrackPoint | WristPoint], offset_s: float) -> tuple[FloorPoint, ...]:
    if len(points) == 1:
        point = points[0]
        return ((point.t_s + offset_s, point.x_m, point.y_m, point.sd_m),)
    return tuple([(point.t_s + offset_s, point.x_m, point.y_m, point.sd_m) for point in points])


def _with(item: T, **values: object) -> T:
    """What `model_copy(update=values)` gives, in a tenth of its time."""
    made = object.__new__(type(item))
    _SET(made, "__dict__", {**item.__dict__, **values})
    # The times were given, so the set of given fields stays as it is.
    _SET(made, "__pydantic_fields_set__", item.__pydantic_fields_set__)
    _SET(made, "__pydantic_extra__", None)
    _SET(made, "__pydantic_private__", None)
    return made
