"""The rasteriser: what is drawn where, the same bytes every time, a cache that changes nothing."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import store_sim
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from store_sim.errors import RenderError
from store_sim.render import Light, Look, Optics, SceneRenderer
from store_sim.render.raster import Rendered, StoreModel, store_model
from store_sim.render.static import bay_axes
from store_sim.scene import ITEM_ID_BASE, JOINTS, PART_STRIDE, PARTS, ItemPose, Scene
from store_sim.world.body import HandGoal, build_pose, sample_appearance

ROOT = Path(__file__).parent.parent.parent
DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(DEMO)


@pytest.fixture(scope="module")
def model(store: StoreFile) -> StoreModel:
    return store_model(store, Look())


def goods(store: StoreFile) -> tuple[ItemPose, ...]:
    """Two pieces of each slot, side by side, upright and facing out."""
    items: list[ItemPose] = []
    bays = {bay.bay_id: bay for bay in store.bays}
    for slot in store.slots:
        bay = bays[slot.bay_id]
        board = next(b for b in bay.boards if b.board_id == slot.board_id)
        origin, u_axis, normal = bay_axes(bay)
        look = store.product(slot.gtin).packaging
        rotation = np.stack([u_axis, -normal, np.array([0.0, 0.0, 1.0])], 1)
        for k in range(2):
            u = slot.u0_m + (slot.u1_m - slot.u0_m) * (k + 0.5) / 2
            base = origin + u_axis * u - normal * (0.02 + look.depth_m / 2)
            base[2] = board.z_m
            items.append(ItemPose(len(items), slot.gtin, base, rotation, "shelf"))
    return tuple(items)


def people(seed: int, count: int) -> tuple[object, ...]:
    rng = np.random.default_rng(seed)
    bodies = []
    for k in range(count):
        x = 1.1 + 1.9 * (k % 3) + float(rng.uniform(-0.2, 0.2))
        goal = HandGoal((x + 0.1, 4.05, float(rng.uniform(0.8, 1.5))))
        bodies.append(
            build_pose(
                sample_appearance(rng), (x, 3.5 - 0.8 * (k // 3)), math.pi / 2,
                right_target=goal, person_index=k,
            )
        )  # fmt: skip
    return tuple(bodies)


def scene_of(store: StoreFile, seed: int, count: int, version: int = 1) -> Scene:
    return Scene(seed * 0.1, people(seed, count), (), goods(store), version)  # type: ignore[arg-type]


def digest(rendered: Rendered) -> str:
    whole = hashlib.sha256()
    for layer in (rendered.rgb, rendered.ids, rendered.depth):
        whole.update(np.ascontiguousarray(layer).tobytes())
    return whole.hexdigest()


def camera(store: StoreFile, name: str) -> Camera:
    return next(c for c in store.cameras if c.camera_id == name)


def small(view: Camera, share: float = 0.25) -> Camera:
    """The same view with fewer pixels."""
    lens = view.intrinsics
    fewer = lens.model_copy(
        update={
            "width": int(lens.width * share),
            "height": int(lens.height * share),
            "fx": lens.fx * share,
            "fy": lens.fy * share,
            "cx": (lens.cx + 0.5) * share - 0.5,
            "cy": (lens.cy + 0.5) * share - 0.5,
        }
    )
    return view.model_copy(update={"intrinsics": fewer})


def test_projection_is_the_formula_of_the_contract(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "cam-b"))
    renderer = SceneRenderer(store, view, seed=1, model=model)
    rng = np.random.default_rng(4)
    points = np.stack([rng.uniform(2, 4, 50), rng.uniform(3, 4.4, 50), rng.uniform(0, 2, 50)], 1)
    position = np.array(view.pose.position_m)
    f = np.array(view.pose.look_at_m) - position
    f /= np.linalg.norm(f)
    right = np.cross(f, view.pose.up)
    right /= np.linalg.norm(right)
    down = np.cross(f, right)
    seen = np.stack([(points - position) @ axis for axis in (right, down, f)], 1)
    lens = view.intrinsics
    pixels, depth = renderer.project(points)
    assert np.allclose(pixels[:, 0], lens.cx + lens.fx * seen[:, 0] / seen[:, 2])
    assert np.allclose(pixels[:, 1], lens.cy + lens.fy * seen[:, 1] / seen[:, 2])
    assert np.allclose(depth, seen[:, 2])
    behind, _ = renderer.project(position - f)
    assert np.isnan(behind).all()


def test_floor_depth_is_the_distance_to_the_floor(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(store, small(camera(store, "ceil-1")), seed=1, model=model)
    rendered = renderer.render(Scene(0.0, (), (), (), 1))
    middle = rendered.depth[rendered.depth.shape[0] // 2, rendered.depth.shape[1] // 2]
    assert middle == pytest.approx(3.5, abs=1e-3)
    assert (rendered.ids == 0).all()


def test_a_body_is_where_its_joints_are(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(store, camera(store, "ceil-3"), seed=1, model=model)
    look = sample_appearance(np.random.default_rng(8))
    pose = build_pose(
        look, (1.9, 3.2), 0.3, right_target=HandGoal((2.4, 3.3, 1.2)), person_index=2,
        grip=(0.0, 0.0),
    )  # fmt: skip
    rendered = renderer.render(Scene(0.0, (pose,), (), (), 1))
    first = 2 * PART_STRIDE + 1
    for joint, part in (("head", "head"), ("r_fingertip", "r_hand")):
        pixel, _ = renderer.project(pose.joints_m[JOINTS.index(joint)])
        rows, columns = np.nonzero(rendered.ids == first + PARTS.index(part))
        assert len(rows) > 20
        near = np.hypot(columns - pixel[0, 0], rows - pixel[0, 1]).min()
        assert near < 3.0, joint
    assert set(np.unique(rendered.ids)) - {0} <= {first + k for k in range(len(PARTS))}
    head = rendered.depth[rendered.ids == first + PARTS.index("head")].min()
    assert head == pytest.approx(3.5 - look.stature_m, abs=0.12)


def test_the_nearer_thing_hides_the_farther(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(store, small(camera(store, "cam-a"), 0.5), seed=1, model=model)
    gtin = store.products[0].gtin
    high = ItemPose(7, gtin, np.array([1.1, 3.5, 1.5]), np.eye(3), "hand")
    low = ItemPose(8, gtin, np.array([1.1, 3.5, 0.5]), np.eye(3), "hand")
    for order in ((high, low), (low, high)):
        rendered = renderer.render(Scene(0.0, (), order, (), 1))
        pixel, _ = renderer.project(np.array([1.1, 3.5, 1.78]))
        at = rendered.ids[round(float(pixel[0, 1])), round(float(pixel[0, 0]))]
        assert at == ITEM_ID_BASE + 7
        assert rendered.cover[ITEM_ID_BASE + 8] > (rendered.ids == ITEM_ID_BASE + 8).sum()


def test_items_in_a_bag_are_not_seen(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(store, small(camera(store, "cam-a")), seed=1, model=model)
    item = ItemPose(3, store.products[0].gtin, np.array([1.1, 3.5, 1.2]), np.eye(3), "bag")
    assert (renderer.render(Scene(0.0, (), (item,), (), 1)).ids == 0).all()


def test_the_same_scene_has_the_same_bytes(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "cam-a"))
    first = SceneRenderer(store, view, seed=5, model=model)
    second = SceneRenderer(store, view, seed=5)
    scenes = [scene_of(store, k, 4) for k in range(3)]
    forward = [digest(first.render(scene)) for scene in scenes]
    backward = [digest(second.render(scene)) for scene in reversed(scenes)]
    assert forward == backward[::-1]
    assert len(set(forward)) == 3
    assert digest(SceneRenderer(store, view, seed=6, model=model).render(scenes[0])) != forward[0]


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib.util
spec = importlib.util.spec_from_file_location("raster_test", sys.argv[2])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.demo_digest())
"""


def demo_digest() -> str:
    """Digest of one picture of the demo store, for another process to repeat."""
    store = load_store_file(DEMO)
    renderer = SceneRenderer(store, small(camera(store, "cam-c")), seed=9)
    return digest(renderer.render(scene_of(store, 11, 4)))


def test_another_process_gives_the_same_bytes() -> None:
    command = [sys.executable, "-c", PROGRAM, str(ROOT), __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == demo_digest()


def test_the_cached_background_equals_a_full_redraw(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "cam-b"), 0.5)
    kept = SceneRenderer(store, view, seed=1, model=model)
    items = list(goods(store))
    rng = np.random.default_rng(2)
    for step in range(5):
        scene = Scene(step * 0.1, people(step, step), (), tuple(items), step)  # type: ignore[arg-type]
        anew = SceneRenderer(store, view, seed=1, model=model, incremental=False)
        assert digest(kept.render(scene)) == digest(anew.render(scene)), step
        gone = int(rng.integers(16, len(items) - 8))
        del items[gone]
        moved = items[gone]
        items[gone] = replace(moved, base_m=moved.base_m + np.array([0.01, 0.0, 0.0]))


def test_people_leave_nothing_behind(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(
        store, small(camera(store, "cam-a"), 0.5), seed=1, model=model, optics=Optics(noise=0.0)
    )
    empty = digest(renderer.render(scene_of(store, 1, 0)))
    assert digest(renderer.render(scene_of(store, 2, 4))) != empty
    assert digest(renderer.render(scene_of(store, 3, 0))) == empty


def test_a_hand_over_the_floor_casts_a_shadow(store: StoreFile, model: StoreModel) -> None:
    def floor_of(shadow: float) -> NDArray[np.uint8]:
        renderer = SceneRenderer(
            store, small(camera(store, "ceil-1")), seed=1, model=model,
            light=Light(shadow=shadow), optics=Optics(noise=0.0),
        )  # fmt: skip
        pose = build_pose(sample_appearance(np.random.default_rng(1)), (1.8, 1.4), 0.0)
        rendered = renderer.render(Scene(0.0, (pose,), (), (), 1))
        return np.where(rendered.ids[..., None] == 0, rendered.rgb, 0)

    lit, dark = floor_of(0.0).astype(int), floor_of(0.5).astype(int)
    assert (dark <= lit).all()
    assert (lit - dark).max() > 20


def test_a_body_at_the_lens_is_cut_and_not_torn(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "cam-a"))
    pose = build_pose(sample_appearance(np.random.default_rng(1)), (1.1, 3.5), 0.0)
    pose.joints_m[:, 2] += 2.7 - pose.joints_m[JOINTS.index("chest"), 2]
    rendered = SceneRenderer(store, view, seed=1, model=model).render(
        Scene(0.0, (pose,), (), (), 1)
    )
    assert rendered.depth[rendered.ids > 0].min() >= 0.0599
    assert (rendered.ids > 0).mean() > 0.3


def test_out_receives_the_picture(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "ceil-2"))
    out = np.zeros((view.intrinsics.height, view.intrinsics.width, 3), np.uint8)
    rendered = SceneRenderer(store, view, seed=1, model=model).render(
        Scene(0.0, (), (), (), 1), out=out
    )
    assert rendered.rgb is out
    assert out.mean() > 40


def test_noise_follows_seed_and_time(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "ceil-2"))
    noisy = SceneRenderer(store, view, seed=1, model=model, optics=Optics(noise=4.0))
    clean = SceneRenderer(store, view, seed=1, model=model, optics=Optics(noise=0.0))
    a = noisy.render(Scene(1.0, (), (), (), 1)).rgb.copy()
    b = noisy.render(Scene(2.0, (), (), (), 1)).rgb.copy()
    c = noisy.render(Scene(1.0, (), (), (), 1)).rgb.copy()
    away = a.astype(float) - clean.render(Scene(1.0, (), (), (), 1)).rgb
    assert (a == c).all()
    assert (a != b).any()
    assert 3.0 < away.std() < 5.0


def test_exposure_and_white_balance_change_the_picture(store: StoreFile, model: StoreModel) -> None:
    view = small(camera(store, "ceil-2"))

    def mean(optics: Optics) -> NDArray[np.float64]:
        renderer = SceneRenderer(store, view, seed=1, model=model, optics=optics)
        picture: NDArray[np.float64] = renderer.render(Scene(0.0, (), (), (), 1)).rgb.mean((0, 1))
        return picture

    plain = mean(Optics(noise=0.0))
    assert np.allclose(mean(Optics(noise=0.0, gain=0.5)), plain / 2, atol=1.0)
    warm = mean(Optics(noise=0.0, white_balance=(1.0, 1.0, 0.5)))
    assert warm[2] == pytest.approx(plain[2] / 2, abs=1.0)
    assert (mean(Optics(noise=0.0, vignette=0.5)) < plain).all()


def test_an_unknown_item_is_an_error(store: StoreFile, model: StoreModel) -> None:
    renderer = SceneRenderer(store, small(camera(store, "cam-a")), seed=1, model=model)
    item = ItemPose(3, "4006381333931", np.array([1.1, 3.5, 1.2]), np.eye(3), "hand")
    with pytest.raises(RenderError, match="4006381333931"):
        renderer.render(Scene(0.0, (), (item,), (), 1))
