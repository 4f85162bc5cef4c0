"""From a strip of a wall's file to its driver, by the scheme of its uri.

serial:/dev/ttyUSB0    Adalight over a serial line; serial:/dev/ttyUSB0?baud=921600
shm://NAME             a shared-memory ring on this machine
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from contracts.wall import LightStrip
from hardware.errors import UnknownDriverError
from hardware.lights.serial import AdalightSettings, AdalightStrip
from hardware.lights.shm import ShmLight, ShmLightSettings
from hardware.ports import Light
from hardware.uris import unusable_uri

__all__ = ["light_settings", "open_light"]


def light_settings(
    light: LightStrip, *, shm_root: Path | None = None
) -> AdalightSettings | ShmLightSettings:
    """The driver settings that a uri stands for; UnknownDriverError, DeviceOpenError."""
    scheme, _, rest = light.uri.partition(":")
    try:
        if scheme == "shm":
            return ShmLightSettings(name=rest.removeprefix("//"), lamps=light.lamps, root=shm_root)
        if scheme == "serial":
            path, _, query = rest.partition("?")
            options: dict[str, Any] = dict(parse_qsl(query))
            if "baud" in options and str(options["baud"]).isdigit():
                options["baud"] = int(options["baud"])
            return AdalightSettings.model_validate(
                {**options, "path": path.removeprefix("//"), "lamps": light.lamps}
            )
    except ValidationError as error:
        raise unusable_uri(f"light {light.light_id}", light.uri, error) from error
    raise UnknownDriverError(
        f"light {light.light_id}: expected a uri that begins with serial: or shm://, got "
        f"{light.uri!r}; correct the wall's file"
    )


def open_light(light: LightStrip, *, shm_root: Path | None = None) -> Light:
    """Opens the strip that a uri names.

    UnknownDriverError for a scheme nobody knows; DeviceOpenError, which names the uri and the fix,
    if it cannot be opened.
    """
    settings = light_settings(light, shm_root=shm_root)
    if isinstance(settings, ShmLightSettings):
        return ShmLight(light.light_id, settings)
    return AdalightStrip(light.light_id, settings)
