"""Default pictures are pinned: what weights were trained on and results measured with stays so."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import store_sim
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from store_sim.render import Look, SceneRenderer
from store_sim.render.bodies import body_model
from store_sim.render.packaging import label_texture, product_mesh
from store_sim.render.raster import StoreModel, store_model
from store_sim.render.views import product_views
from store_sim.scene import BodyPose, ItemPose, Scene
from store_sim.world.body import HandGoal, build_pose, sample_appearance
from store_sim.world.hold import in_crook, in_hand
from store_sim.world.stock import Stock

PINNED = {
    "cam-a": "ab65f72186744afe3b7c8ddbf91aee9c",
    "cam-c": "adac704393ecab4961b718bd9d2eccce",
    "ceil-1": "1a6971956f1ba09c64017fe279349667",
    "ceil-3": "877c08bb648e9d4f03a45412c30a4211",
    "labels": "de4a0aa1ef3f5841024f9c5e7e8bfb48",
    "shapes": "db08454da185dbaf02953b3522cea308",
    "people": "0fbaa3ef06a3267209560742b05db497",
    "views": "532abeb3acd63e3a8b71b4d831ba08d2",
}

DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(DEMO)


@pytest.fixture(scope="module")
def model(store: StoreFile) -> StoreModel:
    return store_model(store, Look())


def sha(*arrays: NDArray[np.generic]) -> str:
    """The first half of the SHA-256 of the arrays' bytes."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:32]


def people(count: int) -> tuple[BodyPose, ...]:
    rng = np.random.default_rng(77)
    bodies = []
    for k in range(count):
        x = 1.0 + 1.2 * k + float(rng.uniform(-0.1, 0.1))
        goal = HandGoal((x + 0.1, 4.05, float(rng.uniform(0.7, 1.5))))
        bodies.append(
            build_pose(
                sample_appearance(rng), (x, 3.45), math.pi / 2, right_target=goal,
                walk_phase=float(rng.random()), grip=(0.6, 0.2), person_index=k,
            )
        )  # fmt: skip
    return tuple(bodies)


def scene_of(store: StoreFile) -> Scene:
    """Four people before full shelves; three hold something."""
    stock = Stock(store, np.random.default_rng(1))
    stock.fill()
    bodies = people(4)
    loose = []
    for k, body in enumerate(bodies[:3]):
        look = store.products[5 * k].packaging
        carry = in_hand(body, "r", look, math.pi / 2)
        if k == 2:
            carry = in_crook(body, "l", 1, look, math.pi / 2)
        loose.append(ItemPose(9000 + k, store.products[5 * k].gtin, *carry, "hand", k, "r"))
    return Scene(0.7, bodies, tuple(loose), stock.shelf_items(), 1)


def smaller(camera: Camera) -> Camera:
    """A third of the pixels a side, which keeps the test quick."""
    lens = camera.intrinsics
    share = 1 / 3
    fewer = {
        "width": int(lens.width * share), "height": int(lens.height * share),
        "fx": lens.fx * share, "fy": lens.fy * share,
        "cx": (lens.cx + 0.5) * share - 0.5, "cy": (lens.cy + 0.5) * share - 0.5,
    }  # fmt: skip
    return camera.model_copy(update={"intrinsics": lens.model_copy(update=fewer)})


@pytest.mark.parametrize("name", ["cam-a", "cam-c", "ceil-1", "ceil-3"])
def test_pictures_of_the_demo_store(store: StoreFile, model: StoreModel, name: str) -> None:
    camera = next(c for c in store.cameras if c.camera_id == name)
    rendered = SceneRenderer(store, smaller(camera), seed=4, model=model).render(scene_of(store))
    assert sha(rendered.rgb, rendered.ids, rendered.depth) == PINNED[name]


def test_labels_and_shapes_of_the_demo_store(store: StoreFile) -> None:
    assert sha(*(label_texture(product) for product in store.products)) == PINNED["labels"]
    arrays: list[NDArray[np.generic]] = []
    for product in store.products:
        mesh = product_mesh(product.packaging)
        arrays += [np.rint(mesh.pos * 1e7).astype(np.int64), mesh.tris, mesh.mats]
    assert sha(*arrays) == PINNED["shapes"]


def test_the_plain_crowd() -> None:
    arrays: list[NDArray[np.generic]] = []
    for seed in range(12):
        model = body_model(sample_appearance(np.random.default_rng(seed)))
        arrays += [np.rint(model.local * 1e7).astype(np.int64), model.tris, model.mats, model.parts]
        arrays += [model.bank.texels, model.bank.levels, model.bone]
    assert sha(*arrays) == PINNED["people"]


def test_views_for_enrolment(store: StoreFile) -> None:
    arrays: list[NDArray[np.generic]] = []
    for product in store.products[::7]:
        for rgb, mask in product_views(product, np.random.default_rng(11), 4, 96):
            arrays += [rgb, mask]
    assert sha(*arrays) == PINNED["views"]
