"""What the shelf looked like when it was last seen clearly, and where it looks different now.

The sheet is cut into cells of one board's height. A cell is judged only when nothing covers it and
nothing moves in it for some frames; it then either agrees with the memory, or belongs to a stretch
that has changed. A stretch is told once all of it and its neighbours are clear, so that half an arm
is never half a change, and once it has stayed different for a while, so that an arm that nobody
detected is none either. Comparison forgives gain and offset (light), a pixel of shift (shake), and
what correlates well with the memory (shadows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from vision.sheet import STEP_U_M, Sheet

__all__ = ["MemorySettings", "ShelfMemory", "Stretch"]

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


class MemorySettings(Contract):
    """Grey levels are those of 8-bit pictures; shares are of a cell's places."""

    cell_m: Annotated[float, Field(ge=0.01, le=0.1, description="width of a cell")] = 0.02
    clear_frames: Annotated[int, Field(ge=1, le=60, description="clear so long to judge")] = 4
    hold_frames: Annotated[
        int, Field(ge=1, le=300, description="different so long to be a change: arms go sooner")
    ] = 12
    motion_levels: Annotated[float, Field(gt=0, le=255, description="between frames")] = 11.0
    motion_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    covered_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    changed_levels: Annotated[float, Field(gt=0, le=255, description="against memory")] = 13.0
    changed_share: Annotated[float, Field(gt=0, le=1)] = 0.06
    alike_correlation: Annotated[
        float, Field(gt=0, le=1, description="a stretch that correlates so well is the same")
    ] = 0.9
    stretch_m_min: Annotated[float, Field(gt=0, le=0.5, description="narrower is noise")] = 0.03
    gap_cells: Annotated[int, Field(ge=0, le=10, description="holes within a stretch")] = 1
    margin_cells: Annotated[int, Field(ge=0, le=10, description="must be clear around it")] = 2
    follow: Annotated[float, Field(ge=0, le=1, description="memory follows the light")] = 0.04


@dataclass(frozen=True, slots=True)
class Stretch:
    """A changed stretch of one board: sheet columns [c0, c1) and rows [r0, r1) of what changed,
    `board` its index, between `t_before_s` and `t_after_s`; `share` of its places changed."""

    board: int
    c0: int
    c1: int
    r0: int
    r1: int
    t_before_s: float
    t_after_s: float
    share: float

    @property
    def u0_m(self) -> float:
        """Left end on the front plane."""
        return self.c0 * STEP_U_M

    @property
    def u1_m(self) -> float:
        """Right end on the front plane."""
        return self.c1 * STEP_U_M


class ShelfMemory:
    """The memory of one camera's sheet. Feed it every sheet that is looked at, in time."""

    def __init__(self, sheet: Sheet, settings: MemorySettings | None = None) -> None:
        self._sheet = sheet
        self._set = settings or MemorySettings()
        self._step = max(1, round(self._set.cell_m / STEP_U_M))
        self._starts = np.arange(0, sheet.columns, self._step)
        boards = len(sheet.strips)
        self._tops = np.array([strip[0] for strip in reversed(sheet.strips)])
        self._counts = self._cells_of(sheet.seen.astype(np.float32))
        self._clear = np.zeros((boards, len(self._starts)), np.int32)
        self._differs = np.zeros((boards, len(self._starts)), np.int32)
        self._confirmed_s = np.full((boards, len(self._starts)), -np.inf)
        self._memory: Grey | None = None
        self._last: Grey | None = None
        self._usable = self._counts > 0

    @property
    def memory(self) -> Grey | None:
        """The sheet as remembered, None before the first look."""
        return self._memory

    def restore(self, memory: Grey) -> None:
        """Takes up a remembered sheet, as after a restart; nothing is confirmed yet."""
        if memory.shape == (self._sheet.rows, self._sheet.columns):
            self._memory = memory.astype(np.float32).copy()

    def unconfirmed_since_s(self, now_s: float) -> float | None:
        """Since when some cell has not been confirmed; None if all are."""
        open_cells = self._usable & (self._confirmed_s < now_s)
        if self._memory is None or not open_cells.any():
            return None
        oldest = float(self._confirmed_s[open_cells].min())
        return None if oldest == -np.inf else oldest

    def look(self, t_s: float, flat: Grey, covered: Mask) -> list[Stretch]:
        """Judges what can be judged in this sheet; stretches that are found changed."""
        if self._memory is None:
            self._memory = flat.copy()
        last = self._last if self._last is not None else flat
        moved = cv2.absdiff(flat, last) > self._set.motion_levels
        self._last = flat
        unclear = (self._share(moved) > self._set.motion_share) | (
            self._share(covered) > self._set.covered_share
        )
        self._clear = np.where(unclear, 0, self._clear + 1)
        self._differs[unclear] = 0
        clear = (self._clear >= self._set.clear_frames) & self._usable
        if not clear.any():
            return []
        different = self._different(flat, clear)
        share = self._share(different)
        changed = clear & (share > self._set.changed_share)
        same = clear & ~changed
        self._differs[same] = 0
        self._differs[changed] += 1
        self._confirmed_s[same] = t_s
        found = self._stretches(t_s, flat, different, changed, clear)
        self._follow(flat, same)
        return found

    def accept(self, stretch: Stretch, flat: Grey, t_s: float) -> None:
        """The change is told: from now on the shelf is remembered as it is."""
        self._copy(stretch, flat)
        self._confirm(stretch, t_s)

    def still(self, t_s: float) -> None:
        """Nothing has moved since the last look: what it confirmed is confirmed until now."""
        newest = float(self._confirmed_s.max())
        if np.isfinite(newest):
            self._confirmed_s[self._confirmed_s >= newest] = t_s

    # ------------------------------------------------------------ comparing

    def _different(self, flat: Grey, clear: Mask) -> Mask:
        """Places that differ from the memory by more than light, shake and noise explain."""
        if self._memory is None:
            raise RuntimeError("expected a memory; look() makes one first")
        gain, offset = self._light(flat, clear)
        expected = self._memory * gain + offset
        kernel = np.ones((3, 3), np.uint8)
        above = flat - cv2.dilate(expected, kernel)
        below = cv2.erode(expected, kernel) - flat
        beyond = np.maximum(above, below) > self._set.changed_levels
        different: Mask = beyond & self._sheet.seen
        return different

    def _light(self, flat: Grey, clear: Mask) -> tuple[float, float]:
        """Gain and offset from memory to now: a least-squares line, twice, without outliers."""
        if self._memory is None:
            return 1.0, 0.0
        mask = self._spread(clear) & self._sheet.seen
        x = self._memory[mask][::7]
        y = flat[mask][::7]
        if len(x) < 50:
            return 1.0, 0.0
        keep = np.ones(len(x), np.bool_)
        gain, offset = 1.0, float(np.median(y - x))
        for _ in range(2):
            keep = np.abs(y - gain * x - offset) < 25.0
            if keep.sum() < 50 or float(x[keep].std()) < 5.0:
                break
            deviation = x[keep] - x[keep].mean()
            gain = float((deviation * y[keep]).sum() / (deviation**2).sum())
            gain = min(1.6, max(0.6, gain))
            offset = float(y[keep].mean() - gain * x[keep].mean())
        return gain, offset

    def _stretches(
        self, t_s: float, flat: Grey, different: Mask, changed: Mask, clear: Mask
    ) -> list[Stretch]:
        found = []
        for row in range(changed.shape[0]):
            for c0, c1 in self._runs(changed[row]):
                lo = max(0, c0 - self._set.margin_cells)
                hi = min(changed.shape[1], c1 + self._set.margin_cells)
                if not clear[row, lo:hi][self._usable[row, lo:hi]].all():
                    continue
                stretch = self._measure(t_s, row, c0, c1, different)
                if stretch is None or self._alike(stretch, flat):
                    self._forgive(row, c0, c1, flat, t_s)
                elif self._differs[row, c0:c1].max() >= self._set.hold_frames:
                    found.append(stretch)
        return found

    def _runs(self, cells: Mask) -> list[tuple[int, int]]:
        """Runs [c0, c1) of changed cells, holes of `gap_cells` closed."""
        runs: list[tuple[int, int]] = []
        for index in np.flatnonzero(cells):
            if runs and index - runs[-1][1] <= self._set.gap_cells:
                runs[-1] = (runs[-1][0], int(index) + 1)
            else:
                runs.append((int(index), int(index) + 1))
        return runs

    def _measure(self, t_s: float, row: int, c0: int, c1: int, different: Mask) -> Stretch | None:
        """The tight box of what changed in a run of cells; None if it is too narrow."""
        board = changed_board(row, len(self._tops))
        top, bottom = self._sheet.strips[board]
        left, right = c0 * self._step, min(self._sheet.columns, c1 * self._step)
        part = different[top:bottom, left:right]
        columns = np.flatnonzero(part.mean(axis=0) > 0.5 * self._set.changed_share)
        if len(columns) == 0:
            return None
        first, last = int(columns[0]), int(columns[-1]) + 1
        if (last - first) * STEP_U_M < self._set.stretch_m_min:
            return None
        rows = np.flatnonzero(part[:, first:last].any(axis=1))
        before = float(self._confirmed_s[row, c0:c1].min())
        return Stretch(
            board=board,
            c0=left + first,
            c1=left + last,
            r0=top + int(rows[0]),
            r1=top + int(rows[-1]) + 1,
            t_before_s=t_s if before == -np.inf else before,
            t_after_s=t_s,
            share=float(part[:, first:last].mean()),
        )

    def _alike(self, stretch: Stretch, flat: Grey) -> bool:
        """Whether memory and sight correlate so well that only light can differ."""
        if self._memory is None:
            return False
        view = np.s_[stretch.r0 : stretch.r1, stretch.c0 : stretch.c1]
        a = self._memory[view] - self._memory[view].mean()
        b = flat[view] - flat[view].mean()
        scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
        flat_levels = 3.0 * np.sqrt(a.size)
        if min(float(np.linalg.norm(a)), float(np.linalg.norm(b))) < flat_levels:
            return False
        return float((a * b).sum()) > self._set.alike_correlation * scale

    # ------------------------------------------------------------ remembering

    def _follow(self, flat: Grey, same: Mask) -> None:
        if self._memory is None or self._set.follow == 0:
            return
        weight = self._spread(same).astype(np.float32) * np.float32(self._set.follow)
        self._memory += weight * (flat - self._memory)

    def _forgive(self, row: int, c0: int, c1: int, flat: Grey, t_s: float) -> None:
        """A difference that is no change (noise, light): remember the new look."""
        board = changed_board(row, len(self._tops))
        top, bottom = self._sheet.strips[board]
        left, right = c0 * self._step, min(self._sheet.columns, c1 * self._step)
        if self._memory is not None:
            self._memory[top:bottom, left:right] = flat[top:bottom, left:right]
        self._confirmed_s[row, c0:c1] = t_s

    def _copy(self, stretch: Stretch, flat: Grey) -> None:
        top, bottom = self._sheet.strips[stretch.board]
        margin = self._step
        left, right = max(0, stretch.c0 - margin), stretch.c1 + margin
        if self._memory is not None:
            self._memory[top:bottom, left:right] = flat[top:bottom, left:right]

    def _confirm(self, stretch: Stretch, t_s: float) -> None:
        row = len(self._tops) - 1 - stretch.board
        c0, c1 = stretch.c0 // self._step, -(-stretch.c1 // self._step)
        self._confirmed_s[row, c0:c1] = t_s

    # ------------------------------------------------------------ cells

    def _cells_of(self, values: Grey) -> Grey:
        """Sums over cells (boards from the top, columns)."""
        by_board = np.add.reduceat(values, self._tops, axis=0)
        cells: Grey = np.add.reduceat(by_board, self._starts, axis=1)
        return cells

    def _share(self, mask: Mask) -> Grey:
        sums = self._cells_of((mask & self._sheet.seen).astype(np.float32))
        return np.asarray(sums / np.maximum(self._counts, 1.0), np.float32)

    def _spread(self, cells: Mask) -> Mask:
        """A mask of cells as a mask of places."""
        lengths = np.diff(np.append(self._tops, self._sheet.rows))
        widths = np.diff(np.append(self._starts, self._sheet.columns))
        rows = np.repeat(cells, lengths, axis=0)
        places: Mask = np.repeat(rows, widths, axis=1)
        return places


def changed_board(row: int, boards: int) -> int:
    """Board index (from the lowest) of a row of cells (from the top)."""
    return boards - 1 - row
