"""Labels located and read in the single frame: engines alone, any of them, and ours.

    python -m benchmarks.labels --json labels.json
    python -m benchmarks.labels --only scenes --seeds 20
    python -m benchmarks.labels --only walls --wall-seeds 5

On photos made by nobody here (../shared/realdata/barcodes; left out, said aloud, where absent):
share read and misread by kind of code, both halves of the list apart, as only its even lines were
looked at while building. On drawn labels (benchmarks.label_scenes): by pixels a module and by what
makes them hard. On simulated walls (benchmarks.wall_labels): within a second of video as well. A
misread is a text that no code of the picture has; other codes that these photos are known to show,
too, are named in OTHER_CODES.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure
from benchmarks.label_scenes import KINDS, LabelView, draw_scene
from benchmarks.wall_labels import measure_walls, read_row
from sortie.photos import read_picture
from vision.labels import CodeReader, missing_engines, read_codes
from vision.labels.code import FORMATS, WALL_FORMATS, frame_gray
from vision.labels.engines import read_zbar, read_zxing

__all__ = ["figures", "measure_photos", "measure_scenes"]

PHOTOS = Path(__file__).resolve().parents[2] / "shared/realdata/barcodes"
SOURCES = {"zxing": "zxing-cpp", "zbar": "pyzbar", "cv2": "OpenCV QR", "any": "any of them",
           "ours": "ours"}  # fmt: skip
OTHER_CODES = frozenset(
    ("1920081045006", "9784872348880", "001EC947D49B", "001EC9476B0A",
     "01900622015081461321111231020008972135724869")
)  # fmt: skip
"""Second codes of photos whose truth names one; the last one's truth is empty."""
MODULE_PX = (1.8, 2.0, 2.6, 3.2, 4.0)
HARD: dict[str, dict[str, float]] = {
    "plain": {}, "turned": {}, "slanted": {"slant_deg": 40.0}, "blurred": {"blur_px": 1.0},
    "glare": {"glare": 0.5}, "dim": {"contrast": 0.25}, "half hidden": {"hidden": 0.5},
}  # fmt: skip
"""What makes a drawn label hard; turned and slanted ones lie every way from 0 to 90 degrees."""
READABLE_MIN = 0.99
PHOTOS_MIN = 0.80
FRAME_PX = (1920, 1080)
FRAME_LABELS = 24
FRAME_REPEATS = 5

Gray = NDArray[np.uint8]
Texts = set[str]


def _opencv(gray: Gray) -> Texts:
    found, texts, _, _ = cv2.QRCodeDetector().detectAndDecodeMulti(gray)
    return {text for text in texts if text} if found else set()


def _sides(formats: tuple[str, ...], ours: Callable[[Gray], Texts]) -> dict[str, Any]:
    return {
        "zxing": lambda gray: {one.text for one in read_zxing(gray, formats)},
        "zbar": lambda gray: {one.text for one in read_zbar(gray, formats)},
        "cv2": _opencv,
        "ours": ours,
    }


class _Tally:
    """Read, misread and CPU time of each source over pictures of one kind."""

    def __init__(self) -> None:
        self.count = 0
        self.read: Counter[str] = Counter()
        self.misread: Counter[str] = Counter()
        self.cpu_s: defaultdict[str, float] = defaultdict(float)

    def look(self, gray: Gray, sides: dict[str, Any], right: Texts, known: Iterable[str]) -> None:
        """One picture by every source."""
        self.count += 1
        found: dict[str, Texts] = {}
        for name, read in sides.items():
            began_s = time.process_time()
            found[name] = read(gray)
            self.cpu_s[name] += time.process_time() - began_s
        found["any"] = found["zxing"] | found["zbar"] | found["cv2"]
        allowed = right | set(known)
        for name, texts in found.items():
            self.read[name] += bool(texts & right)
            self.misread[name] += bool(texts - allowed)

    def add(self, other: _Tally) -> None:
        """Takes another's pictures in."""
        self.count += other.count
        self.read.update(other.read)
        self.misread.update(other.misread)
        for name, spent_s in other.cpu_s.items():
            self.cpu_s[name] += spent_s

    def document(self) -> dict[str, Any]:
        """For each source the share read with its Wilson interval, misreads, ms a picture."""
        return {
            "n": self.count,
            **{
                name: {
                    **read_row(self.read[name], self.count, self.misread[name]),
                    "cpu_ms": round(1e3 * self.cpu_s[name] / max(1, self.count), 1),
                }
                for name in SOURCES
            },
        }


def _right(row: dict[str, str]) -> Texts:
    """The texts that count: UPC-A as its EAN-13 as well, UPC-E as its UPC-A's EAN-13 as well."""
    from vision.labels.bars import upc_e_expanded

    text = row["text"]
    kind = row["format"].replace("_", "")
    if kind == "upca":
        return {text, f"0{text}"}
    if kind == "upce":
        return {text, f"0{upc_e_expanded(text)}"}
    return {text}


def measure_photos(folder: Path = PHOTOS, *, every: int = 1) -> dict[str, Any] | None:
    """By kind of code, in all and in both halves; None where the photos are absent."""
    listing = folder / "ground_truth.csv"
    if not listing.is_file():
        sys.stderr.write(f"no photos in {folder}: real labels are left out\n")
        return None
    with listing.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[::every]
    sides = _sides(FORMATS, lambda gray: {one.text for one in read_codes(gray)})
    kinds: dict[str, _Tally] = defaultdict(_Tally)
    halves = {"even": _Tally(), "odd": _Tally()}
    for number, row in enumerate(rows):
        gray = frame_gray(read_picture(folder / row["file"]))
        one = _Tally()
        one.look(gray, sides, _right(row), OTHER_CODES)
        kinds[row["format"].replace("_", "")].add(one)
        halves["odd" if number * every % 2 else "even"].add(one)
    total = _Tally()
    for tally in kinds.values():
        total.add(tally)
    return {
        "all": total.document(),
        "halves": {name: tally.document() for name, tally in halves.items()},
        "kinds": {name: kinds[name].document() for name in sorted(kinds)},
    }


def _views(kind: str, module_px: float, hard: str, seed: int) -> LabelView:
    turn = (37.0 * seed) % 91.0 if hard in ("turned", "slanted") else 0.0
    return LabelView(kind, module_px, turn_deg=turn, **HARD[hard])


def measure_scenes(
    *, seeds: Sequence[int] = range(5000, 5020), module_px: Sequence[float] = MODULE_PX
) -> dict[str, Any]:
    """Drawn labels by pixels a module, kind and what makes them hard; the quick reader is ours."""
    reader = CodeReader()
    sides = _sides(WALL_FORMATS, lambda gray: {one.text for one in reader.read(gray)})
    result: dict[str, Any] = {}
    for px in module_px:
        for kind in KINDS:
            for hard in HARD:
                tally = _Tally()
                for seed in seeds:
                    scene = draw_scene(_views(kind, px, hard, seed), seed)
                    tally.look(scene.gray, sides, {scene.text}, ())
                result.setdefault(f"{px:g}", {}).setdefault(kind, {})[hard] = tally.document()
    return result


def crowded_frame(seed: int = 5000) -> tuple[Gray, Texts]:
    """A full-HD frame with FRAME_LABELS labels of all kinds, turned every way, and their texts."""
    rng = np.random.default_rng(seed)
    wide, high = FRAME_PX
    frame = rng.normal(140, 3, (high, wide)).clip(0, 255).astype(np.uint8)
    texts: Texts = set()
    x = y = row = 0
    for number in range(4 * FRAME_LABELS):
        kind = list(KINDS)[number % 3]
        px = 2.0 if kind == "code128" else 2.6
        turn = float(rng.uniform(0, 90))
        scene = draw_scene(LabelView(kind, px, turn_deg=turn, slant_deg=20.0), seed + number)
        tall, long = scene.gray.shape
        if x + long > wide:
            x, y, row = 0, y + row, 0
        if y + tall > high or len(texts) == FRAME_LABELS:
            continue
        frame[y : y + tall, x : x + long] = scene.gray
        texts.add(scene.text)
        x, row = x + long, max(row, tall)
    return frame, texts


def measure_frame() -> dict[str, Any]:
    """What a crowded full-HD frame costs the quick reader: CPU ms, median of some."""
    frame, texts = crowded_frame()
    reader = CodeReader()
    spent_ms, found = [], set()
    for _ in range(FRAME_REPEATS):
        began_s = time.process_time()
        found = {one.text for one in reader.read(frame)}
        spent_ms.append(1e3 * (time.process_time() - began_s))
    return {
        "labels": len(texts),
        "read": len(texts & found),
        "misread": len(found - texts),
        "cpu_ms": round(sorted(spent_ms)[len(spent_ms) // 2], 1),
    }


def figures() -> Iterator[Figure]:
    """For `sortie bench`: the photos, and what can be read in the single frame from 2.6 px on."""
    photos = measure_photos()
    if photos is not None:
        ours, others = photos["all"]["ours"], photos["all"]["any"]
        count = photos["all"]["n"]
        yield Figure(
            "labels: photos read", ours["share"], "share", count, limit=PHOTOS_MIN, at_least=True,
            ratio=ours["share"] / others["share"], ratio_to="any engine",
        )  # fmt: skip
        yield Figure("labels: photos misread", ours["misread"], "", count, limit=0.0)
        yield Figure("labels: CPU of a photo", ours["cpu_ms"], "ms", count)
    scenes = measure_scenes(seeds=range(5000, 5010), module_px=(2.6,))
    for kind, found in scenes["2.6"].items():
        seen = [one for hard, one in found.items() if hard != "half hidden"]
        count = sum(one["n"] for one in seen)
        share = sum(one["ours"]["read"] for one in seen) / count
        name = f"labels: {kind} at 2.6 px a module, one frame"
        yield Figure(name, share, "share", count, limit=READABLE_MIN, at_least=True)
    walls = [one["second"] for one in measure_walls(seeds=(5000,)).values()]
    count = sum(one["labels"] for one in walls)
    share = sum(one["node"]["read"] for one in walls) / count
    yield Figure("labels: on walls, within a second", share, "share", count, limit=READABLE_MIN,
                 at_least=True)  # fmt: skip
    wrong = sum(one["node"]["misread"] for one in walls)
    yield Figure("labels: on walls, misread", wrong, "", count, limit=0.0)
    frame = measure_frame()
    yield Figure("labels: CPU of a frame with 24 labels", frame["cpu_ms"], "ms", FRAME_REPEATS)


def _row(name: str, found: dict[str, Any]) -> str:
    cells = [f"{name[:28]:28s} n {found['n']:4d}"]
    for source, words in SOURCES.items():
        one = found[source]
        low, high = one["interval"]
        cells.append(
            f"{words} {100 * one['share']:5.1f} % [{100 * low:.0f}-{100 * high:.0f}] "
            f"misread {one['misread']}, {one['cpu_ms']:.0f} ms"
        )
    return " | ".join(cells)


def _print(result: dict[str, Any]) -> None:
    photos = result.get("photos")
    if photos:
        for name, found in (("photos, all", photos["all"]), *photos["halves"].items()):
            sys.stdout.write(_row(name, found) + "\n")
        for name, found in photos["kinds"].items():
            sys.stdout.write(_row(f"photos, {name}", found) + "\n")
    for px, kinds in (result.get("scenes") or {}).items():
        for kind, hards in kinds.items():
            for hard, found in hards.items():
                sys.stdout.write(_row(f"{px} px, {kind}, {hard}", found) + "\n")
    for case, spans in (result.get("walls") or {}).items():
        for span, found in spans.items():
            shares = ", ".join(
                f"{name} {100 * one['share']:.1f} % (misread {one['misread']})"
                for name, one in found.items()
                if name != "labels"
            )
            sys.stdout.write(f"wall {case}, one {span}: n {found['labels']}: {shares}\n")
    if "frame" in result:
        sys.stdout.write(f"full-HD frame: {json.dumps(result['frame'])}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("photos", "scenes", "walls", "frame"))
    parser.add_argument("--seeds", type=int, default=20, help="drawn labels for each case")
    parser.add_argument("--wall-seeds", type=int, default=2, help="walls for each case")
    parser.add_argument("--module-px", type=float, nargs="+", default=MODULE_PX)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for line in missing_engines():
        sys.stderr.write(f"{line}\n")
    result: dict[str, Any] = {}
    if arguments.only in (None, "photos"):
        result["photos"] = measure_photos()
    if arguments.only in (None, "scenes"):
        seeds = range(5000, 5000 + arguments.seeds)
        result["scenes"] = measure_scenes(seeds=seeds, module_px=arguments.module_px)
    if arguments.only in (None, "walls"):
        result["walls"] = measure_walls(seeds=range(5000, 5000 + arguments.wall_seeds))
    if arguments.only in (None, "frame"):
        result["frame"] = measure_frame()
    _print(result)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
