"""Packaging: barcodes that scanners read, shapes of the right size, views of single products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

import store_sim
from contracts.ids import gtin_check_digit
from contracts.store_file import StoreFile, load_store_file
from store_sim.errors import RenderError
from store_sim.render.art import barcode, ean13_modules, label_side
from store_sim.render.packaging import label_texture, product_mesh, product_model
from store_sim.render.views import product_views


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(Path(store_sim.__file__).parent / "stores" / "demo.yaml")


def read(image: NDArray[np.uint8]) -> set[str]:
    return {found.text for found in zxingcpp.read_barcodes(np.ascontiguousarray(image))}


def test_symbol_of_a_known_number() -> None:
    modules = ean13_modules("4006381333931")
    assert len(modules) == 95
    assert modules.startswith("101")
    assert modules.endswith("101")
    assert modules[45:50] == "01010"
    assert read(barcode("4006381333931", 2, 60)) == {"4006381333931"}


def test_shorter_numbers_are_drawn_as_thirteen_digits() -> None:
    assert read(barcode("036000291452", 2, 60)) == {"0036000291452"}


def test_a_wrong_check_digit_is_an_error() -> None:
    with pytest.raises(RenderError, match="check digit"):
        ean13_modules("4006381333930")


def test_a_panel_too_narrow_for_its_barcode_is_an_error(store: StoreFile) -> None:
    with pytest.raises(RenderError, match="wider"):
        label_side(store.products[0], 200, 200, module_px=2)


def test_every_label_of_the_demo_store_scans(store: StoreFile) -> None:
    for product in store.products:
        side = label_side(product, 260, 300, module_px=2)
        assert product.gtin in read(side), product.name
        texture = label_texture(product)
        assert product.gtin in read(texture.repeat(3, 0).repeat(3, 1)), product.name


def test_meshes_have_the_size_of_the_packaging_and_face_outwards(store: StoreFile) -> None:
    shapes = set()
    for product in store.products:
        look = product.packaging
        shapes.add(look.shape)
        mesh = product_mesh(look)
        size = mesh.pos.max(axis=0) - mesh.pos.min(axis=0)
        assert size == pytest.approx([look.width_m, look.depth_m, look.height_m], rel=0.04)
        a, b, c = (mesh.pos[mesh.tris[:, k]] for k in range(3))
        face = np.cross(b - a, c - a)
        assert ((face * mesh.normal[mesh.tris].sum(axis=1)).sum(axis=1) >= -1e-12).all()
    assert shapes == {"box", "can", "bottle"}


def test_labels_differ_between_products_and_repeat_for_one(store: StoreFile) -> None:
    textures = [label_texture(product).tobytes() for product in store.products]
    assert len(set(textures)) == len(store.products)
    assert label_texture(store.products[0]).tobytes() == textures[0]
    assert product_model(store.products[0]) is product_model(store.products[0])


def test_any_gtin_length_can_be_drawn() -> None:
    for digits in ("2912345", "29123456789", "1234567890123"):
        gtin = digits + str(gtin_check_digit(digits))
        assert len(ean13_modules(gtin)) == 95


def test_views_show_the_product(store: StoreFile) -> None:
    product = store.products[4]
    views = product_views(product, np.random.default_rng(3), 12, 64)
    again = product_views(product, np.random.default_rng(3), 12, 64)
    assert len(views) == 12
    for (rgb, mask), (rgb2, _) in zip(views, again, strict=True):
        assert rgb.shape == (64, 64, 3)
        assert mask.mean() >= 0.04
        assert (rgb == rgb2).all()
