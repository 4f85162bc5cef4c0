"""Settings of vision.floor: how people move, how sure a new track is, when one is lost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Contract

__all__ = ["FloorSettings"]


class FloorSettings(Contract):
    """Metres, seconds and standard deviations of the floor tracker."""

    tell_s: Annotated[float, Field(gt=0, le=5, description="between two points of a track")] = 0.25
    acceleration_sd: Annotated[float, Field(gt=0, le=20, description="m/s^2 per sqrt(Hz)")] = 1.2
    head_z_m: Annotated[
        float, Field(ge=0.5, le=2.2, description="the height the ceiling cameras assume")
    ] = 1.62
    solid_margin_m: Annotated[
        float, Field(ge=0, le=1, description="heads deeper than this over shelves are ghosts")
    ] = 0.2
    head_z_min_m: Annotated[float, Field(ge=0.2, le=2.2)] = 0.6
    head_z_max_m: Annotated[float, Field(ge=0.5, le=2.5)] = 2.0
    stature_sd_m: Annotated[float, Field(gt=0, le=1, description="of heads as people come")] = 0.1
    height_sd_m: Annotated[float, Field(gt=0, le=1, description="of heads as people stoop")] = 0.18
    height_back_s: Annotated[float, Field(gt=0, le=60, description="until upright again")] = 2.0
    point_sd_m: Annotated[float, Field(gt=0, le=1, description="of a head but for height")] = 0.06
    speed_sd: Annotated[float, Field(gt=0, le=5, description="m/s, of somebody unseen")] = 1.0
    gate_sds: Annotated[float, Field(gt=0, le=20)] = 3.5
    gate_sd_min_m: Annotated[float, Field(gt=0, le=2)] = 0.18
    gate_new_m: Annotated[float, Field(gt=0, le=5, description="of a track not yet sure")] = 0.6
    gate_max_m: Annotated[float, Field(gt=0, le=5)] = 1.2
    colour_sd: Annotated[float, Field(gt=0, le=255, description="levels, between cameras")] = 25.0
    colour_cost_max: Annotated[float, Field(ge=0, le=20)] = 8.0
    colour_free: Annotated[
        float, Field(ge=0, le=20, description="a misfit of colour that only ranks, not excludes")
    ] = 3.0
    birth_score_min: Annotated[float, Field(ge=0, le=1, description="to begin a track")] = 0.12
    sure_score: Annotated[float, Field(gt=0, le=1, description="a sighting that counts full")] = 0.4
    vague_weight: Annotated[float, Field(ge=0, le=1, description="of a vague sighting")] = 0.6
    birth_hits: Annotated[float, Field(ge=1, le=100)] = 3.0
    birth_age_s: Annotated[float, Field(ge=0, le=5)] = 0.25
    birth_hits_two_cameras: Annotated[float, Field(ge=1, le=100)] = 2.0
    birth_miss: Annotated[float, Field(ge=0, le=10, description="a camera misses it")] = 0.35
    covered_px: Annotated[float, Field(ge=0, le=500, description="so far inside a picture")] = 40.0
    belief_gain: Annotated[float, Field(gt=0, le=1, description="a camera sees a track")] = 0.05
    belief_loss: Annotated[float, Field(gt=0, le=1, description="a camera misses it")] = 0.02
    proven_s: Annotated[float, Field(ge=0, le=60, description="younger tracks just end")] = 4.0
    rival_m: Annotated[float, Field(ge=0, le=5, description="a new track so near")] = 1.3
    tentative_s: Annotated[float, Field(gt=0, le=10, description="unsure tracks wait so long")] = (
        0.6
    )
    vague_sd_m: Annotated[float, Field(gt=0, le=2, description="vaguer: placed without a head")] = (
        0.195
    )
    whole_sd_m: Annotated[
        float, Field(gt=0, le=2, description="vaguer: a body cut by the picture's border")
    ] = 0.25
    beside_m: Annotated[float, Field(ge=0, le=3, description="bodies so far apart are two")] = 0.55
    vague_apart_m: Annotated[float, Field(ge=0, le=3)] = 0.7
    apart_m: Annotated[float, Field(ge=0, le=2, description="two people are no nearer")] = 0.3
    tracks_max: Annotated[int, Field(ge=1, le=1000)] = 64
    coast_after_s: Annotated[float, Field(ge=0, le=10)] = 0.3
    coast_fade_s: Annotated[float, Field(gt=0, le=10)] = 0.5
    coast_sd_max_m: Annotated[float, Field(gt=0, le=5)] = 0.8
    lost_after_s: Annotated[float, Field(gt=0, le=60)] = 4.0
    leave_after_s: Annotated[float, Field(gt=0, le=60, description="unseen at a gate")] = 1.2
    outside_m: Annotated[float, Field(ge=0, le=5)] = 0.1
    gate_near_m: Annotated[float, Field(ge=0, le=5)] = 0.45
    double_m: Annotated[float, Field(ge=0, le=2)] = 0.3
    double_vague_m: Annotated[float, Field(ge=0, le=3, description="one of them headless")] = 0.9
    headless_s: Annotated[float, Field(gt=0, le=60, description="no head seen for so long")] = 1.5
    double_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    relink_s: Annotated[float, Field(ge=0, le=600, description="lost tracks kept")] = 20.0
    relink_after_s: Annotated[float, Field(ge=0, le=60)] = 0.6
    relink_speed: Annotated[float, Field(ge=0, le=5, description="m/s while unseen")] = 0.8
    relink_max_m: Annotated[float, Field(ge=0, le=20)] = 2.5
    relink_colour_sds: Annotated[float, Field(gt=0, le=20)] = 2.5
    relink_margin: Annotated[float, Field(ge=0, le=20, description="second best is worse by")] = 1.0
    lost_kept_max: Annotated[int, Field(ge=1, le=1000)] = 64
    arm_m: Annotated[float, Field(gt=0, le=2, description="a wrist is no further off")] = 0.95
    wrist_margin_m: Annotated[float, Field(ge=0, le=1)] = 0.12
    wrist_score_min: Annotated[float, Field(ge=0, le=1)] = 0.25
