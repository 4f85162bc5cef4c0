"""Settings of attribution: how far each sensor is trusted and when a belief is clear enough.

Probabilities that end in `_p` are priors or fault rates; `_sd_` is a standard deviation. Every
likelihood is a mixture of a sharp model and a flat one, so no single sensor can outvote all others.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AttributionSettings",
    "Beliefs",
    "CameraTrust",
    "Habits",
    "Limits",
    "PeopleTrust",
    "PlateTrust",
]

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PlateTrust(_Settings):
    """The weighing plates."""

    base_sd_g: Annotated[
        float, Field(gt=0, le=50, description="spread of a board's total beyond the steps' own")
    ] = 2.5
    cross_talk_share: Annotated[
        float, Field(ge=0, le=0.5, description="spread of a step as a share of the weight moved")
    ] = 0.025
    echo_bias_share: Annotated[
        float, Field(ge=0, le=0.2, description="what echoes add to a board's total, as a share")
    ] = 0.01
    wobble_sd_g: Annotated[
        float, Field(gt=0, le=50, description="spread of steps that nothing explains")
    ] = 5.0
    echo_share: Annotated[
        float, Field(ge=0, le=0.5, description="echo on other plates as a share of the largest")
    ] = 0.03
    outlier_p: Annotated[_Rate, Field(description="share of totals that fit no model")] = 0.02
    outlier_partial_p: Annotated[
        _Rate, Field(description="the same where plates were not weighing all through")
    ] = 0.25
    stray_p: Annotated[_Rate, Field(description="share of plates that step for no reason")] = 0.006
    flat_per_g: Annotated[
        float, Field(gt=0, le=1, description="density of an unexplained step, per gram")
    ] = 1.0 / 1500.0
    miss_p: Annotated[_Rate, Field(description="a weight moved and no step was reported")] = 0.0005
    least_g: Annotated[
        float, Field(gt=0, le=500, description="weights about this small may go unnoticed")
    ] = 12.0
    place_sd_m: Annotated[
        float, Field(gt=0, le=0.5, description="spread of the centroid of the steps")
    ] = 0.035
    place_outlier_p: Annotated[
        _Rate, Field(description="the centroid says nothing of the place")
    ] = 0.02
    share_p: Annotated[_Rate, Field(description="a second plate bears part of the weight")] = 0.25
    active_share: Annotated[
        float, Field(gt=0, lt=1, description="steps above this share of the largest are no echo")
    ] = 0.12


class CameraTrust(_Settings):
    """The shelf cameras."""

    action_limit: Annotated[
        float, Field(gt=0, le=30, description="most nats one change may say of the action")
    ] = 6.0
    product_limit: Annotated[
        float, Field(gt=0, le=30, description="most nats one crop may say of the product")
    ] = 5.0
    pieces_limit: Annotated[
        float, Field(gt=0, le=30, description="most nats one change may say of the quantity")
    ] = 5.0
    temper: Annotated[
        _Share, Field(description="exponent on likelihoods of pictures, against overconfidence")
    ] = 0.85
    seen_p: Annotated[_Rate, Field(description="a change of the shelf is seen as one")] = 0.92
    spurious_p: Annotated[_Rate, Field(description="a change seen where nothing changed")] = 0.15
    place_sd_m: Annotated[
        float, Field(gt=0, le=0.5, description="spread of a change's edges along the board")
    ] = 0.04
    place_outlier_p: Annotated[_Rate, Field(description="the change is elsewhere")] = 0.02
    hand_u_sd_m: Annotated[
        float, Field(gt=0, le=0.5, description="from the deepest hand to the item, along u")
    ] = 0.07
    hand_z_sd_m: Annotated[
        float, Field(gt=0, le=0.5, description="from the deepest hand to the item, along z")
    ] = 0.06
    hand_outlier_p: Annotated[_Rate, Field(description="the hand's place misleads")] = 0.06
    hand_missed_p: Annotated[_Rate, Field(description="the hand that did it was not seen")] = 0.02
    held_certainty: Annotated[
        float, Field(gt=0.5, lt=1, description="held probabilities are clipped to this")
    ] = 0.97
    held_again_p: Annotated[
        _Rate, Field(description="the hand holds something else as well, before or after")
    ] = 0.12
    late_s: Annotated[
        float, Field(ge=0, le=10, description="slack between a hand and its change or step")
    ] = 0.8
    late_nats: Annotated[
        float, Field(ge=0, le=20, description="cost of a change outside the hand's time")
    ] = 2.5


class PeopleTrust(_Settings):
    """The floor's tracks: who stood where."""

    stand_m: Annotated[
        float, Field(gt=0, le=2, description="usual distance of a reaching body from the front")
    ] = 0.5
    stand_sd_m: Annotated[float, Field(gt=0, le=2, description="its spread")] = 0.2
    lateral_sd_m: Annotated[
        float, Field(gt=0, le=2, description="spread of the body along the front about the hand")
    ] = 0.26
    stand_outlier_p: Annotated[_Rate, Field(description="a posture that fits no model")] = 0.02
    elsewhere_per_m2: Annotated[
        float, Field(gt=0, le=10, description="density of people who are not reaching")
    ] = 0.15
    wrist_sd_m: Annotated[
        float, Field(gt=0, le=2, description="spread of a wrist about the place")
    ] = 0.15
    wrist_outlier_p: Annotated[_Rate, Field(description="the wrist is somebody else's")] = 0.12
    wrist_absent_p: Annotated[
        _Rate, Field(description="no wrist is seen although the person reaches")
    ] = 0.5
    wrist_other_p: Annotated[
        _Rate, Field(description="a wrist that is seen elsewhere is the other one")
    ] = 0.6
    wrist_depth_m: Annotated[
        float, Field(gt=0, le=2, description="how far inside the shelf a wrist may be")
    ] = 0.35
    body_outlier_p: Annotated[
        _Rate, Field(description="the body the shelf camera saw is not the hand's")
    ] = 0.08
    arm_sd_deg: Annotated[float, Field(gt=0, le=180, description="spread of the arm")] = 28.0
    arm_outlier_p: Annotated[_Rate, Field(description="the arm's direction misleads")] = 0.15
    temper: Annotated[
        _Share, Field(description="exponent on likelihoods of people, against overconfidence")
    ] = 0.9
    unseen_p: Annotated[
        _Rate, Field(description="prior that the reaching person has no track at all")
    ] = 0.01
    drift_m2_per_s: Annotated[
        float, Field(gt=0, le=10, description="growth of a track's variance where it has no point")
    ] = 0.35
    speed_m_s: Annotated[
        float, Field(gt=0, le=5, description="speed that turns clock error into metres")
    ] = 0.6
    lost_s: Annotated[
        float, Field(gt=0, le=60, description="how long after its last point a track may reach")
    ] = 6.0
    edge_s: Annotated[
        float, Field(ge=0, le=10, description="slack about a visit's entry and exit")
    ] = 0.6
    owners_max: Annotated[int, Field(ge=1, le=16, description="people weighed per hand")] = 5


class Habits(_Settings):
    """What shoppers do, before any sensor speaks."""

    nothing_p: Annotated[_Rate, Field(description="a reach changes nothing")] = 0.35
    pick_p: Annotated[_Rate, Field(description="a reach takes something")] = 0.47
    put_back_p: Annotated[_Rate, Field(description="a reach puts something back")] = 0.18
    quantity_p: Annotated[
        tuple[_Rate, _Rate, _Rate], Field(description="one, two, three pieces at once")
    ] = (0.9, 0.08, 0.02)
    behind_p: Annotated[
        _Rate, Field(description="of pieces taken at once, so many stood behind one another")
    ] = 0.2
    two_articles_p: Annotated[_Rate, Field(description="a second article in the same reach")] = 0.06
    home_p: Annotated[_Rate, Field(description="what is put back goes to its own place")] = 0.85
    misplaced_taken_p: Annotated[
        _Rate, Field(description="an item known to be misplaced, against the place's own product")
    ] = 0.6
    behind_stray_p: Annotated[
        _Rate, Field(description="the place's own product is taken from behind a misplaced item")
    ] = 0.15
    stray_away_p: Annotated[
        _Rate, Field(description="a misplaced item is taken from elsewhere than it was put")
    ] = 0.1
    stray_p: Annotated[
        _Rate, Field(description="an item stands where neither planogram nor history puts it")
    ] = 0.002
    empty_p: Annotated[_Rate, Field(description="a place believed empty is not")] = 0.03
    foreign_p: Annotated[
        _Rate, Field(description="somebody puts back what nobody saw them take")
    ] = 0.02
    told_twice_p: Annotated[_Rate, Field(description="one act is told as two reaches")] = 0.08
    same_hand_p: Annotated[
        _Rate, Field(description="one hand does two things before it comes out")
    ] = 0.2
    both_hands_p: Annotated[_Rate, Field(description="one body at two places at the same time")] = (
        0.05
    )


class Beliefs(_Settings):
    """When a belief is clear enough to act on."""

    certain_p: Annotated[
        _Rate, Field(description="bar above which a pick moves the cart and is charged")
    ] = 0.7
    put_back_p: Annotated[_Rate, Field(description="bar above which a put-back is believed")] = 0.5
    nothing_p: Annotated[
        _Rate, Field(description="bar above which a reach is taken as nothing for anybody")
    ] = 0.5
    news_p: Annotated[
        _Rate, Field(description="an unclear decision is told again when it moved this far")
    ] = 0.15
    frozen_p: Annotated[
        _Rate, Field(description="a reach this clear is settled once it is old enough")
    ] = 0.9995


class Limits(_Settings):
    """Bounds of time and memory."""

    hypotheses_max: Annotated[
        int, Field(ge=2, le=4096, description="joint hypotheses kept per group of reaches")
    ] = 64
    hypotheses_nats: Annotated[
        float, Field(gt=1, le=100, description="worse than the best by this much is dropped")
    ] = 9.0
    choices_max: Annotated[int, Field(ge=2, le=256, description="explanations per reach")] = 24
    choices_nats: Annotated[
        float, Field(gt=1, le=100, description="an explanation worse by this much is dropped")
    ] = 10.0
    live_max: Annotated[
        int, Field(ge=1, le=4096, description="undecided reaches; beyond, the oldest is settled")
    ] = 256
    group_max: Annotated[
        int, Field(ge=1, le=256, description="reaches solved together; beyond, the oldest leave")
    ] = 24
    freeze_after_s: Annotated[
        float, Field(ge=0, le=3600, description="how long late news may still change a clear reach")
    ] = 30.0
    live_s: Annotated[
        float, Field(ge=1, le=36000, description="the oldest an unclear reach may grow")
    ] = 1800.0
    track_wait_s: Annotated[
        float, Field(ge=0, le=60, description="how long a closed reach waits for the floor")
    ] = 1.5
    track_lead_s: Annotated[
        float, Field(ge=0, le=10, description="how far past a reach the floor must be known")
    ] = 0.3
    fine_s: Annotated[
        float, Field(ge=1, le=3600, description="age up to which tracks keep every point")
    ] = 90.0
    coarse_step_s: Annotated[float, Field(gt=0, le=60, description="spacing of older points")] = 0.5
    points_max: Annotated[
        int, Field(ge=16, le=100_000, description="points per track; the oldest are dropped")
    ] = 4096
    tracks_max: Annotated[
        int, Field(ge=4, le=10_000, description="tracks; the longest silent is dropped")
    ] = 256
    told_max: Annotated[
        int, Field(ge=16, le=1_000_000, description="reaches remembered against duplicates")
    ] = 8192
    opened_max: Annotated[
        int, Field(ge=1, le=100_000, description="open reaches remembered; the oldest is dropped")
    ] = 512


class AttributionSettings(_Settings):
    """All of it."""

    plates: PlateTrust = PlateTrust()
    camera: CameraTrust = CameraTrust()
    people: PeopleTrust = PeopleTrust()
    habits: Habits = Habits()
    beliefs: Beliefs = Beliefs()
    limits: Limits = Limits()
