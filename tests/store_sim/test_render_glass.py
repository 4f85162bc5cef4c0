"""Glass: what the layers say behind it, doors that swing and leave nothing behind."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import store_sim
from contracts.geometry import Camera, Intrinsics, Pose
from contracts.ids import gtin_check_digit
from contracts.store_file import Packaging, Product, StoreFile, load_store_file
from store_sim.errors import RenderError
from store_sim.render import Light, Look, Optics, SceneRenderer
from store_sim.render.raster import Rendered, StoreModel, store_model
from store_sim.render.static import bay_axes
from store_sim.scene import ITEM_ID_BASE, PART_STRIDE, DoorPose, ItemPose, Scene
from store_sim.world.body import HandGoal, build_pose, sample_appearance

DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"
BODY = "400000000777"
WATER = BODY + str(gtin_check_digit(BODY))


@pytest.fixture(scope="module")
def store() -> StoreFile:
    """The demo store with glass doors before its first two bays and water in clear bottles."""
    plain = load_store_file(DEMO)
    water = Product(
        gtin=WATER, name="Still Water", brand="Quell", size_label="1 l", weight_g=1030,
        weight_sd_g=2, price_minor=79, vat=plain.products[0].vat,
        packaging=Packaging(shape="clear_bottle", width_m=0.08, depth_m=0.08, height_m=0.28,
                            base_rgb=(40, 110, 190), accent_rgb=(240, 245, 250)),
    )  # fmt: skip
    bays = [
        bay.model_copy(update={"door": "glass"}) if k < 2 else bay
        for k, bay in enumerate(plain.bays)
    ]
    return plain.model_copy(update={"bays": tuple(bays), "products": (*plain.products, water)})


@pytest.fixture(scope="module")
def model(store: StoreFile) -> StoreModel:
    return store_model(store, Look())


@pytest.fixture(scope="module")
def view(store: StoreFile) -> Camera:
    """Before the first bay, at eye height."""
    x, y = store.bays[0].origin_m
    return Camera(
        camera_id="eye", role="ceiling", fps=15,
        intrinsics=Intrinsics(width=240, height=180, fx=130, fy=130, cx=119.5, cy=89.5),
        pose=Pose(position_m=(x + 0.6, y - 1.9, 1.6), look_at_m=(x + 0.5, y, 1.2), up=(0, 0, 1)),
    )  # fmt: skip


def goods(store: StoreFile, skip: int = -1) -> tuple[ItemPose, ...]:
    """Two rows of clear bottles on each board of the first bay."""
    bay = store.bays[0]
    origin, u_axis, normal = bay_axes(bay)
    rotation = np.stack([u_axis, -normal, np.array([0.0, 0.0, 1.0])], 1)
    items: list[ItemPose] = []
    for board in bay.boards:
        for k in range(8):
            for row in range(2):
                base = origin + u_axis * (0.1 + 0.11 * k) - normal * (0.07 + 0.1 * row)
                base[2] = board.z_m
                items.append(ItemPose(len(items), WATER, base, rotation, "shelf"))
    return tuple(item for item in items if item.item_index != skip)


def digest(rendered: Rendered) -> str:
    whole = hashlib.sha256()
    for layer in (rendered.rgb, rendered.ids, rendered.depth):
        whole.update(np.ascontiguousarray(layer).tobytes())
    return whole.hexdigest()


def doors(store: StoreFile, *angles: float) -> tuple[DoorPose, ...]:
    return tuple(
        DoorPose(bay.bay_id, angle) for bay, angle in zip(store.bays, angles, strict=False)
    )


def crowd(store: StoreFile, step: int) -> tuple[object, ...]:
    """One who reaches into the first bay, one who stands where its door opens."""
    x, y = store.bays[0].origin_m
    rng = np.random.default_rng(step)
    goal = HandGoal((x + 0.5, y + 0.12, 1.0 + 0.05 * step))
    first = build_pose(sample_appearance(rng), (x + 0.45, y - 0.5), math.pi / 2, right_target=goal)
    second = build_pose(sample_appearance(rng), (x - 0.1, y - 0.3), 0.4, person_index=1)
    return (first, second)


def test_ids_and_depth_are_those_behind_glass_alone(
    store: StoreFile, model: StoreModel, view: Camera
) -> None:
    quiet = Optics(noise=0.0)
    bare = store.model_copy(
        update={"bays": tuple(b.model_copy(update={"door": None}) for b in store.bays)}
    )
    open_store = SceneRenderer(bare, view, seed=1, optics=quiet)
    shut = SceneRenderer(store, view, seed=1, model=model, optics=quiet)
    items = goods(store)
    without = open_store.render(Scene(0.0, (), (), items, 1))
    behind = shut.render(Scene(0.0, (), (), items, 1))
    pane = (behind.depth == without.depth) & (behind.rgb != without.rgb).any(axis=2)
    assert pane.mean() > 0.15
    assert (behind.ids[pane] == without.ids[pane]).all()
    assert (behind.ids[pane] > 0).any()
    frame = behind.depth < without.depth
    assert frame.mean() > 0.01
    assert (behind.ids[frame] == 0).all()


def test_a_bottle_is_where_its_liquid_is(store: StoreFile, model: StoreModel, view: Camera) -> None:
    renderer = SceneRenderer(store, view, seed=1, model=model, optics=Optics(noise=0.0))
    x, y = store.bays[0].origin_m
    base = np.array([x + 0.55, y - 1.0, 1.3])
    item = ItemPose(4, WATER, base, np.eye(3), "hand")
    empty = renderer.render(Scene(0.0, (), (), (), 1)).rgb.copy()
    rendered = renderer.render(Scene(0.0, (), (item,), (), 1))
    for rise, mine in ((0.05, True), (0.10, True), (0.237, False), (0.27, True)):
        pixel, _ = renderer.project(base + np.array([0.0, -0.04 if mine else 0.0, rise]))
        column, row = round(float(pixel[0, 0])), round(float(pixel[0, 1]))
        assert (rendered.ids[row, column] == ITEM_ID_BASE + 4) == mine, rise
    changed = (rendered.rgb != empty).any(axis=2)
    assert (changed & (rendered.ids == 0)).sum() > 10, "the empty neck is glass and can be seen"
    assert rendered.cover[ITEM_ID_BASE + 4] >= (rendered.ids == ITEM_ID_BASE + 4).sum()


def test_a_person_behind_a_pane_is_veiled(
    store: StoreFile, model: StoreModel, view: Camera
) -> None:
    x, y = store.bays[0].origin_m
    pose = build_pose(sample_appearance(np.random.default_rng(1)), (x - 0.02, y - 0.4), 0.0)
    fogged = SceneRenderer(store, view, seed=1, model=model, optics=Optics(noise=0.0), fog=1.0)
    opened = Scene(0.0, (pose,), (), (), 1, doors(store, 1.35))
    shut = Scene(0.0, (pose,), (), (), 1, doors(store, 0.0))
    through = fogged.render(opened)
    ids, rgb = through.ids.copy(), through.rgb.copy()
    free = fogged.render(shut)
    person = (ids > 0) & (ids < PART_STRIDE) & (free.ids == ids)
    assert person.sum() > 500
    assert (rgb != free.rgb).any(axis=2)[person].mean() > 0.3


def test_a_door_that_moves_gives_the_bytes_of_a_full_redraw(
    store: StoreFile, model: StoreModel, view: Camera
) -> None:
    kept = SceneRenderer(store, view, seed=1, model=model, fog=0.4, reflections=0.6)
    angles = (0.0, 0.3, 0.9, 1.5, 1.5, 0.7, 0.0)
    for step, angle in enumerate(angles):
        people = crowd(store, step) if step % 2 else ()
        scene = Scene(
            step * 0.1, people, (), goods(store, step // 3), step // 3, doors(store, angle, 0.2)  # type: ignore[arg-type]
        )  # fmt: skip
        anew = SceneRenderer(
            store, view, seed=1, model=model, incremental=False, fog=0.4, reflections=0.6
        )
        assert digest(kept.render(scene)) == digest(anew.render(scene)), step


def test_a_door_restores_the_picture_and_redraws_no_goods(
    store: StoreFile, model: StoreModel, view: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = SceneRenderer(store, view, seed=1, model=model, optics=Optics(noise=0.0))
    items = goods(store)
    before = digest(renderer.render(Scene(0.0, (), (), items, 1)))
    drawn: list[ItemPose] = []
    usual = SceneRenderer._draw_item

    def counted(self: SceneRenderer, item: ItemPose, *rest: Any) -> None:
        drawn.append(item)
        usual(self, item, *rest)

    monkeypatch.setattr(SceneRenderer, "_draw_item", counted)
    opened = digest(renderer.render(Scene(0.1, (), (), items, 1, doors(store, 1.2))))
    assert opened != before
    assert digest(renderer.render(Scene(0.2, (), (), items, 1, doors(store, 0.0)))) == before
    assert drawn == []


def test_fog_hides_goods_and_reflections_brighten(
    store: StoreFile, model: StoreModel, view: Camera
) -> None:
    scene = Scene(0.0, (), (), goods(store), 1)

    def picture(fog: float, reflections: float) -> NDArray[np.int64]:
        renderer = SceneRenderer(
            store, view, seed=1, model=model, optics=Optics(noise=0.0),
            fog=fog, reflections=reflections,
        )  # fmt: skip
        return renderer.render(scene).rgb.astype(np.int64)

    clear, fogged, glossy = picture(0.0, 0.0), picture(0.9, 0.0), picture(0.0, 1.0)
    inside = (slice(60, 130), slice(80, 150))
    assert fogged[inside].std() < 0.8 * clear[inside].std()
    assert (glossy >= clear).all()
    assert (glossy - clear)[inside].mean() > 5


def test_a_door_pose_of_a_bay_without_a_door_is_an_error(
    store: StoreFile, model: StoreModel, view: Camera
) -> None:
    renderer = SceneRenderer(store, view, seed=1, model=model)
    wrong = DoorPose(store.bays[-1].bay_id, 0.5)
    with pytest.raises(RenderError, match="door: glass"):
        renderer.render(Scene(0.0, (), (), (), 1, (wrong,)))


def test_where_a_view_leaves_the_store_nothing_is_made_up(
    store: StoreFile, view: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh arrays hold anything; the pixels that show no surface must not read it."""
    x, _, z = view.pose.position_m
    out = Pose(position_m=(x, -0.5, z), look_at_m=(x, -3.0, z + 0.4), up=(0, 0, 1))
    outside = view.model_copy(update={"pose": out})
    pictures = []
    real = np.empty
    for left in (np.nan, 1.0):

        def fresh(shape: Any, dtype: Any = float, left: float = left) -> NDArray[Any]:
            array = real(shape, dtype)
            if np.issubdtype(array.dtype, np.floating):
                array.fill(left)
            return array

        with monkeypatch.context() as patch, np.errstate(all="raise"):
            patch.setattr(np, "empty", fresh)
            renderer = SceneRenderer(store, outside, seed=1, light=Light(gloss=0.6))
            pictures.append(renderer.render(Scene(0.0, (), (), (), 1)).rgb)
    assert np.array_equal(pictures[0], pictures[1])
