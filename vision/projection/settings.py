"""What can be set about showing marks at a wall; every value with its range and reason."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BeamSettings"]


class BeamSettings(BaseModel):
    """Frozen; all lengths on the wall."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    residual_mm_max: Annotated[
        float, Field(gt=0, le=50, description="a calibration with more (p95) is refused")
    ] = 5.0
    bumped_mm: Annotated[
        float, Field(gt=0, le=100, description="check dots farther off than this: it was bumped")
    ] = 7.0
    seen_mm: Annotated[
        float, Field(gt=0, le=100, description="a mark this near to where it should be is seen")
    ] = 8.0
    mark_off_mm: Annotated[
        float, Field(gt=0, le=200, description="a mark farther off goes dark until it is mended")
    ] = 18.0
    hidden_s_max: Annotated[
        float, Field(gt=0, le=30, description="longer hidden things are not marked for taking")
    ] = 2.0
    covered_s_max: Annotated[
        float,
        Field(gt=0, le=30, description="what shone on what is hidden since goes dark after"),
    ] = 0.5
    camera_quiet_s_max: Annotated[
        float, Field(gt=0, le=30, description="without pictures for longer nothing invites")
    ] = 2.0
    settle_s: Annotated[
        float,
        Field(ge=0, le=2, description="from a picture's being sent to its being on the wall"),
    ] = 0.12
    step_s_max: Annotated[
        float, Field(gt=0, le=60, description="a calibration step waits so long for a capture")
    ] = 4.0
    retry_s: Annotated[
        float, Field(gt=0, le=3600, description="a refused calibration is tried again after")
    ] = 20.0
    quiet_s: Annotated[
        float, Field(ge=0, le=60, description="nothing moves for so long: nobody is in front")
    ] = 1.5
    impatient_s: Annotated[
        float,
        Field(ge=0, le=600, description="and if it never is, stripes are thrown all the same"),
    ] = 5.0
    idle_check_s: Annotated[
        float, Field(gt=0, le=3600, description="how often dots are shown with nobody served")
    ] = 10.0
    served_check_s: Annotated[
        float, Field(gt=0, le=60, description="how often dots are shown while somebody is served")
    ] = 1.0
    suspect_check_s: Annotated[
        float, Field(gt=0, le=60, description="and while it is off and somebody may be in front")
    ] = 6.0
    blink_s: Annotated[float, Field(ge=0.2, le=4, description="a blink's period")] = 0.5
    brightness: Annotated[float, Field(ge=0.05, le=1, description="of marks")] = 1.0
    dot_brightness: Annotated[float, Field(ge=0.05, le=1, description="of check dots")] = 0.45
    stroke_mm: Annotated[float, Field(ge=3, le=60, description="width of a mark's lines")] = 12.0
    margin_mm: Annotated[
        float, Field(ge=0, le=60, description="marks stay this far inside a thing's outline")
    ] = 6.0
    correction_mm_max: Annotated[
        float, Field(ge=0, le=100, description="how far a mark may be steered by what is seen")
    ] = 30.0
