"""Settings of vision.reaches: what belongs together, and how long to wait for the rest."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Contract

__all__ = ["ReachSettings"]


class ReachSettings(Contract):
    """Lengths along the shelf in metres, times in seconds."""

    place_m: Annotated[float, Field(gt=0, le=2, description="one act is no wider")] = 0.3
    same_m: Annotated[
        float, Field(gt=0, le=1, description="closer than this, boards may be confused")
    ] = 0.15
    hand_m: Annotated[float, Field(gt=0, le=2, description="a hand acts within")] = 0.4
    hand_s: Annotated[float, Field(ge=0, le=5, description="and this long before and after")] = 0.7
    together_s: Annotated[float, Field(ge=0, le=2, description="steps so close are one act")] = 0.2
    rest_s: Annotated[float, Field(ge=0, le=5, description="plates still shake after an act")] = 0.5
    echo_share: Annotated[
        float, Field(ge=0, le=0.5, description="a step so small beside another is its echo")
    ] = 0.08
    settle_s: Annotated[float, Field(ge=0, le=5, description="wait for more of the same act")] = (
        0.35
    )
    look_s: Annotated[
        float, Field(ge=0, le=10, description="wait for the camera's word once it can see")
    ] = 1.2
    covered_s_max: Annotated[
        float, Field(ge=0, le=60, description="wait no longer, even if still covered")
    ] = 8.0
    memory_s: Annotated[
        float, Field(ge=0, le=300, description="late evidence of told acts is known so long")
    ] = 30.0
    hands_max: Annotated[int, Field(ge=1, le=64, description="hands remembered")] = 16
    hands_told: Annotated[int, Field(ge=1, le=16, description="hands in one message")] = 4
    steps_max: Annotated[int, Field(ge=1, le=64, description="gram steps in one message")] = 32
    changes_max: Annotated[int, Field(ge=1, le=16, description="changes in one message")] = 16
