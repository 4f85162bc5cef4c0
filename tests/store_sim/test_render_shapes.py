"""The newer packagings: real shapes of the listed size, labels, what shows through them."""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

import store_sim
from contracts.ids import gtin_check_digit
from contracts.store_file import Packaging, Product, StoreFile, load_store_file
from store_sim.render import Look, Optics, SceneRenderer
from store_sim.render.emblems import PICTURES
from store_sim.render.mesh import Mesh
from store_sim.render.packaging import label_texture, product_model
from store_sim.render.raster import store_model
from store_sim.render.shapes import SHAPES
from store_sim.render.views import product_views
from store_sim.scene import ITEM_ID_BASE, ItemPose, Scene
from store_sim.world.foreign import FOREIGN

SIZES = {
    "bag": (0.19, 0.07, 0.27), "pouch": (0.17, 0.08, 0.25), "jar": (0.075, 0.075, 0.11),
    "tub": (0.095, 0.095, 0.10), "carton": (0.07, 0.07, 0.24), "clear_bottle": (0.08, 0.08, 0.30),
    "tray": (0.20, 0.15, 0.05), "tube": (0.06, 0.042, 0.17), "net": (0.16, 0.13, 0.24),
    "lump": (0.09, 0.08, 0.06),
}  # fmt: skip
CLOSED = ("bag", "pouch", "lump")
CLEAR = ("bag", "pouch", "jar", "tub", "clear_bottle", "tray", "tube")


def product_of(shape: str, picture: str | None = None, **update: object) -> Product:
    w, d, h = SIZES[shape]
    packaging = Packaging(
        shape=shape,
        width_m=w, depth_m=d, height_m=h, base_rgb=(30, 90, 160), accent_rgb=(240, 200, 60),
        motif="wave", cap_rgb=(220, 40, 40), picture=picture,
    )  # fmt: skip
    body = f"40000000{sorted(SIZES).index(shape):04d}"
    return Product(
        gtin=body + str(gtin_check_digit(body)), name=f"Fine {shape}", brand="Muster",
        size_label="1", weight_g=300, weight_sd_g=1, price_minor=199, vat="standard",
        packaging=packaging.model_copy(update=update),
    )  # fmt: skip


def edges_of(mesh: Mesh) -> NDArray[np.int64]:
    """How many triangles meet at each edge; corners at one place count as one."""
    _, corner = np.unique(np.rint(mesh.pos * 1e6).astype(np.int64), axis=0, return_inverse=True)
    tris = corner.reshape(-1)[mesh.tris]
    whole = (tris[:, 0] != tris[:, 1]) & (tris[:, 1] != tris[:, 2]) & (tris[:, 0] != tris[:, 2])
    tris = tris[whole]
    pairs = np.sort(np.concatenate([tris[:, [0, 1]], tris[:, [1, 2]], tris[:, [2, 0]]]), axis=1)
    _, count = np.unique(pairs, axis=0, return_counts=True)
    return count


def test_every_shape_of_the_contract_can_be_drawn() -> None:
    known = typing.get_args(Packaging.model_fields["shape"].annotation)
    assert set(known) == {"box", "can", "bottle", *SHAPES}
    assert set(SHAPES) == set(SIZES)
    pictures = typing.get_args(typing.get_args(Packaging.model_fields["picture"].annotation)[0])
    assert set(pictures) == set(PICTURES)


@pytest.mark.parametrize("shape", sorted(SIZES))
def test_a_shape_fills_its_packaging_and_faces_outwards(shape: str) -> None:
    model = product_model(product_of(shape))
    w, d, h = SIZES[shape]
    mesh = model.mesh
    whole = mesh.pos
    if model.clear is not None:
        whole = np.concatenate([whole, model.clear.mesh.pos])
    low, high = whole.min(axis=0), whole.max(axis=0)
    assert high - low == pytest.approx([w, d, h], rel=0.09)
    assert (high <= [0.52 * w, 0.52 * d, 1.01 * h]).all()
    assert (low >= [-0.52 * w, -0.52 * d, -3e-4]).all()
    a, b, c = (mesh.pos[mesh.tris[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    assert ((face * mesh.normal[mesh.tris].sum(axis=1)).sum(axis=1) >= -1e-12).all()
    assert 50 < len(mesh.tris) < 700


@pytest.mark.parametrize("shape", CLOSED)
def test_a_soft_packaging_has_no_holes(shape: str) -> None:
    # Along a welded seam both sheets meet: four triangles at an edge are as tight as two.
    assert (edges_of(product_model(product_of(shape)).mesh) % 2 == 0).all()


def test_what_is_clear_says_so() -> None:
    clear = {shape for shape in SIZES if product_model(product_of(shape)).clear is not None}
    assert clear == set(CLEAR)
    bottle = product_model(product_of("clear_bottle")).clear
    assert bottle is not None
    assert 0 < bottle.solid.sum() < len(bottle.solid)


@pytest.mark.parametrize("shape", sorted(set(SIZES) - {"lump"}))
def test_the_barcode_stays_readable(shape: str) -> None:
    product = product_of(shape)
    panel = np.ascontiguousarray(label_texture(product)[:176, 128:].repeat(4, 0).repeat(4, 1))
    assert product.gtin in {found.text for found in zxingcpp.read_barcodes(panel)}


@pytest.mark.parametrize("picture", sorted(PICTURES))
def test_a_picture_changes_the_label_and_repeats(picture: str) -> None:
    plain, pictured = product_of("tub"), product_of("tub", picture)
    textures = [label_texture(pictured) for _ in range(2)]
    assert (textures[0] == textures[1]).all()
    changed = (textures[0] != label_texture(plain)).any(axis=2)
    assert changed[:176, :128].mean() > 0.05


def test_what_fills_a_clear_packaging_shows() -> None:
    red = product_of("jar", fill_rgb=(200, 20, 20))
    green = product_of("jar", fill_rgb=(20, 160, 20))
    rng = np.random.default_rng
    (a, mask), (b, _) = (product_views(p, rng(1), 1, 96, hand_share=0)[0] for p in (red, green))
    assert a[mask][:, 0].mean() > b[mask][:, 0].mean() + 10


@pytest.mark.parametrize("shape", sorted(SIZES))
def test_views_show_every_shape(shape: str) -> None:
    product = product_of(shape)
    views = product_views(product, np.random.default_rng(3), 6, 64)
    again = product_views(product, np.random.default_rng(3), 6, 64)
    for (rgb, mask), (rgb2, mask2) in zip(views, again, strict=True):
        assert mask.mean() >= 0.04
        assert (rgb == rgb2).all()
        assert (mask == mask2).all()


def test_foreign_things_are_drawn() -> None:
    store: StoreFile = load_store_file(Path(store_sim.__file__).parent / "stores" / "demo.yaml")
    model = store_model(store, Look())
    camera = next(c for c in store.cameras if c.camera_id == "cam-a")
    renderer = SceneRenderer(store, camera, seed=1, model=model, optics=Optics(noise=0.0))
    for index, gtin in enumerate(FOREIGN):
        item = ItemPose(index, gtin, np.array([1.1, 3.8, 1.2]), np.eye(3), "hand")
        ids = renderer.render(Scene(0.0, (), (item,), (), 1)).ids
        assert (ids == ITEM_ID_BASE + index).sum() > 100
