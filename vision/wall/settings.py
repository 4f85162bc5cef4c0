"""What can be set about seeing a wall. Brightness is a share of full scale, times are seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Contract
from vision.shelf_gate import GateSettings

__all__ = ["FollowSettings", "MarkerSettings", "ReadSettings", "SceneSettings", "WallSettings"]


class SceneSettings(Contract):
    """The small picture that changes are looked for in, and what counts as one."""

    small_px: Annotated[int, Field(ge=120, le=1920, description="about so wide")] = 480
    wake_levels: Annotated[
        float, Field(gt=0, le=255, description="mean difference of a cell that wakes the camera")
    ] = 4.0
    awake_s: Annotated[float, Field(ge=0.4, le=60, description="awake after the last motion")] = 2.5
    window_px: Annotated[int, Field(ge=3, le=31, description="of the comparison")] = 5
    alike_min: Annotated[float, Field(gt=0, lt=1, description="similarity of what is alike")] = 0.5
    noise: Annotated[float, Field(gt=0, le=0.5, description="contrast taken for noise")] = 0.03
    tint_min: Annotated[float, Field(gt=0, le=1, description="a difference of colour")] = 0.055
    motion_min: Annotated[float, Field(gt=0, le=1, description="a difference to the last")] = 0.04
    flooded_share: Annotated[
        float, Field(gt=0, le=1, description="more changed at once: nothing is judged")
    ] = 0.6
    follow: Annotated[float, Field(ge=0, le=1, description="the reference follows light")] = 0.05


class FollowSettings(Contract):
    """When a thing is taken for gone, moved or new. Shares are of its area or its border."""

    seen_share: Annotated[float, Field(gt=0, le=1, description="less of it changed: seen")] = 0.3
    clear_share: Annotated[
        float, Field(gt=0, le=1, description="so much of the place around it must be clear")
    ] = 0.4
    gone_share: Annotated[
        float, Field(gt=0, le=1, description="and where it is, so much of its border changed")
    ] = 0.7
    bare_share: Annotated[
        float, Field(gt=0, le=1, description="or so much of it has the colours of the wall")
    ] = 0.85
    bare_clear: Annotated[
        float, Field(ge=0, le=1, description="so much around it must be clear to believe a colour")
    ] = 0.25
    bare_border: Annotated[
        float, Field(ge=0, le=1, description="and so much of the border changed along it")
    ] = 0.75
    bare_some: Annotated[
        float, Field(ge=0, le=1, description="of what has gone at least so much shows the wall")
    ] = 0.2
    open_share: Annotated[
        float, Field(ge=0, le=1, description="unless so much of the place around it is clear")
    ] = 0.6
    gone_frames: Annotated[int, Field(ge=1, le=50, description="so many frames agree")] = 2
    settled_frames: Annotated[int, Field(ge=1, le=50, description="a change that lasts")] = 3
    nameless_s: Annotated[
        float, Field(ge=0, le=60, description="a new thing without label is told after so long")
    ] = 1.2
    lost_s: Annotated[
        float, Field(ge=0.2, le=60, description="a moving thing not found for so long is gone")
    ] = 0.8
    alike_ncc: Annotated[
        float, Field(gt=0, le=1, description="correlation of the same label; others reach 0.77")
    ] = 0.85
    moved_ncc: Annotated[float, Field(gt=0, le=1, description="of a thing found elsewhere")] = 0.85
    search_m: Annotated[float, Field(gt=0, le=1, description="how far it is looked for")] = 0.2
    thing_m_min: Annotated[float, Field(gt=0, le=1, description="smaller is nothing")] = 0.06
    thing_m_max: Annotated[float, Field(gt=0, le=3, description="larger is a person")] = 0.75
    remember_s: Annotated[
        float, Field(ge=0, le=86_400, description="a thing that went is known again for so long")
    ] = 3600.0


class ReadSettings(Contract):
    """How much reading a frame may cost."""

    budget_px: Annotated[
        int, Field(ge=10_000, le=50_000_000, description="pixels looked at in a frame")
    ] = 500_000
    confirm_s: Annotated[
        float, Field(gt=0, le=3600, description="every label is read again after so long")
    ] = 30.0
    reads_min: Annotated[int, Field(ge=1, le=10, description="agreeing frames make a label")] = 2
    tries: Annotated[
        int, Field(ge=1, le=100, description="frames a place is read in before it may wait")
    ] = 8
    retry_s: Annotated[
        float, Field(gt=0, le=3600, description="what was not read is tried again after so long")
    ] = 4.0


class MarkerSettings(Contract):
    """How the camera's pose is checked."""

    every_s: Annotated[float, Field(gt=0, le=3600, description="one marker so often")] = 2.0
    off_px: Annotated[
        float, Field(gt=0, le=100, description="farther off at full HD: the camera has moved")
    ] = 4.0


class WallSettings(Contract):
    """One wall camera."""

    scene: SceneSettings = SceneSettings()
    follow: FollowSettings = FollowSettings()
    read: ReadSettings = ReadSettings()
    markers: MarkerSettings = MarkerSettings()
    gate: GateSettings = GateSettings(covered_s=0.5)
