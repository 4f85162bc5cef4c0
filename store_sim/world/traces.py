"""Truth beside the actions: reaches into shelves, steps of plates, and where everybody was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.geometry import Bay
from contracts.store_file import StoreFile
from store_sim.truth import PlateStep, Traces, TrackPoint, TrueReach
from store_sim.world.shopper import Hand, Shopper

__all__ = ["Tracer"]

TRACK_TICKS = 12
"""A track point five times a second, at 60 ticks."""
TRACES_MAX = 200_000
"""Rows of each kind kept until they are taken; older ones are dropped."""


@dataclass(slots=True)
class _Open:
    bay_id: str
    board_id: str
    u_m: float
    begin_s: float
    actions_before: int


class Tracer:
    """Watches hands, bodies and plates; `take` gives what was seen since the last call."""

    def __init__(self, store: StoreFile) -> None:
        self._bays = [(bay, *bay.normal) for bay in store.bays]
        self._plate_ids = [plate.plate_id for plate in store.plates]
        self._open: dict[tuple[int, str], _Open] = {}
        self._reaches: list[TrueReach] = []
        self._plates: list[PlateStep] = []
        self._tracks: list[TrackPoint] = []

    def plates(self, t_s: float, shopper: Shopper, moved: list[tuple[int, float]]) -> None:
        """Notes what a shopper changed on the plates, and empties `moved`."""
        for row, delta_g in moved:
            self._plates.append(
                PlateStep(round(t_s, 4), self._plate_ids[row], round(delta_g, 3), shopper.index)
            )
        moved.clear()

    def tick(self, tick: int, t_s: float, shoppers: Sequence[Shopper]) -> None:
        """One tick of everybody's hands and feet."""
        for shopper in shoppers:
            for hand in shopper.hands.values():
                self._hand(t_s, shopper, hand)
            if tick % TRACK_TICKS == 0:
                self._tracks.append(
                    TrackPoint(
                        round(t_s, 4), shopper.index, round(shopper.x, 3), round(shopper.y, 3)
                    )
                )
        for rows in (self._reaches, self._plates, self._tracks):
            del rows[:-TRACES_MAX]

    def bays_reached(self) -> set[str]:
        """The bays that a hand is in now: their doors wait for it."""
        return {reach.bay_id for reach in self._open.values()}

    def take(self) -> Traces:
        """Everything since the last call."""
        traces = Traces(tuple(self._reaches), tuple(self._plates), tuple(self._tracks))
        self._reaches.clear()
        self._plates.clear()
        self._tracks.clear()
        return traces

    def _hand(self, t_s: float, shopper: Shopper, hand: Hand) -> None:
        key = (shopper.index, hand.side)
        known = self._open.get(key)
        # Only a hand that somebody drives can be in a shelf; idle ones hang beside the body.
        found = self._place(shopper, hand) if hand.driven else None
        if known is None and found is not None:
            bay_id, board_id, u_m = found
            before = len(shopper.truth.actions)
            self._open[key] = _Open(bay_id, board_id, round(u_m, 4), t_s, before)
        elif known is not None and found is None:
            del self._open[key]
            after = len(shopper.truth.actions)
            mine = [
                place
                for place in range(known.actions_before, after)
                if shopper.truth.actions[place].hand == hand.side
            ]
            self._reaches.append(
                TrueReach(
                    shopper.index,
                    hand.side,
                    known.bay_id,
                    known.board_id,
                    known.u_m,
                    round(known.begin_s, 4),
                    round(t_s, 4),
                    tuple(mine),
                )
            )

    def _place(self, shopper: Shopper, hand: Hand) -> tuple[str, str, float] | None:
        x, y, z = shopper.to_world(hand.tip)
        for bay, cos, sin in self._bays:
            dx, dy = x - bay.origin_m[0], y - bay.origin_m[1]
            v_m = -(dx * cos + dy * sin)
            u_m = dy * cos - dx * sin
            if 0.0 < v_m < bay.depth_m and -0.05 < u_m < bay.width_m + 0.05 and z < bay.height_m:
                return bay.bay_id, _board_under(bay, z), u_m
        return None


def _board_under(bay: Bay, z_m: float) -> str:
    under = [board for board in bay.boards if board.z_m <= z_m + 0.02]
    return (under[-1] if under else bay.boards[0]).board_id
