"""A measured figure beside its limit."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

__all__ = ["Figure", "machine", "of_samples"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `limit` is an upper bound, or a lower one where `at_least`; `ratio` is to
    `ratio_to`, measured in the same run; `n` is how many samples stand behind `value`."""

    name: str
    value: float
    unit: str
    n: int
    limit: float | None = None
    at_least: bool = False
    p95: float | None = None
    mean: float | None = None
    ratio: float | None = None
    ratio_to: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def of_samples(
    name: str,
    samples: Sequence[float],
    unit: str,
    *,
    limit: float | None = None,
    bare: float | None = None,
    ratio_to: str = "",
) -> Figure:
    """The median of samples with their spread; ValueError if there are none."""
    if not samples:
        raise ValueError(f"expected samples of {name}, got none; measure for longer")
    ordered = sorted(samples)
    value = median(ordered)
    return Figure(
        name=name,
        value=value,
        unit=unit,
        n=len(ordered),
        limit=limit,
        p95=ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        mean=sum(ordered) / len(ordered),
        ratio=None if bare is None else value / bare,
        ratio_to=ratio_to,
    )


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "system": platform.system(),
        "load_1min": round(os.getloadavg()[0], 1),
    }
