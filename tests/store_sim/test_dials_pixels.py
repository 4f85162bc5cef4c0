"""Light, lens and sensor: each dial does what it promises, and nothing where it stands as built."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import store_sim
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from store_sim.dials import Dials, turned
from store_sim.errors import DialError
from store_sim.render import Light, Look, Optics, SceneRenderer
from store_sim.render.codec import H264Stream
from store_sim.render.raster import StoreModel, store_model
from store_sim.render.sensor import gaussian_taps
from store_sim.scenarios import build
from store_sim.scene import JOINTS, PART_STRIDE, PARTS, Appearance, BodyPose, ItemPose, Scene
from store_sim.stream import SimulatedStream, make_renderers
from store_sim.world.body import HandGoal, build_pose, sample_appearance

DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"
Rgb = NDArray[np.uint8]

# Made before the dials were there: shipped weights and published results belong to these pictures.
STREAM_SHA256 = {
    "cam-b": "30f97c42b32767639c468ecf02d325660e934840fe5bca4ec0d9cb8fbc82c83d",
    "ceil-3": "63760437c518e7d29ef605393f1ae16b33128fdf2ed93f1484a78d6653a874db",
}
LAYERS_SHA256 = {
    "cam-a": ("5a676b1f3d83ceee", "0cec5cb19f588acc", "e96956c4267dbe47"),
    "ceil-3": ("0c05500059a08f0f", "f13e7e9dea3f4303", "a37b623fc6836bce"),
}


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(DEMO)


@pytest.fixture(scope="module")
def model(store: StoreFile) -> StoreModel:
    return store_model(store, Look())


def camera(store: StoreFile, name: str, share: float = 1.0, **lens: Any) -> Camera:
    """A camera of the store with fewer pixels."""
    view = next(c for c in store.cameras if c.camera_id == name)
    size = view.intrinsics
    fewer = size.model_copy(
        update={
            "width": int(size.width * share), "height": int(size.height * share),
            "fx": size.fx * share, "fy": size.fy * share,
            "cx": (size.cx + 0.5) * share - 0.5, "cy": (size.cy + 0.5) * share - 0.5,
            **lens,
        }
    )  # fmt: skip
    return view.model_copy(update={"intrinsics": fewer})


def people(
    shift_m: float = 0.0, top: tuple[int, int, int] | None = None, count: int = 2
) -> tuple[BodyPose, ...]:
    rng = np.random.default_rng(5)
    bodies = []
    for k in range(count):
        look: Appearance = sample_appearance(rng)
        if top is not None:
            look = replace(look, top_rgb=top, top2_rgb=top)
        x = 0.7 + 0.8 * k + shift_m
        bodies.append(
            build_pose(
                look, (x, 3.3 - 0.5 * k), math.pi / 2,
                right_target=HandGoal((x + 0.2, 4.0, 1.2)), person_index=k,
            )
        )  # fmt: skip
    return tuple(bodies)


def scene(store: StoreFile, t_s: float = 0.5, bodies: tuple[BodyPose, ...] | None = None) -> Scene:
    item = ItemPose(3, store.products[0].gtin, np.array([1.3, 3.6, 1.1]), np.eye(3), "hand")
    return Scene(t_s, people() if bodies is None else bodies, (item,), (), 1)


class Studio:
    """Pictures of one camera with dials set."""

    def __init__(self, store: StoreFile, model: StoreModel, name: str = "ceil-3") -> None:
        self.store, self.model = store, model
        self.view = camera(store, name, 0.25)

    def renderer(self, *settings: str) -> SceneRenderer:
        dials = turned(Dials(), *settings)
        return SceneRenderer(
            self.store, self.view, seed=3, model=self.model,
            light=Light.dialled(dials.light, 3), optics=Optics.dialled(dials.lens),
        )  # fmt: skip

    def shot(self, *settings: str, t_s: float = 0.5) -> NDArray[np.float64]:
        return self.renderer(*settings).render(scene(self.store, t_s)).rgb.astype(np.float64)


@pytest.fixture(scope="module")
def studio(store: StoreFile, model: StoreModel) -> Studio:
    return Studio(store, model)


def test_a_stream_as_built_has_the_bytes_of_before(store: StoreFile) -> None:
    stream = SimulatedStream(
        store, build("easy", store, 7, 3), 7, cameras=tuple(STREAM_SHA256), plates=False,
        phone=lambda shopper: f"c-{shopper}", duration_s=14.0,
    )  # fmt: skip
    digests = {name: hashlib.sha256() for name in STREAM_SHA256}
    for tick in stream:
        for frame in tick.frames:
            digests[frame.camera_id].update(f"{frame.t_s:.6f} {frame.index}".encode())
            digests[frame.camera_id].update(frame.rgb.tobytes())
    assert {name: digest.hexdigest() for name, digest in digests.items()} == STREAM_SHA256


@pytest.mark.parametrize("name", sorted(LAYERS_SHA256))
def test_all_layers_as_built_have_the_bytes_of_before(store: StoreFile, name: str) -> None:
    plain = SceneRenderer(store, camera(store, name), seed=3)
    dialled = make_renderers(store, (camera(store, name),), 3, Dials())[name]
    dialled = SceneRenderer(
        store, camera(store, name), seed=3, light=dialled.light, optics=dialled.optics
    )
    for renderer in (plain, dialled):
        seen = renderer.render(scene(store))
        found = tuple(
            hashlib.sha256(np.ascontiguousarray(layer).tobytes()).hexdigest()[:16]
            for layer in (seen.rgb, seen.ids, seen.depth)
        )
        assert found == LAYERS_SHA256[name]


ALL = (
    "light.dim=0.2", "light.flicker=0.4", "light.sun_patch=0.6", "light.colour=0.3",
    "light.reflections=0.5", "lens.distortion=-0.1", "lens.blur_px=0.8", "lens.motion_blur=0.5",
    "lens.noise=5", "lens.exposure=0.6", "lens.vignette=0.4",
)  # fmt: skip


def test_the_same_run_has_the_same_bytes_with_every_dial_turned(studio: Studio) -> None:
    runs = []
    for _ in range(2):
        renderer = studio.renderer(*ALL)
        digest = hashlib.sha256()
        for k in range(6):
            seen = renderer.render(scene(studio.store, k / 15, people(0.04 * k)))
            digest.update(seen.rgb.tobytes() + seen.ids.tobytes())
        runs.append(digest.hexdigest())
    assert runs[0] == runs[1]


@pytest.mark.parametrize("setting", [one for one in ALL if "motion" not in one])
def test_every_dial_changes_the_picture(studio: Studio, setting: str) -> None:
    assert (studio.shot(setting) != studio.shot()).any()


def test_half_the_light_takes_a_quarter_of_the_grey_level(studio: Studio) -> None:
    plain = studio.shot("lens.noise=0").mean()
    assert studio.shot("lens.noise=0", "light.dim=0.5").mean() / plain == pytest.approx(
        0.5 ** (1 / 2.2), abs=0.01
    )
    levels = [studio.shot(f"light.dim={dim}").mean() for dim in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 2.0


def test_flicker_beats_slowly_in_bands(studio: Studio) -> None:
    steady = studio.shot("lens.noise=0")
    gains = [
        (studio.shot("lens.noise=0", "light.flicker=1", t_s=t_s) / np.maximum(steady, 1)).mean(
            axis=(1, 2)
        )
        for t_s in np.arange(0.0, 8.0, 0.5)
    ]
    assert max(gain.max() for gain in gains) <= 1.0
    assert min(gain.min() for gain in gains) < 0.65
    assert gains[0].max() - gains[0].min() > 0.15, "rows are read one after another"
    means = [float(gain.mean()) for gain in gains]
    assert max(means) - min(means) > 0.1


def test_colour_is_warm_or_cold(studio: Studio) -> None:
    plain, warm, cold = (
        studio.shot("lens.noise=0", f"light.colour={c}").mean((0, 1)) for c in (0, -0.7, 0.7)
    )
    assert warm[0] / warm[2] > 1.3 * plain[0] / plain[2]
    assert cold[0] / cold[2] < 0.8 * plain[0] / plain[2]


def test_the_sun_wanders_and_people_stand_in_its_way(studio: Studio) -> None:
    def lit(t_s: float, bodies: tuple[BodyPose, ...]) -> NDArray[np.bool_]:
        def shot(*settings: str) -> NDArray[np.int64]:
            renderer = studio.renderer("lens.noise=0", *settings)
            return renderer.render(scene(studio.store, t_s, bodies)).rgb.astype(np.int64)

        sunny, plain = shot("light.sun_patch=0.8"), shot()
        assert (sunny >= plain).all()
        return np.asarray((sunny - plain).max(axis=2) > 20)

    times = (0.0, 105.0, 210.0, 315.0)
    places = [np.median(np.nonzero(lit(t_s, ())), axis=1) for t_s in times]
    shares = [float(lit(t_s, ()).mean()) for t_s in times]
    assert min(shares) > 0.01
    assert np.ptp([place[1] for place in places]) > 10
    t_s, (v, u) = times[0], places[0]
    # Somebody on the way from the window into the middle of the patch.
    renderer = studio.renderer()
    lens = renderer.camera.intrinsics
    x = 1.5 + 3.5 * (u - lens.cx) / lens.fx
    y = 3.4 - 3.5 * (v - lens.cy) / lens.fy
    stands = tuple(
        build_pose(sample_appearance(np.random.default_rng(2)), (x + dx, y - 0.9), 0.0,
                   person_index=k)
        for k, dx in enumerate((-0.3, 0.0, 0.3))
    )  # fmt: skip
    assert lit(t_s, stands).sum() < lit(t_s, ()).sum()


def test_a_shining_floor_mirrors_lamps_and_people(studio: Studio) -> None:
    def shot(bodies: tuple[BodyPose, ...], *settings: str) -> NDArray[np.int64]:
        renderer = studio.renderer("lens.noise=0", *settings)
        return renderer.render(scene(studio.store, 0.5, bodies)).rgb.astype(np.int64)

    matt, shining = shot(()), shot((), "light.reflections=0.8")
    assert (shining - matt).max() > 40
    red = people(top=(230, 20, 20))
    with_red = shot(red, "light.reflections=0.8")
    without = shot((), "light.reflections=0.8")
    floor = studio.renderer().render(scene(studio.store, 0.5, red)).ids == 0
    redder = (with_red[..., 0] - with_red[..., 2]) - (without[..., 0] - without[..., 2])
    matt_redder = shot(red)[..., 0] - shot(red)[..., 2] - (matt[..., 0] - matt[..., 2])
    assert redder[floor].max() > matt_redder[floor].max() + 8


def test_blur_takes_detail_and_keeps_brightness(studio: Studio) -> None:
    sharp = studio.shot("lens.noise=0")
    edges = [float(np.abs(np.diff(sharp, axis=1)).mean())]
    for sigma in (0.7, 1.5, 4.0):
        soft = studio.shot("lens.noise=0", f"lens.blur_px={sigma}")
        edges.append(float(np.abs(np.diff(soft, axis=1)).mean()))
        assert soft.mean() == pytest.approx(sharp.mean(), abs=0.6)
    assert edges == sorted(edges, reverse=True)
    assert edges[-1] < 0.5 * edges[0]


@pytest.mark.parametrize("sigma", [0.3, 1.0, 6.0])
def test_a_blur_adds_up_to_one(sigma: float) -> None:
    taps = gaussian_taps(sigma)
    assert taps.sum() == 256
    assert (taps == taps[::-1]).all()


def test_noise_has_its_size_and_grows_with_the_light(studio: Studio) -> None:
    clean = studio.shot("lens.noise=0")
    away = {}
    for noise in (2.0, 6.0, 12.0):
        found = studio.shot(f"lens.noise={noise}") - clean
        middle = (clean > 90) & (clean < 165)
        away[noise] = float(found[middle].std())
        assert away[noise] == pytest.approx(noise, rel=0.2)
    found = studio.shot("lens.noise=12") - clean
    assert found[clean > 160].std() > 1.3 * found[clean < 60].std()


def test_the_corners_are_darker_with_a_vignette(studio: Studio) -> None:
    plain, shaded = studio.shot("lens.noise=0"), studio.shot("lens.noise=0", "lens.vignette=0.8")
    ratio = shaded.sum(axis=2) / plain.sum(axis=2)
    h, w = ratio.shape
    assert ratio[h // 2, w // 2] > 0.97
    assert ratio[0, 0] == pytest.approx(0.2, abs=0.05)


def test_the_exposure_answers_late_to_somebody_bright(studio: Studio) -> None:
    def gains(shade: int) -> NDArray[np.float64]:
        renderer = studio.renderer("lens.noise=0", "lens.exposure=1")
        plain = studio.renderer("lens.noise=0")
        found = []
        for k in range(60):
            bodies = people(top=(shade,) * 3, count=3) if k >= 30 else ()
            one = scene(studio.store, k / 7.5, bodies)
            # The bare floor in a corner: only the exposure changes it.
            seen = renderer.render(one).rgb[70:, :20].astype(float).mean()
            found.append(seen / plain.render(one).rgb[70:, :20].mean())
        return np.array(found)

    bright, dark = gains(250), gains(15)
    assert (bright[:30] == dark[:30]).all()
    assert np.std(bright[:30]) > 0.01, "it wanders"
    apart = dark - bright
    assert apart[50:].min() > 0.02, "a bright coat makes the rest darker"
    assert 0 < apart[30] < 0.5 * apart[50:].mean(), "and it takes its time"


def test_the_exposure_makes_up_for_missing_lamps(studio: Studio) -> None:
    dark = studio.shot("light.dim=0.7", "lens.noise=0").mean()
    assert studio.shot("light.dim=0.7", "lens.noise=0", "lens.exposure=1").mean() > 1.3 * dark


def test_motion_blur_smears_what_moves_and_only_that(studio: Studio) -> None:
    def last(share: float, step_m: float) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        renderer = studio.renderer("lens.noise=0", f"lens.motion_blur={share}")
        for k in range(3):
            seen = renderer.render(scene(studio.store, k / 7.5, people(step_m * k)))
        return seen.rgb.astype(np.int64), seen.ids.copy()

    still, _ = last(1.0, 0.0)
    assert (still == last(0.0, 0.0)[0]).all()
    sharp, ids = last(0.0, 0.2)
    changed = []
    for share in (0.3, 0.6, 1.0):
        smeared, smeared_ids = last(share, 0.2)
        assert (smeared_ids == ids).all(), "the truth stays that of the middle of the exposure"
        changed.append(int((smeared != sharp).any(axis=2).sum()))
        far = np.ones(ids.shape, np.bool_)
        rows, columns = np.nonzero(ids)
        far[max(0, rows.min() - 20) : rows.max() + 20, max(0, columns.min() - 20) :
            columns.max() + 20] = False  # fmt: skip
        assert (smeared == sharp)[far].all()
    assert 50 < changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("k1", [-0.3, -0.1, 0.1, 0.3])
def test_ids_and_depth_are_distorted_with_the_colours(
    store: StoreFile, model: StoreModel, k1: float
) -> None:
    view = camera(store, "ceil-3", 0.5)
    renderer = SceneRenderer(
        store, view, seed=1, model=model, optics=Optics(noise=0.0, distortion=k1)
    )
    red = people(top=(255, 0, 0))
    seen = renderer.render(scene(store, 0.5, red))
    assert seen.ids.shape == seen.rgb.shape[:2] == (180, 320)
    for body in red:
        pixel, depth = renderer.project(body.joints_m[JOINTS.index("head_top")])
        x, y = (round(float(v)) for v in pixel[0])
        if 2 <= x < 318 and 2 <= y < 178:
            key = body.person_index * PART_STRIDE + 1 + PARTS.index("head")
            assert (seen.ids[y - 2 : y + 3, x - 2 : x + 3] == key).any()
            assert seen.depth[y, x] == pytest.approx(float(depth[0]), abs=0.3)
    torso = np.isin(seen.ids, [b.person_index * PART_STRIDE + 1 for b in red])
    colour = seen.rgb.astype(int)
    reds = (colour[..., 0] > 60) & (colour[..., 0] > 3 * colour[..., 1])
    assert (reds & torso).sum() > 0.85 * torso.sum()


def test_a_barrel_shows_more_and_a_cushion_less(store: StoreFile, model: StoreModel) -> None:
    view = camera(store, "ceil-3", 0.5)
    spread = []
    for k1 in (-0.3, 0.0, 0.3):
        renderer = SceneRenderer(
            store, view, seed=1, model=model, optics=Optics(noise=0.0, distortion=k1)
        )
        points = np.array([[1.5, 3.4, 0.0], [0.4, 2.6, 0.0]])
        pixels, _ = renderer.project(points)
        assert pixels[0] == pytest.approx([view.intrinsics.cx, view.intrinsics.cy], abs=1e-6)
        spread.append(float(np.linalg.norm(pixels[1] - pixels[0])))
    assert spread == sorted(spread)


def test_a_distorted_picture_drawn_step_by_step_equals_a_fresh_one(
    store: StoreFile, model: StoreModel
) -> None:
    view = camera(store, "cam-a", 0.25)
    optics = Optics(distortion=-0.2, noise=0.0)
    kept = SceneRenderer(store, view, seed=1, model=model, optics=optics)
    for k in range(4):
        one = scene(store, k / 15, people(0.15 * k, count=2 - k % 2))
        anew = SceneRenderer(store, view, seed=1, model=model, optics=optics)
        a, b = kept.render(one), anew.render(one)
        assert (a.rgb == b.rgb).all()
        assert (a.ids == b.ids).all()
        assert (a.depth == b.depth).all()


def test_h264_costs_quality_by_its_crf_and_repeats() -> None:
    rng = np.random.default_rng(1)
    ramp = np.linspace(30, 220, 64, dtype=np.float64)[None, :, None]
    first = np.clip(ramp + rng.normal(0, 6, (48, 64, 3)), 0, 255).astype(np.uint8)
    pictures = [np.ascontiguousarray(np.roll(first, 2 * k, axis=1)) for k in range(5)]

    def coded(crf: int) -> list[Rgb]:
        stream = H264Stream((64, 48), 15.0, crf)
        return [stream.through(picture) for picture in pictures]

    losses = []
    for crf in (12, 28, 45):
        found = coded(crf)
        assert all((a == b).all() for a, b in zip(found, coded(crf), strict=True))
        losses.append(
            float(np.mean([
                np.abs(a.astype(int) - b).mean() for a, b in zip(found, pictures, strict=True)
            ]))
        )  # fmt: skip
    assert losses == sorted(losses)
    assert losses[0] < 5.0 < losses[2]


def test_h264_refuses_an_odd_size() -> None:
    with pytest.raises(DialError, match="65x48"):
        H264Stream((65, 48), 15.0, 23)
