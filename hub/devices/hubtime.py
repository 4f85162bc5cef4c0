"""Messages of a device with their times moved to the hub's clock.

The copies are not validated again: hub time of a device's first seconds may be below zero, which
the wire format does not allow and the rules do not mind.
"""

from __future__ import annotations

from contracts.messages import ReachClosed, ReachOpened, TrackSegment

__all__ = ["closed_in_hub_time", "opened_in_hub_time", "segment_in_hub_time"]


def opened_in_hub_time(message: ReachOpened, offset_s: float) -> ReachOpened:
    """A reach's opening in hub time."""
    return message.model_copy(update={"t_s": message.t_s + offset_s})


def closed_in_hub_time(message: ReachClosed, offset_s: float) -> ReachClosed:
    """All of a reach's times in hub time."""
    hands = tuple(
        hand.model_copy(
            update={"t_in_s": hand.t_in_s + offset_s, "t_out_s": hand.t_out_s + offset_s}
        )
        for hand in message.hands
    )
    changes = tuple(
        change.model_copy(
            update={
                "t_before_s": change.t_before_s + offset_s,
                "t_after_s": change.t_after_s + offset_s,
            }
        )
        for change in message.changes
    )
    grams = tuple(
        step.model_copy(
            update={"t_start_s": step.t_start_s + offset_s, "t_end_s": step.t_end_s + offset_s}
        )
        for step in message.grams
    )
    return message.model_copy(
        update={
            "t_open_s": message.t_open_s + offset_s,
            "t_close_s": message.t_close_s + offset_s,
            "hands": hands,
            "changes": changes,
            "grams": grams,
        }
    )


def segment_in_hub_time(segment: TrackSegment, offset_s: float) -> TrackSegment:
    """A track segment's times in hub time."""
    points = tuple(
        point.model_copy(update={"t_s": point.t_s + offset_s}) for point in segment.points
    )
    wrists = tuple(
        wrist.model_copy(update={"t_s": wrist.t_s + offset_s}) for wrist in segment.wrists
    )
    return segment.model_copy(update={"points": points, "wrists": wrists})
