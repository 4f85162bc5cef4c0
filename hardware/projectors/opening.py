"""From a projector of a wall's file to its driver, by the scheme of its uri.

window:N       full screen on the desktop's screen N; window:N?x=1920&y=0 where it cannot be asked
shm://NAME     a shared-memory ring on this machine
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from contracts import wall
from hardware.errors import UnknownDriverError
from hardware.ports import Projector
from hardware.projectors.shm import ShmProjector, ShmProjectorSettings
from hardware.projectors.window import WindowProjector, WindowProjectorSettings
from hardware.uris import unusable_uri

__all__ = ["open_projector", "projector_settings"]


def projector_settings(
    projector: wall.Projector, *, shm_root: Path | None = None
) -> ShmProjectorSettings | WindowProjectorSettings:
    """The driver settings that a uri stands for; UnknownDriverError, DeviceOpenError."""
    uri, lens = projector.uri, projector.intrinsics
    scheme, _, rest = uri.partition(":")
    values: dict[str, Any] = {"width": lens.width, "height": lens.height, "root": shm_root}
    try:
        if scheme == "shm":
            return ShmProjectorSettings(name=rest.removeprefix("//"), **values)
        if scheme == "window":
            screen, _, query = rest.partition("?")
            options = dict(parse_qsl(query))
            return WindowProjectorSettings.model_validate({**options, "screen": screen, **values})
    except ValidationError as error:
        raise unusable_uri(f"projector {projector.projector_id}", uri, error) from error
    raise UnknownDriverError(
        f"projector {projector.projector_id}: expected a uri that begins with window: or shm://, "
        f"got {uri!r}; correct the wall's file"
    )


def open_projector(projector: wall.Projector, *, shm_root: Path | None = None) -> Projector:
    """Opens the projector that a uri names.

    UnknownDriverError for a scheme nobody knows; DeviceOpenError, which names the uri and the fix,
    if it cannot be opened.
    """
    settings = projector_settings(projector, shm_root=shm_root)
    if isinstance(settings, ShmProjectorSettings):
        return ShmProjector(projector.projector_id, settings)
    return WindowProjector(projector.projector_id, settings)
