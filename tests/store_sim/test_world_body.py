"""Bodies: proportions, reach, gait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.store_file import load_store_file
from store_sim.scene import JOINTS, POSITION_STEP_M, BodyPose
from store_sim.truth import TruthVisit
from store_sim.world import HandGoal, build_pose, sample_appearance
from store_sim.world.acts import target_of
from store_sim.world.anatomy import frame_of
from store_sim.world.body import stride_length_m
from store_sim.world.hold import in_hand
from store_sim.world.posture import STAND_MAX_M, STAND_MIN_M, reach_posture
from store_sim.world.scenario import VisitPlan
from store_sim.world.shopper import Shopper
from store_sim.world.stock import Stock, bay_point

ROW = {name: row for row, name in enumerate(JOINTS)}
ROOT = Path(__file__).parents[2]


def _joint(pose: BodyPose, name: str) -> np.ndarray:
    joint: np.ndarray = pose.joints_m[ROW[name]]
    return joint


@pytest.mark.parametrize("seed", range(4))
def test_fingertips_reach_the_front_and_the_back_of_every_slot(seed: int) -> None:
    """For short and tall people, either hand, all 24 slots, every column, first and last row."""
    store = load_store_file(ROOT / "store_sim" / "stores" / "demo.yaml")
    rng = np.random.default_rng(seed)
    stock = Stock(store, rng)
    appearance = sample_appearance(rng)
    person = Shopper(
        index=0, plan=VisitPlan(0.0, ()), appearance=appearance, frame=frame_of(appearance),
        rng=rng, truth=TruthVisit(0), x=0.0, y=0.0, heading=0.0, pace_m_s=1.0,
        performance=iter(()),
    )  # fmt: skip
    for slot_id, place in stock.places.items():
        hand = "l" if rng.random() < 0.5 else "r"
        for column in {0, place.slot.facings - 1}:
            pile = stock.columns[(slot_id, column)]
            for item in (pile[-1], pile[0]):
                base = bay_point(place.bay, item.u_m, item.v_m, place.board.z_m)
                target = target_of(person, place, base, hand, item.product)
                posture = reach_posture(
                    appearance, hand, tip_in_m=target.depth_m,
                    tip_aside_m=0.12 if hand == "l" else -0.12, tip_z_m=target.tip_m[2],
                    direction=(0.995, 0.0, -0.0995), roof_z_m=place.roof_z_m,
                )  # fmt: skip
                aside = 0.12 if hand == "l" else -0.12
                left = (-target.inward[1], target.inward[0])
                back = posture.stand_m + target.depth_m
                root = (
                    target.tip_m[0] - aside * left[0] - back * target.inward[0],
                    target.tip_m[1] - aside * left[1] - back * target.inward[1],
                )
                goal = HandGoal(target.tip_m, target.direction)
                pose = build_pose(
                    appearance, root, target.heading_rad, posture.lean, posture.crouch,
                    goal if hand == "l" else None, goal if hand == "r" else None,
                    twist=posture.twist,
                )  # fmt: skip
                tip = _joint(pose, f"{hand}_fingertip")
                assert np.linalg.norm(tip - target.tip_m) < 0.004, (slot_id, hand)
                assert STAND_MIN_M <= posture.stand_m <= STAND_MAX_M
                assert target.ahead_m(*_joint(pose, "head")[:2]) > 0.05, "head in the shelf"
                # What the hand then holds is where the item stood.
                held, _ = in_hand(pose, hand, place.product.packaging, target.heading_rad)
                assert np.linalg.norm(held - base) < 0.02, (slot_id, hand)


def test_bones_keep_their_length_in_any_pose() -> None:
    rng = np.random.default_rng(8)
    for _ in range(40):
        appearance = sample_appearance(rng)
        frame = frame_of(appearance)
        goal = HandGoal(tuple(rng.uniform((-1, -1, 0), (1.5, 1, 2)).tolist()))
        pose = build_pose(
            appearance, (0.0, 0.0), float(rng.uniform(-3, 3)), float(rng.uniform(0, 1.2)),
            float(rng.uniform(0, 1)), goal, None, None, float(rng.uniform(0, 5)),
            float(rng.uniform(0, 1.4)), twist=float(rng.uniform(-0.5, 0.5)),
        )  # fmt: skip
        for a, b, length in (
            ("l_shoulder", "l_elbow", frame.upper_arm),
            ("l_elbow", "l_wrist", frame.forearm),
            ("l_wrist", "l_fingertip", frame.hand),
            ("r_shoulder", "r_elbow", frame.upper_arm),
            ("r_hip", "r_knee", frame.thigh),
            ("l_knee", "l_ankle", frame.shank),
        ):
            found = np.linalg.norm(_joint(pose, a) - _joint(pose, b))
            assert found == pytest.approx(length, abs=5e-4), (a, b)
        assert pose.joints_m[ROW["l_hip"] :, 2].min() > 0.0
        steps = pose.joints_m / POSITION_STEP_M
        assert np.abs(steps - np.rint(steps)).max() < 1e-6


def test_feet_on_the_floor_do_not_slide() -> None:
    appearance = sample_appearance(np.random.default_rng(1))
    speed, dt = 1.1, 1 / 60
    phase, x = 0.0, 0.0
    slid, steps = [], 0
    last = None
    for _ in range(240):
        pose = build_pose(appearance, (x, 0.0), 0.0, walk_phase=phase, walk_speed=speed)
        ankle = _joint(pose, "l_ankle")
        standing = 0.04 < phase % 1.0 < 0.5
        if last is not None and standing:
            slid.append(abs(ankle[0] - last[0]))
            steps += 1
        last = ankle
        x += speed * dt
        phase += speed * dt / stride_length_m(appearance.stature_m, speed)
    assert steps > 50
    assert max(slid) < 0.004


def test_people_look_different() -> None:
    rng = np.random.default_rng(5)
    crowd = [sample_appearance(rng) for _ in range(200)]
    statures = [person.stature_m for person in crowd]
    assert max(statures) - min(statures) > 0.3
    assert len({person.hair for person in crowd}) == 5
    assert len({person.top_pattern for person in crowd}) == 4
    assert len({person.top_rgb for person in crowd}) > 150
    assert {person.sleeves for person in crowd} == {"short", "long"}
