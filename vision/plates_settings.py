"""Settings of vision.plates: what counts as a step of a plate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Contract

__all__ = ["PlateSettings"]


class PlateSettings(Contract):
    """What counts as a step."""

    rate_hz: Annotated[float, Field(ge=15, le=1000, description="readings per second")] = 60.0
    step_g_min: Annotated[float, Field(gt=0, le=1000, description="smallest step told")] = 3.0
    step_sds_min: Annotated[float, Field(ge=2, le=20, description="and in its own sd")] = 4.0
    rest_g_min: Annotated[
        float, Field(gt=0, le=1000, description="smallest step told at a short rest in motion")
    ] = 12.0
    rest_noises_min: Annotated[
        float, Field(ge=2, le=40, description="and in sds of the plate's noise")
    ] = 8.0
    small_g_max: Annotated[
        float, Field(ge=0, le=1000, description="smaller steps are told after a longer look")
    ] = 24.0
    small_sds_max: Annotated[float, Field(ge=0, le=40, description="or in their own sd")] = 10.0
    confirm_s: Annotated[float, Field(ge=0.4, le=5, description="how long that look is")] = 1.0
    echo_sds_min: Annotated[
        float, Field(ge=1, le=20, description="step told beside a neighbour's, in its own sd")
    ] = 2.5
    echo_wait_s: Annotated[
        float, Field(ge=0, le=30, description="small steps wait so long for plates that move")
    ] = 3.0
    echo_g_min: Annotated[float, Field(ge=0, le=1000, description="and in grams")] = 1.5
    echo_window_s: Annotated[float, Field(ge=0, le=5, description="beside means within")] = 0.3
    level_s: Annotated[float, Field(ge=0.5, le=30, description="memory of the idle level")] = 2.0
    warm_up_s: Annotated[float, Field(ge=1, le=60, description="noise is learned first")] = 2.0
    silent_s: Annotated[float, Field(gt=0, le=60, description="dead after no reading for")] = 0.5
    stuck_s: Annotated[float, Field(gt=0, le=600, description="dead after no change for")] = 5.0
    restless_s: Annotated[
        float, Field(gt=0, le=600, description="restless so long: learn a higher noise")
    ] = 10.0
    crowd_plates: Annotated[
        int, Field(ge=2, le=100, description="so many restless at once: wait for them")
    ] = 5
    history_s: Annotated[float, Field(ge=2, le=120, description="readings kept for timing")] = 8.0
    noise_g_min: Annotated[float, Field(gt=0, le=100)] = 0.05
    noise_g_max: Annotated[float, Field(gt=0, le=1000)] = 40.0
