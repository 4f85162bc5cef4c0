"""All that belongs to one bay in a node's core: its plates, its cameras, its reaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from contracts.geometry import Bay, Plate
from contracts.messages import OpenReach, ReachClosed, ReachOpened
from edge.sensors import SensorBoard
from edge.settings import NodeSettings
from hardware.ports import ScaleBatch
from vision.observations import PlateNews, ShelfObservation
from vision.plates import PlateWatch

__all__ = ["BayDesk", "ReachJoiner"]


class ReachJoiner(Protocol):
    """Joins hands and plates of one bay to reaches: vision.reaches.ReachBuilder does."""

    def step(
        self,
        now_s: float,
        observations: Sequence[ShelfObservation],
        plate_news: PlateNews | None,
        camera_on: bool,
        plates_on: bool,
    ) -> tuple[ReachOpened | ReachClosed, ...]:
        """Reaches that began or ended."""
        ...

    def open_reaches(self) -> tuple[OpenReach, ...]:
        """Reaches that have begun and not ended."""
        ...

    def unnamed_since_s(self) -> float | None:
        """When the earliest evidence began that waits to be told and has no reach yet."""
        ...


class BayDesk:
    """One bay's plates and what they last said, what covers its shelves, and its joiner."""

    def __init__(
        self, bay: Bay, plates: Sequence[Plate], joiner: ReachJoiner, settings: NodeSettings
    ) -> None:
        self.bay = bay
        self.joiner = joiner
        self.plates = tuple(plates)
        self.watch = PlateWatch(bay, self.plates, settings.plates) if self.plates else None
        self.news: PlateNews | None = None
        self.covered: dict[str, float | None] = {}

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return (
            not self.joiner.open_reaches()
            and self.joiner.unnamed_since_s() is None
            and (self.news is None or not self.news.moving)
            and all(since is None for since in self.covered.values())
        )

    def read_scales(self, batches: Sequence[ScaleBatch], board: SensorBoard) -> None:
        """Takes the bay's columns of what plates said, and notes on the board how they are."""
        if self.watch is None:
            return
        parts = [part for batch in batches if (part := self._columns(batch)) is not None]
        if parts:
            t_s = np.concatenate([part[0] for part in parts])
            grams = np.concatenate([part[1] for part in parts])
            self.news = self.watch.step(t_s, grams)
            bank = board.get("plate", self.bay.bay_id)
            everything_dead = len(self.news.dead) == len(self.plates)
            fault = "no plate of the bay gives readings" if everything_dead else None
            if bank is not None:
                bank.reading(float(t_s[-1]), fault)
            if not everything_dead:
                board.plates_dead(self.bay.bay_id, self.news.dead, self.news.t_s)
        elif self.news is not None and self.news.steps:
            # Steps are news once; what moves and what is dead stays true.
            last = self.news
            self.news = PlateNews(last.bay_id, last.t_s, (), last.moving, last.dead)

    def _columns(self, batch: ScaleBatch) -> tuple[Any, Any] | None:
        """The bay's columns of a batch, NaN for plates it lacks; None if it has none of them."""
        place = {plate_id: column for column, plate_id in enumerate(batch.plate_ids)}
        columns = [place.get(one.plate_id) for one in self.plates]
        if not len(batch.t_s) or all(column is None for column in columns):
            return None
        grams = np.full((len(batch.t_s), len(columns)), np.nan)
        for target, column in enumerate(columns):
            if column is not None:
                grams[:, target] = batch.grams[:, column]
        return batch.t_s, grams
