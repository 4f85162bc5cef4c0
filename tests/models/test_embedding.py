"""Embedder and gallery: vectors, likelihoods, and galleries that do not fit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from models.embedding import VIEWS_MAX, Embedder, Gallery, fit_crop
from models.errors import GalleryError, ModelInputError

GTINS = ("4006381333931", "4006381333948", "4006381333955")


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def small_gallery() -> Gallery:
    rows = [unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0, 1, 0), unit(0.9, 0.1, 0, 0)]
    return Gallery(
        np.stack(rows),
        (GTINS[0], GTINS[1], GTINS[2], GTINS[0]),
        embedder_sha256="a" * 64,
        temperature=0.05,
        other_cosine=0.6,
    )


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((20, 20, 1), np.uint8))


def test_likelihoods_sum_to_one_and_the_nearest_product_leads() -> None:
    gallery = small_gallery()
    scores = gallery.scores(unit(0.95, 0.2, 0, 0), top_k=3)
    assert scores.top[0][0] == GTINS[0]
    assert [gtin for gtin, _ in scores.top[:2]] == [GTINS[0], GTINS[1]]
    total = sum(math.exp(value) for _, value in scores.top) + math.exp(scores.other)
    assert total == pytest.approx(1.0, abs=1e-6)
    assert scores.top[0][1] > scores.other


def test_an_unknown_product_is_other() -> None:
    scores = small_gallery().scores(unit(0, 0, 0, 1), top_k=2)
    assert len(scores.top) == 2
    assert scores.other > scores.top[0][1]
    assert math.exp(scores.other) > 0.99


def test_a_product_is_as_near_as_its_nearest_view() -> None:
    cosines = small_gallery().cosines(unit(0.9, 0.1, 0, 0))
    assert cosines[0] == pytest.approx(1.0, abs=1e-6)


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ModelInputError, match=r"\(4,\)"):
        small_gallery().scores(unit(1, 0, 0))


def test_a_gallery_survives_the_disk(tmp_path: Path) -> None:
    gallery = small_gallery()
    gallery.save(tmp_path / "g.npz")
    again = Gallery.load(tmp_path / "g.npz")
    assert again.sha256 == gallery.sha256
    assert again.scores(unit(1, 1, 0, 0)) == gallery.scores(unit(1, 1, 0, 0))


def test_a_gallery_that_was_changed_is_refused(tmp_path: Path) -> None:
    small_gallery().save(tmp_path / "g.npz")
    with np.load(tmp_path / "g.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["gtins"] = np.roll(arrays["gtins"], 1)
    np.savez(tmp_path / "g.npz", **arrays)
    with pytest.raises(GalleryError, match="sha256"):
        Gallery.load(tmp_path / "g.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_is_no_gallery_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "g.npz").write_bytes(content)
    with pytest.raises(GalleryError, match=r"g\.npz"):
        Gallery.load(tmp_path / "g.npz")


def test_a_gallery_of_other_weights_is_refused(tmp_path: Path) -> None:
    small_gallery().save(tmp_path / "g.npz")
    with pytest.raises(GalleryError, match="enrolled with weights"):
        Gallery.load(tmp_path / "g.npz", embedder=Embedder())


@pytest.mark.parametrize(
    ("vectors", "gtins", "temperature"),
    [(np.ones((1, 4), np.float32), ["x"], 0.1), (np.eye(2, dtype=np.float32), ["x"], 0.1),
     (np.zeros((0, 4), np.float32), [], 0.1), (np.eye(1, dtype=np.float32), ["x"], 0.0)],
)  # fmt: skip
def test_arrays_that_do_not_belong_together_are_refused(
    vectors: np.ndarray, gtins: list[str], temperature: float
) -> None:
    with pytest.raises(GalleryError):
        Gallery(vectors, gtins, embedder_sha256="", temperature=temperature, other_cosine=0.5)


def test_the_shipped_embedder_knows_a_crop_again() -> None:
    embedder = Embedder()
    views = {gtin: [picture(seed), picture(seed)] for seed, gtin in enumerate(GTINS)}
    gallery = Gallery.enrol(embedder, views)
    assert gallery.embedder_sha256 == embedder.manifest.sha256
    for seed, gtin in enumerate(GTINS):
        shaded = (picture(seed) * 0.9).astype(np.uint8)
        vector = embedder.embed(shaded)
        assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-4)
        assert gallery.scores(vector).top[0][0] == gtin


def test_too_few_and_too_many_views_are_refused() -> None:
    embedder = Embedder()
    with pytest.raises(GalleryError, match="got 0"):
        Gallery.enrol(embedder, {GTINS[0]: []})
    with pytest.raises(GalleryError, match="thin"):
        Gallery.enrol(embedder, {GTINS[0]: [picture(0)] * (VIEWS_MAX + 1)})
    with pytest.raises(GalleryError, match="none"):
        Gallery.enrol(embedder, {})


def test_crops_keep_their_proportions() -> None:
    square = fit_crop(np.full((120, 60, 3), 255, np.uint8), 96, 114)
    assert square.shape == (96, 96, 3)
    assert (square[:, :24] == 114).all()
    assert (square[:, 24:72] == 255).all()


def test_no_crops_give_no_vectors() -> None:
    assert Embedder().embed_many([]).shape == (0, 128)
