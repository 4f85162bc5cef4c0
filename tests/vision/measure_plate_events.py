"""Measures weight events on simulated logs: `python -m tests.vision.measure_plate_events 9000`.

The number is the first seed. Prints the figures of docs/decisions/0006-weight-events-in-a-log.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np

from tests.vision.plate_logs import PlateStory, matched, plain_store, real_store, varied
from vision.plate_events import find_weight_events

RATES_HZ = (60.0, 20.0, 100.0, 10.0, 60.0)


def line(name: str, logs: Iterable[PlateStory]) -> str:
    """Precision, recall, and in how many logs everything was right and nothing false."""
    counts, exact, total = np.zeros(3, int), 0, 0
    for log in logs:
        report = find_weight_events(log.names, log.t, log.x.astype(np.float32))
        events = [(one.t_s, one.plates, one.weight_delta_g) for one in report.events]
        score = matched(log, events)
        counts += score
        exact += score[1:] == (0, 0)
        total += 1
    right, false, missed = counts.tolist()
    return (
        f"{name:28} {total:4} logs {right + missed:5} events"
        f"  precision {right / (right + false):.3f}  recall {right / (right + missed):.3f}"
        f"  exact logs {exact / total:.2f}"
    )


def main(first: int) -> None:
    """Prints all lines; takes about three minutes."""
    print(line("as described", (real_store(first + n) for n in range(100))))
    for noise in ("white", "tailed", "pink", "hum"):
        logs = (plain_store(first + n, noise, rate_hz=RATES_HZ[n % 5]) for n in range(25))
        print(line(f"plain, {noise} noise", logs))
    for name, steps in (("0 to 0.3", (0, 4)), ("0.4 to 0.7", (4, 7)), ("0.8 to 1", (7, 10))):
        seeds = [first + n for n in range(300) if n % 10 in range(*steps)]
        print(line(f"varied, hardness {name}", (varied(n, (n - first) % 10 / 9) for n in seeds)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
