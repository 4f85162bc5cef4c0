"""The change classifier that ships."""

from __future__ import annotations

import numpy as np
import pytest

from models.change import CHANGE_CLASSES, ChangeClassifier
from models.errors import ManifestError, ModelInputError


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3)).astype(np.uint8)


def test_swapping_the_pictures_swaps_pick_and_put_back() -> None:
    classifier = ChangeClassifier()
    before, after = pictures(3, 1), pictures(3, 2)
    there, back = classifier.classify_many(before, after), classifier.classify_many(after, before)
    assert CHANGE_CLASSES == ("pick", "put_back", "nothing")
    assert np.allclose(there[:, [1, 0, 2]], back, atol=1e-5)


def test_the_answers_are_log_likelihoods() -> None:
    answer = ChangeClassifier().classify_many(pictures(4, 1), pictures(4, 2))
    assert answer.shape == (4, 3)
    assert answer.dtype == np.float32
    assert np.allclose(np.exp(answer).sum(axis=1), 1.0, atol=1e-5)


def test_the_same_picture_twice_is_neither_pick_nor_put_back_more() -> None:
    same = pictures(2, 3)
    answer = ChangeClassifier().classify_many(same, same)
    assert np.allclose(answer[:, 0], answer[:, 1], atol=1e-5)


def test_one_pair_of_any_size_equals_the_batch() -> None:
    classifier = ChangeClassifier()
    before, after = pictures(1, 4), pictures(1, 5)
    large = [np.kron(p[0], np.ones((2, 2, 1), np.uint8)) for p in (before, after)]
    one = classifier.classify(large[0], large[1])
    assert np.allclose(one, classifier.classify_many(before, after)[0], atol=1e-4)


def test_pairs_that_do_not_match_are_refused() -> None:
    classifier = ChangeClassifier()
    with pytest.raises(ModelInputError, match="same stretch"):
        classifier.classify_many(pictures(2, 1), pictures(3, 1))
    with pytest.raises(ModelInputError, match="RGB"):
        classifier.classify(np.zeros((8, 8), np.uint8), pictures(1, 1)[0])
    assert classifier.classify_many(pictures(0, 1), pictures(0, 1)).shape == (0, 3)


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(ManifestError, match="'change'"):
        ChangeClassifier("shelf")
