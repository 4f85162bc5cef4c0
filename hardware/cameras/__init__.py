"""Camera drivers: shared memory, video file, USB, RTSP. `open_camera` picks one by uri."""

from hardware.cameras.opening import CameraSettings, open_camera

__all__ = ["CameraSettings", "open_camera"]
