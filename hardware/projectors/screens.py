"""Which screens this machine has, where they lie and whether a cable is in, as the kernel and the
X server tell it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DeviceOpenError

__all__ = ["Screen", "cable_in", "check_display", "screens"]

DRM = Path("/sys/class/drm")
ASK_S = 3.0
_MONITOR = re.compile(r"^\s*(\d+):\s+\S+\s+(\d+)/\d+x(\d+)/\d+\+(-?\d+)\+(-?\d+)\s+(\S+)")


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen: its number, the connector's name, and where it lies on the desktop."""

    number: int
    name: str
    x: int
    y: int
    width: int
    height: int


def check_display(environment: Mapping[str, str], uri: str) -> None:
    """DeviceOpenError if there is no X server that a window could be opened on."""
    display = environment.get("DISPLAY", "")
    if not display:
        raise DeviceOpenError(
            f"{uri}: expected a desktop to open a window on, but DISPLAY is not set; start the "
            "node in the desktop's session, or set DISPLAY=:0 and XAUTHORITY in its service"
        )
    host, _, number = display.rpartition(":")
    if host not in ("", "unix"):
        return
    path = f"/tmp/.X11-unix/X{number.partition('.')[0]}"
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ASK_S)
        try:
            line.connect(path)
        except OSError as error:
            raise DeviceOpenError(
                f"{uri}: no X server answers on DISPLAY={display} ({error.strerror}); start the "
                "desktop, or correct DISPLAY in the node's service"
            ) from error


def _ask_xrandr() -> str:
    try:
        return subprocess.run(
            ["xrandr", "--listmonitors"], capture_output=True, text=True, timeout=ASK_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def screens(ask: Callable[[], str] = _ask_xrandr) -> tuple[Screen, ...]:
    """The desktop's screens; none if xrandr does not tell."""
    found = []
    for line in ask().splitlines():
        match = _MONITOR.match(line)
        if match:
            number, width, height, x, y = (int(match[k]) for k in range(1, 6))
            found.append(Screen(number, match[6], x, y, width, height))
    return tuple(found)


def cable_in(name: str, root: Path = DRM) -> bool | None:
    """Whether the kernel sees a screen at a connector such as HDMI-1; None if it cannot tell.

    Kernel and X name connectors alike but for a card's number before and, with some drivers, an
    "A" within (HDMI-A-1 is HDMI-1 of X).
    """
    try:
        listed = sorted(root.glob(f"card*-{name}/status")) or sorted(
            root.glob(f"card*-{name.replace('-', '-A-', 1)}/status")
        )
        if len(listed) != 1:
            return None
        return listed[0].read_text().strip() == "connected"
    except OSError:
        return None


def environment() -> Mapping[str, str]:
    """This process's environment."""
    return os.environ
