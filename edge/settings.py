"""Settings of a node's core: which sensors it uses, and its patience with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract
from vision.floor_settings import FloorSettings
from vision.plates_settings import PlateSettings

__all__ = ["NodeSettings"]


class NodeSettings(Contract):
    """Frozen; unknown keys are refused. Times in seconds of the node's monotonic clock."""

    sensors: Annotated[
        Literal["both", "camera", "plates"],
        Field(description="camera: plates off; plates: shelf cameras off, ceiling cameras on"),
    ] = "both"
    watermark_s: Annotated[float, Field(gt=0, le=60, description="between two watermarks")] = 0.5
    hindsight_s: Annotated[
        float, Field(ge=0, le=60, description="how far back vision may still date something new")
    ] = 0.75
    covered_wait_s_max: Annotated[
        float, Field(ge=0, le=120, description="a covered stretch holds a watermark no longer")
    ] = 10.0
    health_s: Annotated[float, Field(gt=0, le=60, description="between two pulses")] = 1.0
    frame_age_s_max: Annotated[
        float, Field(gt=0, le=60, description="a camera without a frame for so long is blind")
    ] = 2.0
    plates_age_s_max: Annotated[
        float, Field(gt=0, le=60, description="plates without a reading for so long are dead")
    ] = 1.0
    start_grace_s: Annotated[
        float, Field(ge=0, le=600, description="time for a sensor to give its first reading")
    ] = 5.0
    recover_s: Annotated[
        float, Field(ge=0, le=60, description="a sensor must be well so long to be believed")
    ] = 1.0
    evidence_margin_s: Annotated[
        float, Field(ge=0, le=10, description="kept before and after a reach")
    ] = 0.7
    evidence_s_max: Annotated[
        float, Field(gt=0, le=300, description="longest stretch kept of one reach")
    ] = 20.0
    segments_per_message: Annotated[
        int, Field(ge=1, le=64, description="floor tracks in one message")
    ] = 12
    plates: PlateSettings = PlateSettings()
    floor: FloorSettings = FloorSettings()
