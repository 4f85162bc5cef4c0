"""Held-out scores of what ships: the ONNX file, through the runner that production uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.detector import RawDetections
from models.manifest import Score
from models.training.dataset import LabelledPicture

__all__ = ["average_precision", "box_iou", "detector_scores"]

SCORE_MIN = 0.01
"""Below this no box counts; the tail of a precision curve is not worth its time."""


def box_iou(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), x0 y0 x1 y1."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).astype(np.float64).prod(axis=2)
    area_left = (left[:, 2:] - left[:, :2]).astype(np.float64).prod(axis=1)
    area_right = (right[:, 2:] - right[:, :2]).astype(np.float64).prod(axis=1)
    union = area_left[:, None] + area_right[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def average_precision(scores: NDArray[np.float64], hits: NDArray[np.bool_], truths: int) -> float:
    """Area under the precision envelope over recall (PASCAL VOC 2010, all points)."""
    if truths == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hit = np.cumsum(hits[order])
    recall = np.concatenate([[0.0], hit / truths])
    precision = np.concatenate([[1.0], hit / np.arange(1, len(hit) + 1)])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope[1:]))


def _match(
    found: RawDetections, truth: LabelledPicture, kind: int, iou_min: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], int]:
    """Scores and hits of one class in one picture; each true box is hit once, best score first."""
    mine = found.classes == kind
    scores = found.scores[mine].astype(np.float64)
    boxes, real = found.boxes_px[mine], truth.boxes_px[truth.classes == kind]
    hits = np.zeros(len(scores), np.bool_)
    if len(real) and len(boxes):
        overlap = box_iou(boxes, real)
        free = np.ones(len(real), np.bool_)
        for row in np.argsort(-scores, kind="stable"):
            best = int(np.argmax(np.where(free, overlap[row], -1.0)))
            if free[best] and overlap[row, best] >= iou_min:
                hits[row], free[best] = True, False
    return scores, hits, len(real)


def detector_scores(
    detect: Callable[[NDArray[np.uint8], float], RawDetections],
    pictures: Iterable[LabelledPicture],
    classes: Sequence[str],
    *,
    iou_min: float = 0.5,
) -> tuple[Score, ...]:
    """mAP50 per class and over all classes; n counts true boxes. Classes never seen are left out
    of the mean."""
    rows: list[list[tuple[NDArray[np.float64], NDArray[np.bool_], int]]] = [[] for _ in classes]
    for picture in pictures:
        found = detect(picture.rgb, SCORE_MIN)
        for kind in range(len(classes)):
            rows[kind].append(_match(found, picture, kind, iou_min))
    result = []
    for name, parts in zip(classes, rows, strict=True):
        truths = sum(part[2] for part in parts)
        if truths:
            scores = np.concatenate([part[0] for part in parts])
            hits = np.concatenate([part[1] for part in parts])
            value = average_precision(scores, hits, truths)
            result.append(Score(metric="mAP50", subject=name, value=round(value, 4), n=truths))
    if result:
        mean = sum(score.value for score in result) / len(result)
        total = sum(score.n for score in result)
        result.insert(0, Score(metric="mAP50", subject="all", value=round(mean, 4), n=total))
    return tuple(result)
