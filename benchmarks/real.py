"""Detectors trained only on the simulator's pictures, on real footage: how believable these are.

    python -m benchmarks.real ../shared/realdata/video --json real.json

Presence on the clip of people who walk in one by one: of the seconds in which somebody is there,
the share in which a detector sees a person, and how often a minute it sees one where nobody is.
Hands on the clip of the bottle: the same for hands and arms at the shelf. Seconds nearer to a
change than the truth's tolerance are left out. No shelf or camera geometry is used, no tracking,
no motion: single frames through the shipped networks, at the scores the nodes use.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware.cameras.file import read_video
from models.detector import Detector
from models.manifest import load_manifest
from vision.shelf import ShelfSettings

__all__ = ["measure_hands", "measure_presence"]

PERSON = "one-by-one-person-detection"
BOTTLE = "bottle-shelf-15s"
TOLERANCE_S = {PERSON: 2.0, BOTTLE: 0.5}
WINDOW_S = 1.0
PERSON_CLASSES = ("person", "head", "arm")
"""What detectors know of people: the one for shelves has no person, the other no arm."""
HAND_CLASSES = ("hand", "arm", "held")
Spans = Sequence[tuple[float, float]]


def _scores(path: Path, model: str, classes: Sequence[str]) -> tuple[Any, Any, float]:
    """Times (N,), the best score of these classes in each frame (N,), and CPU seconds."""
    detector = Detector(model)
    wanted = {k for k, name in enumerate(detector.manifest.classes) if name in classes}
    times, best = [], []
    began_s = time.process_time()
    for t_s, rgb in read_video(path):
        raw = detector.detect(rgb, 0.05)
        found = [
            float(score)
            for score, kind in zip(raw.scores, raw.classes, strict=True)
            if int(kind) in wanted
        ]
        times.append(t_s)
        best.append(max(found, default=0.0))
    return np.array(times), np.array(best), time.process_time() - began_s


def _within(t_s: NDArray[np.float64], spans: Spans, margin_s: float) -> NDArray[np.bool_]:
    inside = np.zeros(len(t_s), bool)
    for begin_s, end_s in spans:
        inside |= (t_s >= begin_s + margin_s) & (t_s <= end_s - margin_s)
    return inside


def _gaps(spans: Spans, end_s: float) -> list[tuple[float, float]]:
    edges = [0.0, *(edge for span in spans for edge in span), end_s]
    return [(edges[k], edges[k + 1]) for k in range(0, len(edges), 2)]


def _judge(
    times: NDArray[np.float64], seen: NDArray[np.bool_], there: Spans, nobody: Spans, off_s: float
) -> dict[str, Any]:
    """Shares of windows; a window counts as seen when half of its frames are."""
    window = np.floor(times / WINDOW_S).astype(int)
    starts = np.unique(window)
    middle = (starts + 0.5) * WINDOW_S
    share = np.array([seen[window == k].mean() for k in starts])
    shown = share >= 0.5
    inside, outside = _within(middle, there, off_s), _within(middle, nobody, off_s)
    false = shown & outside
    episodes = int(np.sum(false & ~np.concatenate(([False], false[:-1]))))
    minutes = max(1e-9, outside.sum() * WINDOW_S / 60.0)
    return {
        "recall": round(float(shown[inside].mean()), 3) if inside.any() else None,
        "windows": int(inside.sum()),
        "false_per_min": round(episodes / minutes, 2),
        "empty_windows": int(outside.sum()),
    }


def measure_presence(folder: Path) -> dict[str, Any]:
    """People on the one-by-one clip, for each detector that knows heads."""
    truth = json.loads((folder / f"{PERSON}.truth.json").read_text(encoding="utf-8"))
    there = [(float(a), float(b)) for a, b in truth["present_s"]]
    result = {}
    for model, least in (("ceiling", 0.3), ("shelf", ShelfSettings().head_score_min)):
        times, best, cpu_s = _scores(folder / f"{PERSON}.mp4", model, PERSON_CLASSES)
        nobody = _gaps(there, float(times[-1]))
        result[model] = {
            **_judge(times, best >= least, there, nobody, TOLERANCE_S[PERSON]),
            "score_min": least,
            "frames": len(times),
            "cpu_s": round(cpu_s, 1),
            "sha256": load_manifest(model).sha256[:16],
        }
    return result


def measure_hands(folder: Path) -> dict[str, Any]:
    """Hands on the bottle clip, by the shelf detector."""
    truth = json.loads((folder / f"{BOTTLE}.truth.json").read_text(encoding="utf-8"))
    nobody = [(float(a), float(b)) for a, b, _ in truth["count_when_no_hand"]]
    there = [(float(event["t"]) - 1.0, float(event["t"]) + 1.0) for event in truth["events"]]
    least = ShelfSettings().hand_score_min
    times, best, cpu_s = _scores(folder / f"{BOTTLE}.mp4", "shelf", HAND_CLASSES)
    return {
        "shelf": {
            **_judge(times, best >= least, there, nobody, TOLERANCE_S[BOTTLE]),
            "score_min": least,
            "frames": len(times),
            "cpu_s": round(cpu_s, 1),
            "sha256": load_manifest("shelf").sha256[:16],
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = {
        "presence": measure_presence(arguments.folder),
        "hands": measure_hands(arguments.folder),
    }
    text = json.dumps(result, indent=1)
    sys.stdout.write(text + "\n")
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
