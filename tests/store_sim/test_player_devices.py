"""Spoiled devices, the memory of pictures, and the live store that carries both."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from contracts.store_file import StoreFile, load_store_file
from hardware.cameras import open_camera
from hardware.scales import ShmScale, ShmScaleSettings
from store_sim.dials import Dials, Mishap
from store_sim.errors import BadCommandError, PlayerError
from store_sim.live import LiveSettings, LiveStore
from store_sim.player_clips import CLIP_S_MAX, WIDTH_PX, ClipKeeper, blur_heads, camera_for
from store_sim.player_commands import parse_command
from store_sim.render.camera import camera_array, project_points
from store_sim.tampering import ADDED_MAX, Troubles
from store_sim.world import Scenario
from tests.store_sim.player_kit import DEMO, NOBODY, Table
from tests.store_sim.test_live import Clock, FakePhones

COVER = Mishap(kind="covered", target="cam-a", begin_s=2.0, end_s=4.0)


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(DEMO)


def test_what_the_scenario_brings_is_not_mended() -> None:
    troubles = Troubles((COVER,))
    troubles.add(Mishap(kind="unplugged", target="bay-a", begin_s=2.0, end_s=9.0))
    assert len(troubles.at(3.0)) == 2
    troubles.mend()
    assert troubles.at(3.0) == (COVER,)
    assert troubles.at(5.0) == ()


def test_there_is_an_end_to_spoiling() -> None:
    troubles = Troubles(())
    for _ in range(ADDED_MAX):
        troubles.add(Mishap(kind="covered", target="cam-a", begin_s=0.0, end_s=9.0))
    with pytest.raises(PlayerError, match="mend some first"):
        troubles.add(Mishap(kind="covered", target="cam-a", begin_s=1.0, end_s=9.0))
    troubles.add(Mishap(kind="covered", target="cam-a", begin_s=9.5, end_s=12.0))
    assert len(troubles.at(10.0)) == 1


# ---------------------------------------------------------------- pictures


def test_heads_are_blurred_where_they_are_and_nowhere_else() -> None:
    table = Table()
    table.come_in()
    table.do(act="shelf", bay_id="bay-a")
    scene = table.world.scene()
    camera = camera_array(table.store.cameras[0])
    rgb = np.random.default_rng(1).integers(0, 255, (540, 960, 3), dtype=np.uint8)
    picture = rgb.copy()
    blur_heads(picture, camera, scene.bodies)
    pixels, _ = project_points(camera, scene.bodies[0].joints_m[3][None])
    x, y = np.clip(np.rint(pixels[0]).astype(int), 6, [953, 533])
    assert picture[y - 3 : y + 3, x - 3 : x + 3].std() < 8
    assert rgb[y - 3 : y + 3, x - 3 : x + 3].std() > 40
    changed = (picture != rgb).any(axis=2)
    assert 0.002 < changed.mean() < 0.35


def test_a_stretch_of_pictures_is_kept_small_and_given_back(store: StoreFile) -> None:
    keeper = ClipKeeper(store.cameras)
    scene = Table().world.scene()
    rgb = np.full((540, 960, 3), 90, np.uint8)
    for step in range(60):
        keeper.keep("cam-a", rgb, scene, 100.0 + step / 15)
    keeper.keep("cam-b", rgb, scene, 101.0)
    clip = keeper.clip(100.5, 102.0)
    assert clip["camera_id"] == "cam-a"
    assert 10 <= len(clip["frames"]) <= 13
    assert clip["frames"][0]["t_s"] < 0.2
    picture = Image.open(io.BytesIO(base64.b64decode(clip["frames"][0]["jpeg"])))
    assert picture.size == (WIDTH_PX, 216)
    assert keeper.clip(0.0, 1.0) == {"camera_id": None, "frames": []}
    keeper.clear()
    assert keeper.clip(100.5, 102.0)["frames"] == []


@pytest.mark.parametrize(
    ("from_s", "to_s"), [(1.0, 1.1 + CLIP_S_MAX), (2.0, 1.0), (float("nan"), 1.0)]
)
def test_a_stretch_that_is_none_is_refused(store: StoreFile, from_s: float, to_s: float) -> None:
    with pytest.raises(BadCommandError, match="expected 0 to 4 s of pictures"):
        ClipKeeper(store.cameras).clip(from_s, to_s)


def test_the_camera_of_the_bay_sees_best_and_then_the_nearest_ceiling(store: StoreFile) -> None:
    assert camera_for(store.cameras, "bay-b", (3.0, 3.4)) == "cam-b"
    assert camera_for(store.cameras, None, (4.6, 1.0)) == "ceil-2"
    assert camera_for(store.cameras, None, None) is None
    assert camera_for((), "bay-b", (3.0, 3.4)) is None


# ---------------------------------------------------------------- the live store


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store with one small shelf camera."""
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    camera = document["cameras"][0]
    camera["intrinsics"] = {"width": 64, "height": 36, "fx": 53, "fy": 53, "cx": 31.5, "cy": 17.5}
    document["cameras"] = [camera]
    path = tmp_path_factory.mktemp("store") / "small.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_live_store_carries_the_page_and_its_mischief(small: Path, tmp_path: Path) -> None:
    store, clock = load_store_file(small), Clock()
    settings = LiveSettings(
        store_file=small,
        hub_url="http://127.0.0.1:1",
        truth_dir=tmp_path / "truth",
        shm_root=tmp_path,
    )
    given = Mishap(kind="covered", target="cam-z")
    scenario = Scenario("s", "a test", lambda _day: (NOBODY,), dials=Dials(mishaps=(given,)))
    live = LiveStore(store, scenario, settings, FakePhones(), clock=clock, stream_id=1)
    page = live.add_page(lambda _shopper: None)
    camera = open_camera(store.cameras[0], clock=clock, shm_root=tmp_path)
    scale = ShmScale(ShmScaleSettings(name="plates", root=tmp_path), clock=clock)

    def ask(**command: object) -> None:
        page._desk.obey("page", parse_command(command))

    def run(seconds: float) -> None:
        end_s = clock.now_s + seconds
        while clock.now_s < end_s:
            clock.now_s += live.step() + 1e-6

    def contrast() -> float:
        frame = camera.read_latest(max_age_s=1.0)
        assert frame is not None
        return float(frame.rgb.std())

    try:
        ask(act="enter")
        run(15.0)
        bright = contrast()
        ask(act="take", slot_id="bay-a-3-l")
        run(14.0)
        ask(act="tamper", kind="covered", target="cam-a")
        ask(act="tamper", kind="unplugged", target="bay-a")
        assert [one.kind for one in live.mishaps] == ["covered", "covered", "unplugged"]
        run(1.0)
        assert contrast() < bright / 2
        batch = scale.read()
        assert batch is not None
        assert np.isnan(batch.grams[-1, :16]).all()
        assert not np.isnan(batch.grams[-1, 16:]).any()
        ask(act="mend")
        assert live.mishaps == (given,)
        clip = page._clips.clip(clock.now_s - 4.0, clock.now_s - 1.0)
        assert clip["camera_id"] == "cam-a"
        assert len(clip["frames"]) > 10
    finally:
        camera.close()
        scale.close()
        live.close()
