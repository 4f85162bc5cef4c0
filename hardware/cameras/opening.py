"""From a camera of the store file to its driver, by the scheme of its uri.

shm://NAME            a shared-memory ring on this machine
file:PATH             a video file, played in real time; file:PATH?pace=fast&loop=1
usb:N                 the N-th video device
rtsp://HOST/PATH      a network camera
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from contracts import geometry
from hardware.cameras.file import FileCamera, FileCameraSettings
from hardware.cameras.rtsp import RtspCamera, RtspCameraSettings, without_password
from hardware.cameras.shm import ShmCamera, ShmCameraSettings
from hardware.cameras.usb import UsbCamera, UsbCameraSettings
from hardware.errors import UnknownDriverError
from hardware.ports import Camera
from hardware.uris import unusable_uri

__all__ = ["CameraSettings", "camera_settings", "open_camera"]

CameraSettings = ShmCameraSettings | FileCameraSettings | UsbCameraSettings | RtspCameraSettings


def camera_settings(camera: geometry.Camera, *, shm_root: Path | None = None) -> CameraSettings:
    """The driver settings that a uri stands for; UnknownDriverError, DeviceOpenError."""
    uri = camera.uri
    scheme, _, rest = uri.partition(":")
    try:
        if scheme == "shm":
            return ShmCameraSettings(name=rest.removeprefix("//"), root=shm_root)
        if scheme == "file":
            path, _, query = rest.partition("?")
            options: dict[str, Any] = dict(parse_qsl(query))
            return FileCameraSettings(path=Path(path.removeprefix("//")), **options)
        if scheme == "usb":
            size = camera.intrinsics
            return UsbCameraSettings.model_validate(
                {"device": rest, "width": size.width, "height": size.height, "fps": camera.fps}
            )
        if scheme in ("rtsp", "rtsps"):
            return RtspCameraSettings(url=uri)
    except ValidationError as error:
        shown = without_password(uri) if scheme.startswith("rtsp") else uri
        raise unusable_uri(f"camera {camera.camera_id}", shown, error) from error
    raise UnknownDriverError(
        f"camera {camera.camera_id}: expected a uri that begins with shm://, file:, usb: or "
        f"rtsp://, got {uri!r}; correct the store file"
    )


def open_camera(
    camera: geometry.Camera,
    *,
    clock: Callable[[], float] = time.monotonic,
    shm_root: Path | None = None,
) -> Camera:
    """Opens the camera that a uri names.

    UnknownDriverError for a scheme nobody knows; DeviceOpenError or BrokenSourceError, which name
    the uri and the fix, if it cannot be opened or gives something else than pictures.
    """
    settings = camera_settings(camera, shm_root=shm_root)
    match settings:
        case ShmCameraSettings():
            return ShmCamera(camera.camera_id, settings, clock=clock)
        case FileCameraSettings():
            return FileCamera(camera.camera_id, settings, clock=clock)
        case UsbCameraSettings():
            return UsbCamera(camera.camera_id, settings, clock=clock)
        case RtspCameraSettings():
            return RtspCamera(camera.camera_id, settings, clock=clock)
