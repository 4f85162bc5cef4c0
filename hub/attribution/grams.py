"""How well the plates under a bay fit what may have moved there: totals, shares and centroids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contracts.messages import GramStep, ReachClosed
from hub.attribution.chances import boxed, normal, with_floor
from hub.attribution.settings import PlateTrust
from hub.attribution.stock import Layout, Place

__all__ = ["Grams", "Line"]

WRONG_WAY_P = 0.1
"""Share of totals without a model that also have the wrong sign."""
HALF, WHOLE_BESIDE_P = 0.6, 0.05
"""A plate beside a place bears at most about half of a piece that stands there; how often more."""


class Line(NamedTuple):
    """`quantity` > 0 pieces were taken from a place, < 0 put there."""

    gtin: str
    quantity: int
    place: int


class Grams:
    """The likelihoods of one reach's plates. `steps` gives by board each plate's middle, half
    width, variance and step; `null_total` is the log-likelihood of nothing having moved."""

    def __init__(self, layout: Layout, trust: PlateTrust, reach: ReachClosed) -> None:
        self._reach = reach
        self._layout = layout
        self._plates = trust
        bay = layout.bays[reach.bay_id]
        self._board_areas = bay.width_m * len(bay.boards)
        self.steps = self._by_board()
        self._null: dict[str, float] = {board: self._noise(board) for board in self.steps}
        self.null_total = sum(self._null.values())

    def _by_board(self) -> dict[str, list[tuple[float, float, float, GramStep]]]:
        """Board to (middle, half width, variance, step), the steps of a plate added up."""
        summed: dict[str, GramStep] = {}
        for step in self._reach.grams:
            plate = self._layout.plates.get(step.plate_id)
            if plate is None or plate.bay_id != self._reach.bay_id:
                continue
            known = summed.get(step.plate_id)
            if known is not None:
                step = step.model_copy(
                    update={
                        "delta_g": known.delta_g + step.delta_g,
                        "sd_g": math.hypot(known.sd_g, step.sd_g),
                        "t_start_s": min(known.t_start_s, step.t_start_s),
                        "t_end_s": max(known.t_end_s, step.t_end_s),
                    }
                )
            summed[step.plate_id] = step
        boards: dict[str, list[tuple[float, float, float, GramStep]]] = {}
        for plate_id in sorted(summed):
            plate, step = self._layout.plates[plate_id], summed[plate_id]
            middle_m = 0.5 * (plate.u0_m + plate.u1_m)
            half_m = 0.5 * (plate.u1_m - plate.u0_m)
            boards.setdefault(plate.board_id, []).append((middle_m, half_m, step.sd_g**2, step))
        return boards

    def of_grams(self, lines: Sequence[Line]) -> float:
        """Log-likelihood of all plates of the bay."""
        moved: dict[str, list[Line]] = {}
        for line in lines:
            moved.setdefault(self._layout.places[line.place].board_id, []).append(line)
        total = self.null_total
        for board, board_lines in moved.items():
            total += self._of_board(board, board_lines) - self._null.get(board, 0.0)
        return total

    def _noise(self, board: str) -> float:
        """A board on which nothing moved: wobble, echoes and stray steps."""
        steps = self.steps[board]
        largest_g = max(abs(step.delta_g) for _, _, _, step in steps)
        return sum(self._stray(step.delta_g, variance, largest_g) for _, _, variance, step in steps)

    def _stray(self, delta_g: float, variance: float, largest_g: float) -> float:
        trust = self._plates
        spread = variance + trust.wobble_sd_g**2 + (trust.echo_share * largest_g) ** 2
        return with_floor(normal(delta_g, spread), trust.stray_p, trust.flat_per_g)

    def _of_board(self, board: str, lines: Sequence[Line]) -> float:
        if (self._reach.bay_id, board) not in self._layout.weighed:
            return 0.0
        steps = self.steps.get(board, [])
        if not (steps or self._reach.plates_ok):
            return 0.0
        groups: dict[int, list[Line]] = {}
        for line in lines:
            groups.setdefault(line.place, []).append(line)
        bearing: dict[int, list[tuple[float, float, GramStep]]] = {place: [] for place in groups}
        largest_g = max((abs(step.delta_g) for _, _, _, step in steps), default=0.0)
        total = 0.0
        for middle_m, half_m, variance, step in steps:
            place = self._bearer(middle_m, half_m, groups)
            if place is None:
                total += self._stray(step.delta_g, variance, largest_g)
            else:
                bearing[place].append((middle_m, variance, step))
        for index, group in groups.items():
            total += self._of_group(self._layout.places[index], group, bearing[index])
        return total

    def _bearer(self, middle_m: float, half_m: float, groups: dict[int, list[Line]]) -> int | None:
        """The place, of those in question, that a plate bears at least a part of."""
        best: int | None = None
        best_m = half_m + 0.01
        for index in groups:
            place = self._layout.places[index]
            away_m = max(place.u0_m - middle_m, middle_m - place.u1_m, 0.0)
            if away_m < best_m:
                best, best_m = index, away_m
        return best

    def _of_group(
        self, place: Place, lines: Sequence[Line], steps: list[tuple[float, float, GramStep]]
    ) -> float:
        """Total, shares and centroid of the plates that bear one place."""
        trust = self._plates
        expected_g, variance = 0.0, trust.base_sd_g**2
        for line in lines:
            article = self._layout.articles[line.gtin]
            expected_g -= line.quantity * article.weight_g
            variance += abs(line.quantity) * article.weight_sd_g**2
        moved_g = sum(
            abs(line.quantity) * self._layout.articles[line.gtin].weight_g for line in lines
        )
        variance += (trust.cross_talk_share * moved_g) ** 2
        expected_g *= 1.0 + trust.echo_bias_share
        if not steps:
            return self._unnoticed(expected_g)
        outlier_p = trust.outlier_p if self._reach.plates_ok else trust.outlier_partial_p
        found_g = sum(step.delta_g for _, _, step in steps)
        variance += sum(own for _, own, _ in steps)
        if found_g * expected_g < 0.0:
            outlier_p *= WRONG_WAY_P
        total = with_floor(normal(found_g - expected_g, variance), outlier_p, trust.flat_per_g)
        beside = [not place.u0_m <= middle_m <= place.u1_m for middle_m, _, _ in steps]
        largest_g = max(abs(step.delta_g) for _, _, step in steps)
        least_g = trust.active_share * largest_g
        main = max(
            range(len(steps)),
            key=lambda i: (
                not beside[i] and abs(steps[i][2].delta_g) >= least_g,
                abs(steps[i][2].delta_g),
            ),
        )
        shared = 1.0 / (abs(found_g) + 50.0)
        one_g = max(self._layout.articles[line.gtin].weight_g for line in lines)
        for index, (_, own, step) in enumerate(steps):
            if index != main:
                echo = own + trust.wobble_sd_g**2 + (trust.echo_share * largest_g) ** 2
                share_p = trust.share_p
                if beside[index] and abs(step.delta_g) > HALF * one_g:
                    share_p *= WHOLE_BESIDE_P
                total += with_floor(normal(step.delta_g, echo), share_p, shared)
        return total + self._of_centroid(place, steps, largest_g)

    def _of_centroid(
        self, place: Place, steps: list[tuple[float, float, GramStep]], largest_g: float
    ) -> float:
        trust = self._plates
        centre_m, weight = self._centre([(u, abs(s.delta_g)) for u, _, s in steps], largest_g)
        if weight <= 0.0:
            return 0.0
        noise_m = 0.25 * math.sqrt(sum(own for _, own, _ in steps)) / weight
        density = boxed(centre_m, place.u0_m, place.u1_m, math.hypot(trust.place_sd_m, noise_m))
        return with_floor(density * self._board_areas, trust.place_outlier_p, 1.0)

    def _unnoticed(self, expected_g: float) -> float:
        """A place that was to change weight, and no plate says so."""
        trust = self._plates
        if not self._reach.plates_ok:
            return 0.0
        hidden = math.exp(-((expected_g / trust.least_g) ** 2))
        return math.log(trust.miss_p + (1.0 - trust.miss_p) * hidden)

    def _centre(
        self, moved: Sequence[tuple[float, float]], largest_g: float
    ) -> tuple[float, float]:
        """Centroid and sum of the (place, grams) that are no echo of the largest."""
        heavy = [(u_m, g) for u_m, g in moved if g >= self._plates.active_share * largest_g]
        total_g = sum(g for _, g in heavy)
        return (sum(u_m * g for u_m, g in heavy) / total_g if total_g else 0.0), total_g

    def _bearing(self, place: Place) -> Iterator[tuple[float, float]]:
        """(place, grams) of the plates that bear a place, or a part of it."""
        for u_m, half_m, _, step in self.steps.get(place.board_id, ()):
            if place.u0_m - half_m < u_m < place.u1_m + half_m:
                yield u_m, step.delta_g

    def step_total_g(self, place: Place) -> float:
        """What the plates that bear a place say in all, for the reader's sake."""
        return sum(delta_g for _, delta_g in self._bearing(place))

    def centre_m(self, place: Place, quantity: int) -> float | None:
        """Where along the bay the plates that bear a place say that pieces left (`quantity` > 0)
        or came; None if none of them does."""
        moved = [(u_m, abs(g)) for u_m, g in self._bearing(place) if g * quantity < 0.0]
        centre_m, total_g = self._centre(moved, max((g for _, g in moved), default=0.0))
        return centre_m if total_g > self._plates.least_g else None

    def own_g(self, place: Place) -> float:
        """What the plates say whose middle bears a place; 0 where that is an echo or a wobble."""
        steps = self.steps.get(place.board_id, ())
        largest_g = max((abs(step.delta_g) for _, _, _, step in steps), default=0.0)
        total_g = sum(step.delta_g for u_m, _, _, step in steps if place.u0_m <= u_m <= place.u1_m)
        least_g = max(self._plates.least_g, self._plates.active_share * largest_g)
        return total_g if abs(total_g) >= least_g else 0.0

    def weighed_places(self) -> int:
        """How many places saw a step that is no echo and no wobble."""
        found = set()
        for board, steps in self.steps.items():
            largest_g = max(abs(step.delta_g) for _, _, _, step in steps)
            for u_m, _, _, step in steps:
                if abs(step.delta_g) < max(
                    3.0 * step.sd_g, self._plates.least_g, self._plates.active_share * largest_g
                ):
                    continue
                place = self._layout.nearest(self._reach.bay_id, board, u_m)
                if place is not None:
                    found.add(place.index)
        return len(found)
