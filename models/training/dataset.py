"""Datasets on disk: detector pictures in YOLO layout, crops and pairs in shards. Resumable.

Pictures are made from a seed and nothing else, so a dataset is a range of seeds; what exists is
not made again, and the same command finishes a run that was stopped. Training and held-out seeds
never overlap.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from models.errors import TrainingError
from models.letterbox import Letterbox, check_rgb, shrink
from models.training.progress import track

__all__ = [
    "Dataset",
    "LabelledPicture",
    "Shard",
    "Split",
    "load_shards",
    "read_picture",
    "seed_of",
    "write_pictures",
    "write_shards",
]

BOX_SIDE_MIN_PX = 2.0
"""Boxes thinner than this at the network's size teach nothing and are left out."""

JPEG_OPTIONS = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A full frame `rgb` uint8 (H, W, 3), its boxes (N, 4) x0 y0 x1 y1 in its pixels and classes
    (N,) as indexes of the dataset's classes."""

    rgb: NDArray[np.uint8]
    boxes_px: NDArray[np.float32]
    classes: NDArray[np.int32]


Shard = dict[str, NDArray[Any]]
"""Arrays of equal length made from one seed."""


@dataclass(frozen=True, slots=True)
class Split:
    """Seeds of a dataset: what is trained on and what is held out."""

    train: Sequence[int]
    val: Sequence[int]

    def __post_init__(self) -> None:
        if set(self.train) & set(self.val):
            raise TrainingError(
                "expected training and held-out seeds apart, both contain "
                f"{sorted(set(self.train) & set(self.val))[:5]}"
            )

    def named(self) -> tuple[tuple[str, Sequence[int]], ...]:
        """Both, with their folder names."""
        return (("train", self.train), ("val", self.val))


def _spans(seeds: Sequence[int]) -> list[list[int]]:
    """Seeds as [first, last] of each unbroken run."""
    spans: list[list[int]] = []
    for seed in sorted(seeds):
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return spans


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder in YOLO layout: images/, labels/ (each train/ and val/), data.yaml."""

    folder: Path
    classes: tuple[str, ...]
    width_px: int
    height_px: int

    @property
    def data_yaml(self) -> Path:
        """What ultralytics is given."""
        return self.folder / "data.yaml"

    def pictures(self, split: str) -> list[Path]:
        """Picture files of a split, in order."""
        return sorted((self.folder / "images" / split).glob("*.jpg"))

    @staticmethod
    def read(folder: Path) -> Dataset:
        """The dataset of a folder. Raises TrainingError where there is none."""
        path = folder / "data.yaml"
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            classes = tuple(data["names"][index] for index in range(len(data["names"])))
            return Dataset(folder, classes, int(data["width_px"]), int(data["height_px"]))
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            raise TrainingError(
                f"expected a dataset in {folder}, its data.yaml cannot be read ({error}); write "
                "it with `sortie train dataset`."
            ) from error


def seed_of(image: Path) -> int:
    """The seed a picture of a dataset was made from."""
    return int(image.stem.split("-")[0])


def read_picture(image: Path) -> LabelledPicture:
    """A picture of a dataset with its boxes, as it was written."""
    label = image.parents[2] / "labels" / image.parent.name / f"{image.stem}.txt"
    bgr = cv2.imread(str(image), cv2.IMREAD_COLOR)
    if bgr is None or not label.is_file():
        raise TrainingError(f"{image}: picture or label is missing or damaged; delete both")
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    rows = np.loadtxt(label, dtype=np.float32, ndmin=2) if label.stat().st_size else None
    if rows is None:
        return LabelledPicture(rgb, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    size = np.array([rgb.shape[1], rgb.shape[0]], np.float32)
    centre, extent = rows[:, 1:3] * size, rows[:, 3:5] * size
    boxes = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1)
    return LabelledPicture(rgb, boxes.astype(np.float32), rows[:, 0].astype(np.int32))


def _label_lines(picture: LabelledPicture, width_px: int, height_px: int) -> str:
    height, width = picture.rgb.shape[:2]
    edge = np.array([width, height, width, height], np.float32)
    boxes = np.clip(picture.boxes_px.reshape(-1, 4) / edge, 0.0, 1.0)
    lines = []
    for box, kind in zip(boxes, picture.classes, strict=True):
        x0, y0, x1, y1 = (float(value) for value in box)
        if (x1 - x0) * width_px < BOX_SIDE_MIN_PX or (y1 - y0) * height_px < BOX_SIDE_MIN_PX:
            continue
        numbers = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
        lines.append(f"{int(kind)} " + " ".join(f"{number:.6f}" for number in numbers))
    return "\n".join(lines) + ("\n" if lines else "")


def _write_picture(
    picture: LabelledPicture, image: Path, label: Path, width_px: int, height_px: int
) -> None:
    check_rgb(picture.rgb)
    fit = Letterbox.of(picture.rgb.shape[1], picture.rgb.shape[0], width_px, height_px)
    small = shrink(picture.rgb, fit.inner_width_px, fit.inner_height_px)
    # Nearly lossless: what compression does to pictures is for whoever makes them to imitate.
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), list(JPEG_OPTIONS))
    if not done:
        raise TrainingError(f"{image}: the picture could not be written as JPEG")
    part = image.with_suffix(".part")
    part.write_bytes(data.tobytes())
    os.replace(part, image)
    # The label comes last: a picture without one is made again after a kill.
    part = label.with_suffix(".part")
    part.write_text(_label_lines(picture, fit.inner_width_px, fit.inner_height_px), "utf-8")
    os.replace(part, label)


def _write_seed(
    task: tuple[str, int],
    *,
    make: Callable[[int], Iterable[LabelledPicture]],
    folder: Path,
    per_seed: int,
    width_px: int,
    height_px: int,
) -> None:
    split, seed = task
    names = [f"{seed:08d}-{number:03d}" for number in range(per_seed)]
    images = [folder / "images" / split / f"{name}.jpg" for name in names]
    labels = [folder / "labels" / split / f"{name}.txt" for name in names]
    if all(path.exists() for path in (*images, *labels)):
        return
    pictures = list(make(seed))
    if len(pictures) != per_seed:
        raise TrainingError(f"seed {seed}: expected {per_seed} pictures, got {len(pictures)}")
    for picture, image, label in zip(pictures, images, labels, strict=True):
        _write_picture(picture, image, label, width_px, height_px)


def _run_all(
    work: Callable[[tuple[str, int]], None],
    tasks: Sequence[tuple[str, int]],
    workers: int,
    title: str,
) -> None:
    """Run `work` on all tasks, in this process or in `workers` fresh ones."""
    if workers <= 1:
        for _ in track(map(work, tasks), len(tasks), title):
            pass
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        done: Iterator[None] = pool.map(work, tasks)
        for _ in track(done, len(tasks), title):
            pass


def write_pictures(
    folder: Path,
    make: Callable[[int], Iterable[LabelledPicture]],
    split: Split,
    *,
    per_seed: int,
    classes: Sequence[str],
    width_px: int,
    height_px: int,
    workers: int = 1,
) -> Dataset:
    """Write (or finish) a detector dataset; pictures are stored at the network's size.

    `make` gives the `per_seed` pictures of a seed. It is called in other processes when `workers`
    > 1, so it must be picklable.
    """
    for name, _ in split.named():
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / name).mkdir(parents=True, exist_ok=True)
    tasks = [(name, seed) for name, seeds in split.named() for seed in seeds]
    work = partial(
        _write_seed,
        make=make,
        folder=folder,
        per_seed=per_seed,
        width_px=width_px,
        height_px=height_px,
    )
    _run_all(work, tasks, workers, f"pictures {folder.name}")
    dataset = Dataset(folder, tuple(classes), width_px, height_px)
    content = {
        "path": str(folder.resolve()),
        "train": "images/train",
        "val": "images/val",
        "names": dict(enumerate(classes)),
        "width_px": width_px,
        "height_px": height_px,
        "seeds": {name: _spans(seeds) for name, seeds in split.named()},
    }
    dataset.data_yaml.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return dataset


def _write_shard(task: tuple[str, int], *, make: Callable[[int], Shard], folder: Path) -> None:
    split, seed = task
    path = folder / split / f"{seed:08d}.npz"
    if path.exists():
        return
    arrays = make(seed)
    if len({len(array) for array in arrays.values()}) != 1:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise TrainingError(f"shard {seed}: expected arrays of equal length, got {shapes}")
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(part, path)


def write_shards(
    folder: Path, make: Callable[[int], Shard], split: Split, *, workers: int = 1
) -> None:
    """Write (or finish) a dataset of arrays, one .npz per seed."""
    for name, _ in split.named():
        (folder / name).mkdir(parents=True, exist_ok=True)
    tasks = [(name, seed) for name, seeds in split.named() for seed in seeds]
    _run_all(partial(_write_shard, make=make, folder=folder), tasks, workers, folder.name)
    seeds = {name: _spans(seeds) for name, seeds in split.named()}
    (folder / "seeds.json").write_text(json.dumps(seeds) + "\n", encoding="utf-8")


def load_shards(folder: Path, split: str) -> Shard:
    """All shards of a split, joined in the order of their seeds."""
    paths = sorted((folder / split).glob("*.npz"))
    if not paths:
        raise TrainingError(
            f"expected shards in {folder / split}, there are none; write them with "
            "`sortie train dataset`."
        )
    shards = []
    for path in paths:
        with np.load(path, allow_pickle=False) as data:
            shards.append({name: data[name] for name in data.files})
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
