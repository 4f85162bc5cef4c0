"""People as meshes: closed surfaces, all parts, hands that curl."""

from __future__ import annotations

import numpy as np
import pytest

from store_sim.render.bodies import body_model, pose_body
from store_sim.scene import JOINTS, PARTS
from store_sim.world.body import HandGoal, build_pose, sample_appearance


@pytest.mark.parametrize("seed", range(8))
def test_surfaces_face_outwards_and_parts_are_there(seed: int) -> None:
    look = sample_appearance(np.random.default_rng(seed))
    model = body_model(look)
    assert len(model.tris) < 1900
    pose = build_pose(look, (1.0, 2.0), 0.7, lean=0.4, right_target=HandGoal((1.4, 2.3, 1.2)))
    pos, normal = pose_body(model, pose)
    a, b, c = (pos[model.tris[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    outward = (face * normal[model.tris].sum(axis=1)).sum(axis=1)
    real = np.linalg.norm(face, axis=1) > 1e-9
    assert (outward[real] > 0).mean() > 0.98
    parts = {PARTS[k] for k in np.unique(model.parts)}
    assert {"torso", "head", "l_arm", "l_hand", "r_arm", "r_hand", "legs"} <= parts


def test_the_head_is_as_high_as_the_person() -> None:
    look = sample_appearance(np.random.default_rng(3))
    pos, _ = pose_body(body_model(look), build_pose(look, (0.0, 0.0), 0.0))
    assert pos[:, 2].max() == pytest.approx(look.stature_m, abs=0.06)
    assert pos[:, 2].min() == pytest.approx(0.0, abs=0.04)


@pytest.mark.parametrize("hand", ["l", "r"])
def test_fingers_reach_the_fingertip_and_curl_into_the_palm(hand: str) -> None:
    look = sample_appearance(np.random.default_rng(5))
    model = body_model(look)
    vertices = np.unique(model.tris[model.parts == PARTS.index(f"{hand}_hand")])
    flat = build_pose(look, (0.0, 0.0), 0.0, grip=(0.0, 0.0))
    fist = build_pose(look, (0.0, 0.0), 0.0, grip=(1.0, 1.0))
    tip = flat.joints_m[JOINTS.index(f"{hand}_fingertip")]
    open_hand, _ = pose_body(model, flat)
    closed, _ = pose_body(model, fist)
    assert np.linalg.norm(open_hand[vertices] - tip, axis=1).min() < 0.02
    assert np.linalg.norm(closed[vertices] - tip, axis=1).min() > 0.03
    # Palms face the body's middle: fingers of hanging hands curl inwards, thumbs lead ahead.
    wrist = flat.joints_m[JOINTS.index(f"{hand}_wrist")]
    inward = -1.0 if hand == "l" else 1.0
    assert inward * (closed[vertices, 1].mean() - open_hand[vertices, 1].mean()) > 0.004
    assert open_hand[vertices, 0].max() - wrist[0] > 0.05


def test_a_model_is_made_once_per_person() -> None:
    look = sample_appearance(np.random.default_rng(6))
    assert body_model(look) is body_model(look)
