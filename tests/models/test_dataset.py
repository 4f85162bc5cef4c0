"""Datasets: layout, labels, resuming, and seeds kept apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from models.errors import TrainingError
from models.training.dataset import (
    Dataset,
    LabelledPicture,
    Shard,
    Split,
    load_shards,
    read_picture,
    write_pictures,
    write_shards,
)

CLASSES = ("hand", "held")


def make(seed: int) -> list[LabelledPicture]:
    rgb = np.full((270, 480, 3), 90, np.uint8)
    rgb[60:120, 100:200] = (250, 40, 40)
    boxes = np.array([[100, 60, 200, 120], [300, 200, 301, 201]], np.float32)
    return [LabelledPicture(rgb, boxes, np.array([1, 0], np.int32))] * 2


def nothing(seed: int) -> list[LabelledPicture]:
    rgb = np.zeros((270, 480, 3), np.uint8)
    return [LabelledPicture(rgb, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))] * 2


def write(folder: Path, maker: object = make) -> Dataset:
    assert callable(maker)
    return write_pictures(
        folder,
        maker,
        Split(range(3), range(90, 92)),
        per_seed=2,
        classes=CLASSES,
        width_px=416,
        height_px=256,
    )


def test_pictures_and_labels_come_back(tmp_path: Path) -> None:
    dataset = write(tmp_path)
    names = [path.stem for path in dataset.pictures("train")]
    assert names == [f"{n:08d}-{k:03d}" for n in range(3) for k in range(2)]
    assert len(dataset.pictures("val")) == 4
    picture = read_picture(dataset.pictures("val")[0])
    assert picture.rgb.shape == (234, 416, 3)
    assert picture.classes.tolist() == [1], "a box of one pixel teaches nothing"
    scale = 416 / 480
    expected = np.array([[100, 60, 200, 120]]) * scale
    assert np.abs(picture.boxes_px - expected).max() < 0.5
    x, y = int(150 * scale), int(90 * scale)
    assert picture.rgb[y, x, 0] > 200
    assert picture.rgb[y, x, 2] < 100


def test_a_picture_without_boxes_is_kept(tmp_path: Path) -> None:
    dataset = write(tmp_path, nothing)
    assert read_picture(dataset.pictures("train")[0]).boxes_px.shape == (0, 4)


def test_data_yaml_is_what_ultralytics_reads(tmp_path: Path) -> None:
    dataset = write(tmp_path)
    data = yaml.safe_load(dataset.data_yaml.read_text("utf-8"))
    assert data["names"] == {0: "hand", 1: "held"}
    assert (Path(data["path"]) / data["train"]).is_dir()
    assert Dataset.read(tmp_path) == dataset


def test_what_exists_is_not_made_again(tmp_path: Path) -> None:
    dataset = write(tmp_path)
    made: list[int] = []

    def counting(seed: int) -> list[LabelledPicture]:
        made.append(seed)
        return make(seed)

    write(tmp_path, counting)
    assert made == []
    label = tmp_path / "labels" / "train" / "00000001-001.txt"
    label.unlink()
    dataset.pictures("val")[0].unlink()
    write(tmp_path, counting)
    assert made == [1, 90]


def test_a_seed_that_gives_another_number_of_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected 2 pictures, got 1"):
        write(tmp_path, lambda seed: make(seed)[:1])


def test_seeds_trained_on_and_held_out_never_meet() -> None:
    with pytest.raises(TrainingError, match="apart"):
        Split(range(10), range(9, 12))


def test_no_dataset_is_an_error_that_tells_the_fix(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="sortie train dataset"):
        Dataset.read(tmp_path)
    with pytest.raises(TrainingError, match="sortie train dataset"):
        load_shards(tmp_path, "train")


def shard(seed: int) -> Shard:
    return {"rgb": np.full((2, 4, 4, 3), seed % 256, np.uint8), "label": np.full(2, seed)}


def test_shards_are_joined_in_order_and_made_once(tmp_path: Path) -> None:
    split = Split(range(3), range(70, 71))
    write_shards(tmp_path, shard, split)
    assert load_shards(tmp_path, "train")["label"].tolist() == [0, 0, 1, 1, 2, 2]
    assert load_shards(tmp_path, "val")["rgb"].shape == (2, 4, 4, 3)
    made: list[int] = []

    def counting(seed: int) -> Shard:
        made.append(seed)
        return shard(seed)

    (tmp_path / "train" / "00000002.npz").unlink()
    write_shards(tmp_path, counting, split)
    assert made == [2]


def test_a_shard_of_unequal_arrays_is_refused(tmp_path: Path) -> None:
    def uneven(seed: int) -> Shard:
        return {"rgb": np.zeros(2), "label": np.zeros(3)}

    with pytest.raises(TrainingError, match="equal length"):
        write_shards(tmp_path, uneven, Split(range(1), range(1, 2)))
