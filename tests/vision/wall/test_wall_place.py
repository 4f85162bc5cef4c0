"""When a place is seen without its thing, and how a face keeps its shape."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vision.wall.arrivals import wall_of
from vision.wall.colours import BareWall
from vision.wall.geometry import Depth
from vision.wall.place import Place, PlaceView
from vision.wall.records import LitRegion
from vision.wall.scene import Scene
from vision.wall.settings import FollowSettings, SceneSettings
from vision.wall.tracks import Track, cover_hidden
from vision.wall.votes import Votes

SETTINGS = FollowSettings()
BARE = PlaceView(
    changed=1.0, label=1.0, stirred=0.0, clear=0.2, border=1.0, empty=0.0, bare=0.98, still=1.0
)
"""Nothing but the wall, and all around has changed as well: the outline holds the label only."""


def test_the_bare_wall_with_nobody_at_it_is_an_empty_place() -> None:
    assert BARE.gone(SETTINGS, 0.0)


@pytest.mark.parametrize(
    ("view", "body"),
    [
        (BARE, 1.0),
        (replace(BARE, bare=0.7), 0.0),
        (replace(BARE, still=0.4), 0.0),
        (replace(BARE, stirred=0.3), 0.0),
        (replace(BARE, label=0.6), 0.0),
    ],
)
def test_what_may_be_somebody_before_it_is_not(view: PlaceView, body: float) -> None:
    assert not view.gone(SETTINGS, body)


def test_of_an_outline_that_is_far_too_large_the_label_alone_shows_that_it_has_gone() -> None:
    """Seen at a wall of the demo: a grey box before grey boards; a quarter of its place changed."""
    view = replace(BARE, changed=0.26, clear=0.88, border=0.12)
    assert not view.seen(SETTINGS)
    assert view.gone(SETTINGS, 0.0)
    beside = replace(view, bare=0.4)
    assert beside.seen(SETTINGS), "something else is before the label"
    assert not beside.gone(SETTINGS, 0.0)


def test_grey_clothes_of_somebody_before_a_grey_wall_are_no_wall() -> None:
    """Seen at a wall of the demo: all of the place grey and still, a third of its rim clear."""
    view = replace(BARE, bare=1.0, clear=0.33)
    assert view.gone(SETTINGS, 0.2)
    assert not view.gone(SETTINGS, 1.0)


def test_a_back_that_lets_much_of_the_rim_pass_for_the_wall_is_no_wall() -> None:
    """Seen at a wall of the demo: a jumper before a wall of its colour, 0.06 apart."""
    back = replace(BARE, changed=0.69, bare=1.0, clear=0.58, border=0.5)
    assert replace(back, apart=0.003).gone(SETTINGS, 1.0), "taken, and still in reach"
    assert not replace(back, apart=0.06).gone(SETTINGS, 1.0)
    assert replace(back, apart=0.06).gone(SETTINGS, 0.2), "a shadow, and nobody at it"


def test_of_an_outline_that_is_far_too_small_all_around_has_gone_too() -> None:
    """A box was lifted of which the outline held a corner: no wall is near that is as it was."""
    lifted = replace(BARE, bare=0.37, clear=0.04, wide=0.98)
    assert lifted.gone(SETTINGS, 0.0, nobody=True)
    assert not lifted.gone(SETTINGS, 0.0)
    assert not replace(lifted, wide=0.5).gone(SETTINGS, 0.0, nobody=True)
    assert not replace(lifted, still=0.4).gone(SETTINGS, 0.0, nobody=True)


def test_a_walls_colours_are_looked_for_to_both_sides() -> None:
    scene = Scene(960, 540, SceneSettings())
    before = np.full((540, 960, 3), 120, np.uint8)
    before[150:350, 300:600] = 40
    face = np.array([[420, 220], [470, 220], [470, 290], [420, 290]], np.float64)
    views = []
    for seen_there in (120, 200):
        scene = Scene(960, 540, SceneSettings())
        scene.step(0.0, before)
        after = before.copy()
        after[150:350, 300:600] = seen_there
        for t_s in (1.0, 2.0):
            seen = scene.step(t_s, after)
        assert seen is not None
        views.append(
            Place(scene, face, None).view(scene, seen, BareWall(seen.image, ~seen.changed))
        )
    assert [view.bare for view in views] == [0.0, 0.0]
    assert views[0].wide == 1.0
    assert views[1].wide == 0.0


@pytest.mark.parametrize("covered", [True, False])
def test_a_neighbour_that_stands_anew_leaves_the_rest_of_a_hidden_place_to_tell(
    covered: bool,
) -> None:
    """A parcel went behind somebody's back. Then its neighbour, whose face is had too large, is
    found again, and all of that counts as the scene: half of the place seems unchanged."""
    scene = Scene(960, 540, SceneSettings())
    before = np.full((540, 960, 3), 120, np.uint8)
    before[200:320, 400:560] = 40
    before[220:260, 420:480] = 230
    scene.step(0.0, before)
    corners = np.array([[400, 200], [560, 200], [560, 320], [400, 320]], np.float64)
    label = np.array([[420, 220], [480, 220], [480, 260], [420, 260]], np.float64)
    track, neighbour = (
        Track(n, Votes(2), face, Depth(0.0, 0.01), 0.01, Place(scene, face, inside), t0_s=0.0)
        for n, face, inside in ((1, corners, label), (2, corners - [100.0, 0.0], None))
    )
    track.state, track.hidden = "stands", True
    after = np.full((540, 960, 3), 120, np.uint8)
    views = []
    for t_s in (1.0, 2.0, 3.0, 4.0):
        after[20:60, round(100 * t_s) : round(100 * t_s) + 40] = 20  # somebody passes far off
        seen = scene.step(t_s, after)
        assert seen is not None
        views.append(track.place.view(scene, seen, BareWall(seen.image, ~seen.changed)))
        if t_s == 2.0:
            stands = neighbour.place.grown(2)
            scene.accept(stands, seen.image, empty=False)
            if covered:
                cover_hidden([track, neighbour], neighbour, stands)
    assert views[1].gone(SETTINGS, 0.0)
    assert views[-1].gone(SETTINGS, 0.0) is covered
    track.place.cover(scene.polygon_mask(corners))
    assert seen is not None
    assert track.place.view(scene, seen, BareWall(seen.image, ~seen.changed)) == views[-1], (
        "too little would be left"
    )


def test_how_far_the_rim_is_from_what_it_was_is_seen() -> None:
    """A back of nearly the wall's colour comes before a dark parcel and all around it."""
    scene = Scene(960, 540, SceneSettings())
    before = np.full((540, 960, 3), 120, np.uint8)
    before[200:300, 400:500] = 40
    face = np.array([[400, 200], [500, 200], [500, 300], [400, 300]], np.float64)
    scene.step(0.0, before)
    place = Place(scene, face, None)
    aparts = []
    for back in (120, 128):
        after = before.copy()
        after[150:350, 350:550] = back
        for t_s in (1.0, 2.0):
            seen = scene.step(t_s, after)
        assert seen is not None
        view = place.view(scene, seen, BareWall(seen.image, np.ones_like(seen.changed)))
        assert view.label == 1.0
        assert view.clear > 0.9
        aparts.append(view.apart)
    assert aparts[0] < 0.005 < 0.025 < aparts[1]


def test_lamps_that_shine_before_something_change_nothing() -> None:
    """A strip along a board: far brighter than what it is before, and white in the middle."""
    dark = np.full((540, 960, 3), 90, np.uint8)
    shining = dark.copy()
    shining[300:306, 300:500] = (120, 255, 140)
    shining[302:304, 300:500] = 255
    corners = np.array([[290, 290], [510, 290], [510, 316], [290, 316]], np.float32)
    changed = []
    for regions in ((), (LitRegion(corners, "take_a", lamps=True),)):
        scene = Scene(960, 540, SceneSettings())
        scene.step(0.0, dark)
        scene.shine(regions)
        seen = scene.step(0.2, shining)
        assert seen is not None
        changed.append(int(seen.changed.sum()))
    assert changed[0] > 100
    assert changed[1] == 0


def test_clothes_as_dark_as_what_is_behind_them_are_not_learnt() -> None:
    """Somebody stands before a wall with a dark panel for a while, and steps aside."""
    scene = Scene(960, 540, SceneSettings())
    wall = np.full((540, 960, 3), 120, np.uint8)
    wall[200:, 600:700] = (40, 41, 44)
    before = wall.copy()
    before[100:, 500:800] = (14, 24, 18)
    scene.step(0.0, wall)
    for k in range(100):
        scene.wake(0.2 * (k + 1))
        seen = scene.step(0.2 * (k + 1), before)
    assert seen is not None
    assert not seen.changed[400 // 2, 650 // 2], "it passes for the panel"
    for k in range(3):
        seen = scene.step(30.0 + 0.2 * k, wall)
        assert seen is not None
        assert not seen.changed.any()


def test_what_is_carried_past_leaves_as_much_around_it_clear() -> None:
    carried = replace(BARE, bare=0.33, clear=0.5)
    assert carried.gone(SETTINGS, 0.2)
    assert not carried.gone(SETTINGS, 0.98)
    assert replace(carried, bare=0.7).gone(SETTINGS, 0.98), "taken, and still in reach"


def test_something_else_that_holds_still_there_is_told_from_what_covers_all_around() -> None:
    other = replace(BARE, bare=0.3, clear=0.7, border=0.45)
    assert other.another
    assert not replace(other, clear=0.4).another
    assert not replace(other, border=0.1).another
    assert not replace(other, still=0.8).another


def test_a_face_goes_with_its_label_wherever_that_is() -> None:
    """Turned by 90 degrees, twice as far away, and somewhere else."""
    label = np.array([[100, 100], [140, 100], [140, 140], [100, 140]], np.float32)
    face = np.array([[60, 80], [220, 80], [220, 200], [60, 200]], np.float64)
    track = _track(face)
    assert track.shaped(label) is None
    track.quad_px = label
    track.keep_shape()
    there = np.array([[520, 300], [520, 320], [500, 320], [500, 300]], np.float32)
    found = track.shaped(there)
    assert found is not None
    turned = (face - (120, 120)) @ np.array([[0.0, 0.5], [-0.5, 0.0]]) + (510, 310)
    np.testing.assert_allclose(found, turned, atol=1e-6)


def test_a_label_seen_from_the_side_tells_nothing_of_its_face() -> None:
    track = _track(np.array([[0, 0], [90, 0], [90, 90], [0, 90]], np.float64))
    track.quad_px = np.array([[10, 10], [50, 10], [50, 50], [10, 50]], np.float32)
    track.keep_shape()
    assert track.shaped(np.array([[10, 10], [50, 10], [50, 10], [10, 10]], np.float32)) is None


@pytest.mark.parametrize(("sleeve_px", "whole"), [(55, True), (40, False)])
def test_a_look_that_was_taken_past_a_sleeve_is_not_all_its_own(
    sleeve_px: int, *, whole: bool
) -> None:
    """Half of such a label looks like whoever stands there."""
    track, scene, image = _labelled()
    in_front = np.zeros(image.shape[:2], np.bool_)
    in_front[:, round(2 * sleeve_px / scene.scale[0]) :] = True
    gray = np.zeros((540, 960), np.uint8)
    track.settle(scene, gray, 1.0, image, in_front)
    assert track.whole is whole
    track.settle(scene, gray, 2.0, image)
    assert track.whole


@pytest.mark.parametrize(("read", "sleeve"), [(False, False), (True, True)])
def test_what_is_in_front_of_a_label_is_not_how_it_looks(*, read: bool, sleeve: bool) -> None:
    """Unless the label is read there: then it looks otherwise than it did."""
    track, scene, image = _labelled()
    label, cloth = (
        np.random.default_rng(seed).integers(0, 255, (540, 960)).astype(np.uint8) for seed in (1, 2)
    )
    track.settle(scene, label, 1.0, image)
    if read:
        track.read_s = 2.0
    track.settle(scene, cloth, 2.0, image)
    assert track.patch is not None
    looks = cloth if sleeve else label
    assert np.array_equal(track.patch.gray, looks[30:81, 40:91])


def test_a_sleeve_before_a_label_that_was_pushed_leaves_it_its_whole_look() -> None:
    """As it is taken: half of it is looked for in the next picture."""
    track, scene, image = _labelled()
    label = np.random.default_rng(1).integers(0, 255, (540, 960)).astype(np.uint8)
    track.settle(scene, label, 1.0, image)
    pushed = np.roll(label, (5, -4), (0, 1))
    pushed[:, 80:] = 90
    in_front = np.zeros(image.shape[:2], np.bool_)
    in_front[:, round(80 / scene.scale[0]) :] = True
    assert track.quad_px is not None
    track.quad_px = track.quad_px + np.array([-4, 5], np.float32)
    track.read_s = 2.0
    track.settle(scene, pushed, 2.0, image, in_front)
    assert track.whole
    assert track.patch is not None
    assert (track.patch.x, track.patch.y) == (36, 35)
    assert np.array_equal(track.patch.gray, label[30:81, 40:91])
    # Once nobody is there it is looked at anew.
    track.settle(scene, pushed, 3.0, image)
    assert not np.array_equal(track.patch.gray, label[30:81, 40:91])


def _labelled() -> tuple[Track, Scene, NDArray[np.float32]]:
    """A thing with a label, the scene, and a black small picture of it."""
    track = _track(np.array([[20, 20], [120, 20], [120, 100], [20, 100]], np.float64))
    track.quad_px = np.array([[40, 30], [90, 30], [90, 80], [40, 80]], np.float32)
    scene = Scene(960, 540, SceneSettings())
    return track, scene, np.zeros((scene.size[1], scene.size[0], 3), np.float32)


def _track(face: NDArray[np.float64]) -> Track:
    place = Place(Scene(960, 540, SceneSettings()), face, None)
    return Track(1, Votes(2), face, Depth(0.0, 0.01), 0.01, place, t0_s=0.0)


@pytest.mark.parametrize("state", ["stands", "gone"])
def test_the_wall_is_known_also_where_somebody_is_before_it(state: str) -> None:
    """Who takes a parcel stands before all that is near it (`taken-by-nobody/5065`)."""
    scene = Scene(960, 540, SceneSettings())
    rows = np.linspace(90, 200, 540).astype(np.uint8)[:, None, None]
    wall = np.broadcast_to(rows, (540, 960, 3)).copy()
    before = wall.copy()
    before[200:300, 400:500] = (40, 60, 90)
    before[200:300, 520:560] = (150, 100, 60)
    scene.step(0.0, before)
    face = np.array([[400, 200], [500, 200], [500, 300], [400, 300]], np.float64)
    place = Place(scene, face, None)
    beside = Place(scene, np.array([[520, 200], [560, 200], [560, 300], [520, 300.0]]), None)
    after = before.copy()
    after[60:460, 250:760] = (30, 120, 40)
    after[200:300, 400:500] = wall[200:300, 400:500]
    for t_s in (1.0, 2.0, 3.0):
        seen = scene.step(t_s, after)
    assert seen is not None
    tracks: Any = [SimpleNamespace(state="stands", place=place),
                   SimpleNamespace(state=state, place=beside)]  # fmt: skip
    known = wall_of(scene, seen, tracks)
    assert place.view(scene, seen, BareWall(seen.image, ~seen.changed)).bare == 0.0
    assert place.view(scene, seen, known).bare > 0.9
    # What stands beside it, or stood where somebody is now, is no wall.
    assert not known.free[beside.mask].any()
    assert np.abs(known.image[~seen.changed] - seen.image[~seen.changed]).max() == 0.0
    assert scene.image is not None
    hidden = seen.changed & ~place.grown(4) & ~beside.grown(4)
    assert np.abs(known.image - scene.image)[hidden].max() < 0.02
