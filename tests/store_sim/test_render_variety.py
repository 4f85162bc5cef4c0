"""The varied crowd: who differs, who stays as ever, staff and children."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from store_sim.render.bodies import body_model, head_scale, pose_body
from store_sim.scene import JOINTS, PARTS, Appearance
from store_sim.world.anatomy import (
    CHILD_MAX_M,
    CHILD_MIN_M,
    UNIFORM_RGB,
    child_of,
    sample_appearance,
    uniform_of,
)
from store_sim.world.body import HandGoal, build_pose

WORN: tuple[dict[str, object], ...] = (
    {"hat": "beanie"}, {"hat": "brim"}, {"hat": "hood"}, {"hat": "headscarf"},
    {"glasses": "clear"}, {"glasses": "dark"}, {"beard": "full"}, {"beard": "stubble"},
    {"bag": "tote"}, {"bag": "basket"}, {"bag": "crossbody"}, {"bag": "rucksack"},
    {"coat": "jacket"}, {"coat": "long"}, {"sleeves": "wide"}, {"bottom": "shorts"},
    {"bottom": "skirt"}, {"bottom": "long_skirt"}, {"bottom_pattern": "checks"},
    {"gloves_rgb": (60, 70, 120)}, {"hands": "fine"}, {"belly": 0.8}, {"shoulders": 1.1},
    {"apron_rgb": (30, 30, 30)}, {"name_strip": True}, {"top_pattern": "floral"},
)  # fmt: skip


def varied(seed: int, variety: float = 1.0) -> Appearance:
    return sample_appearance(np.random.default_rng(seed), variety)


def test_no_variety_is_the_plain_crowd_and_draws_no_more() -> None:
    for seed in range(20):
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        assert sample_appearance(one) == sample_appearance(other, variety=0.0)
        assert one.random() == other.random()


def test_variety_dresses_the_same_person_and_repeats() -> None:
    for seed in range(20):
        plain, dressed = varied(seed, 0.0), varied(seed)
        assert dressed == varied(seed)
        assert (dressed.skin_rgb, dressed.hair_rgb) == (plain.skin_rgb, plain.hair_rgb)
        assert dressed.hands == "fine"


def test_more_variety_wears_more() -> None:
    def worn(variety: float) -> dict[str, int]:
        looks = [varied(seed, variety) for seed in range(400)]
        return {
            "hat": sum(look.hat != "none" for look in looks),
            "bag": sum(look.bag != "seeded" for look in looks),
            "gloves": sum(look.gloves_rgb is not None for look in looks),
            "skirt": sum("skirt" in look.bottom for look in looks),
        }

    little, much = worn(0.2), worn(1.0)
    assert all(0 < little[name] < much[name] < 300 for name in much)
    looks = [varied(seed) for seed in range(400)]
    assert {look.hat for look in looks} == {"none", "beanie", "brim", "hood", "headscarf"}
    assert {"tote", "basket", "crossbody", "rucksack"} <= {look.bag for look in looks}


@pytest.mark.parametrize("seed", range(0, 40, 5))
def test_a_varied_body_is_sound(seed: int) -> None:
    look = varied(seed)
    model = body_model(look)
    assert len(model.tris) < 2600
    pose = build_pose(look, (1.0, 2.0), 0.7, lean=0.4, right_target=HandGoal((1.4, 2.3, 1.2)))
    pos, normal = pose_body(model, pose)
    assert np.isfinite(pos).all()
    assert np.isfinite(normal).all()
    assert model.mats.max() < len(model.bank.levels)
    joints = pose.joints_m
    assert (pos.min(axis=0) > joints.min(axis=0) - 0.55).all()
    assert (pos.max(axis=0) < joints.max(axis=0) + 0.55).all()


@pytest.mark.parametrize("change", WORN, ids=lambda change: "-".join(map(str, change.items())))
def test_each_thing_worn_changes_the_body(change: dict[str, object]) -> None:
    plain = replace(varied(3, 0.0), hair="short")
    other = replace(plain, **change)  # type: ignore[arg-type]
    a, b = body_model(plain), body_model(other)
    same_shape = a.local.shape == b.local.shape and (a.local == b.local).all()
    same_paint = (
        a.bank.texels.shape == b.bank.texels.shape and (a.bank.texels == b.bank.texels).all()
    )
    assert not (same_shape and same_paint)
    if "bag" in change:
        assert PARTS.index("bag") in b.parts


def test_a_basket_hangs_under_the_forearm() -> None:
    look = replace(varied(3, 0.0), bag="basket")
    model = body_model(look)
    for lean in (0.0, 0.9):
        pose = build_pose(look, (0.0, 0.0), 0.0, lean=lean, left_target=HandGoal((0.5, 0.2, 1.1)))
        pos, _ = pose_body(model, pose)
        bag = pos[np.unique(model.tris[model.parts == PARTS.index("bag")])]
        elbow = pose.joints_m[JOINTS.index("l_elbow")]
        assert bag[:, 2].max() < elbow[2] + 0.3
        assert bag[:, 2].max() - bag[:, 2].min() == pytest.approx(0.41, abs=0.06)


def test_staff_wear_one_clear_colour() -> None:
    for seed in range(10):
        staff = uniform_of(varied(seed))
        assert staff.top_rgb == staff.top2_rgb == UNIFORM_RGB
        assert staff.name_strip
        assert staff.apron_rgb is not None
        model = body_model(staff)
        assert len(model.tris) > len(body_model(replace(staff, apron_rgb=None)).tris)


def test_children_are_small_with_large_heads() -> None:
    for seed in range(10):
        adult = varied(seed)
        child = child_of(adult)
        assert CHILD_MIN_M <= child.stature_m <= CHILD_MAX_M
        share = head_scale(child) / child.stature_m
        assert share > 1.2 * head_scale(adult) / adult.stature_m
        child = replace(child, hat="none", hair="short", bag="none")
        pos, _ = pose_body(body_model(child), build_pose(child, (0.0, 0.0), 0.0))
        assert pos[:, 2].max() == pytest.approx(child.stature_m, abs=0.05)
        assert pos[:, 2].min() == pytest.approx(0.0, abs=0.04)
