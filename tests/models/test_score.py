"""Average precision and the comparison of an export with its origin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.detector import RawDetections
from models.errors import TrainingError
from models.training.dataset import LabelledPicture
from models.training.export import compare_arrays, compare_detections
from models.training.score import average_precision, box_iou, detector_scores

PICTURE = LabelledPicture(
    np.zeros((100, 100, 3), np.uint8),
    np.array([[10, 10, 30, 30], [50, 50, 90, 90]], np.float32),
    np.array([0, 0], np.int32),
)


def found(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return RawDetections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))


def score_of(detections: RawDetections) -> float:
    scores = detector_scores(lambda rgb, least: detections, [PICTURE], ("hand", "head"))
    assert [score.subject for score in scores] == ["all", "hand"], "no head was there to be found"
    assert scores[1].n == 2
    return scores[1].value


def test_overlap() -> None:
    box = np.array([[0, 0, 10, 10]], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert box_iou(box, others)[0].tolist() == pytest.approx([1.0, 1 / 3, 0.0])


def test_a_perfect_detector_scores_one() -> None:
    assert score_of(found((10, 10, 30, 30, 0.9, 0), (50, 50, 90, 90, 0.8, 0))) == 1.0


def test_a_missed_box_costs_its_recall() -> None:
    assert score_of(found((10, 10, 30, 30, 0.9, 0))) == 0.5


def test_a_false_box_before_the_true_ones_costs_precision() -> None:
    rows = ((0, 60, 20, 80, 0.95, 0), (10, 10, 30, 30, 0.9, 0), (50, 50, 90, 90, 0.8, 0))
    assert score_of(found(*rows)) == pytest.approx(2 / 3, abs=1e-4)


def test_a_second_box_on_the_same_thing_is_false() -> None:
    rows = ((10, 10, 30, 30, 0.9, 0), (10, 10, 30, 31, 0.85, 0), (50, 50, 90, 90, 0.8, 0))
    assert score_of(found(*rows)) == pytest.approx(0.5 + 0.5 * 2 / 3, abs=1e-4)


def test_another_class_or_a_loose_box_is_no_hit() -> None:
    assert score_of(found((10, 10, 30, 30, 0.9, 1), (50, 50, 62, 62, 0.8, 0))) == 0.0


def test_nothing_to_find_has_no_precision() -> None:
    assert math.isnan(average_precision(np.zeros(0), np.zeros(0, np.bool_), 0))


ROWS = np.array([[0, 0, 10, 10, 0.9, 0], [5, 5, 20, 20, 0.89, 1]], np.float32)


def test_rows_that_change_places_are_no_difference() -> None:
    difference = compare_detections([ROWS], [ROWS[::-1]])
    assert difference == {"box_px": 0.0, "score": 0.0, "rows_compared": 2.0}


@pytest.mark.parametrize(("column", "by"), [(0, 2.0), (4, 0.05), (5, 3.0)])
def test_an_export_that_differs_is_refused(column: int, by: float) -> None:
    other = ROWS.copy()
    other[:, column] += by
    with pytest.raises(TrainingError, match="do not ship"):
        compare_detections([ROWS], [other])


def test_comparing_nothing_proves_nothing() -> None:
    with pytest.raises(TrainingError, match="got none"):
        compare_detections([], [])
    with pytest.raises(TrainingError, match="got none"):
        compare_arrays([], [], "vector")


def test_arrays_are_compared_by_their_worst_number() -> None:
    ours = [np.zeros(4, np.float32)]
    assert compare_arrays(ours, [np.full(4, 1e-4, np.float32)], "vector") == {
        "vector": pytest.approx(1e-4)
    }
    with pytest.raises(TrainingError, match="vector"):
        compare_arrays(ours, [np.array([0, 0, 0.5, 0], np.float32)], "vector")
    with pytest.raises(TrainingError):
        compare_arrays(ours, [np.full(4, np.nan, np.float32)], "vector")
