"""The simulated wall in real time: `python -m store_sim.wall.live`, settings from SORTIE_WALL_*.

Cameras write into shared-memory rings (the names in their URIs), scans into a gate ring whose gate
is the scanner; what projectors and lamps shall show is read from the rings that their drivers
write. All is stamped with the machine's monotonic clock. The orders that customers come for lie in
the truth folder as orders.json for whoever posts them to the hub; the codes that come back are
appended there to codes.jsonl as {"order_id", "code"} lines. The truth is written there too, deed by
deed, as deeds.jsonl; nothing else leaves this process.

Where drawing takes longer than it may, pictures are left out, counted and told: a node that must
share its cores with whoever draws for it would see nothing but old pictures.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import ContractError
from contracts.store_file import load_store_file
from contracts.wall import LightStrip
from hardware.cameras.shm import FrameRingWriter, ShmCamera, ShmCameraSettings
from hardware.errors import HardwareError
from hardware.gates import GateRingWriter
from hardware.ports import GateScan
from hardware.rings import RingReader
from store_sim.errors import SimulatorError
from store_sim.slowness import Slowness
from store_sim.wall.errors import WallSimError
from store_sim.wall.world import WallWorld

__all__ = ["LiveWall", "WallLiveSettings", "main"]

SCHEME = "shm://"
STEP_S = 1 / 30
STANDSTILL_S = 3.0
"""After so long a standstill the world's time is set off anew, so that nobody runs."""
ATTACH_S = 0.5
"""So often a projector's ring is looked for that is not there yet."""
PICTURE_AGE_S = 3_600.0
"""A projector goes on throwing the last picture it got."""
DRAWING_SHARE = 0.4
"""So much of the time may go into drawing; what it takes more is left out."""
PAUSE_S_MAX = 0.8
"""But never for longer: a camera is blind after two seconds."""


class WallLiveSettings(BaseSettings):
    """What is simulated, and where it goes."""

    model_config = SettingsConfigDict(env_prefix="SORTIE_WALL_", frozen=True, extra="forbid")

    store_file: Annotated[Path, Field(description="the store")]
    truth_dir: Annotated[Path, Field(description="orders, codes and deeds; no node reads them")]
    wall_id: Annotated[str | None, Field(description="which wall; none: the store's first")] = None
    case: Annotated[str, Field(min_length=1, max_length=60)] = "labels-12"
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    first_s: Annotated[
        float, Field(ge=0, le=86_400, description="when the first customer comes")
    ] = 20.0
    shm_root: Annotated[Path | None, Field(description="folder of rings; none: /dev/shm")] = None
    gate_ring: Annotated[str, Field(max_length=120)] = "wall-scans"


def ring_name(uri: str) -> str | None:
    """The ring that a URI names, None if it names another kind of device."""
    return uri.removeprefix(SCHEME) if uri.startswith(SCHEME) else None


class _Watched:
    """A projector's ring, looked for until it is there."""

    def __init__(
        self, projector_id: str, name: str, root: Path | None, clock: Callable[[], float]
    ) -> None:
        self.projector_id, self._name, self._root = projector_id, name, root
        self._clock = clock
        self._ring: ShmCamera | None = None
        self._tried_s = -1e9

    def picture(self, now_s: float) -> Any:
        """The newest picture not given before, None if there is none."""
        if self._ring is None:
            if now_s - self._tried_s < ATTACH_S:
                return None
            self._tried_s = now_s
            try:
                settings = ShmCameraSettings(name=self._name, root=self._root)
                self._ring = ShmCamera(self.projector_id, settings, clock=self._clock)
            except HardwareError:
                return None
        frame = self._ring.read_latest(max_age_s=PICTURE_AGE_S)
        return None if frame is None else frame.rgb

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()


class _WatchedLamps:
    """A strip's ring, looked for until it is there."""

    def __init__(self, light: LightStrip, name: str, root: Path | None) -> None:
        self.light, self._name, self._root = light, name, root
        self._ring: RingReader | None = None
        self._tried_s = -1e9

    def colours(self, now_s: float) -> NDArray[np.uint8] | None:
        """The newest colours not given before, (lamps, 3), None if there are none."""
        try:
            if self._ring is None:
                if now_s - self._tried_s < ATTACH_S:
                    return None
                self._tried_s = now_s
                self._ring = RingReader(self._name, root=self._root)
            record = self._ring.newest()
        except HardwareError:
            self.close()
            return None
        if record is None or len(record.payload) != 3 * self.light.lamps:
            return None
        return record.payload.reshape(-1, 3)

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None


class _Pace:
    """When the next pictures may be drawn, after what the last ones took."""

    def __init__(self) -> None:
        self._next_s = -1e9

    def may_draw(self, now_s: float) -> bool:
        """Whether the cameras may look now."""
        return now_s >= self._next_s

    def drew(self, began_s: float, ended_s: float) -> None:
        """So long the last pictures took."""
        took_s = ended_s - began_s
        self._next_s = ended_s + min(PAUSE_S_MAX, took_s * (1 / DRAWING_SHARE - 1))


class LiveWall:
    """A wall's world along a clock. `step` does what is due and says how long to wait."""

    def __init__(
        self,
        world: WallWorld,
        *,
        truth_dir: Path,
        shm_root: Path | None = None,
        gate_ring: str = "wall-scans",
        clock: Callable[[], float] = time.monotonic,
        stream_id: int | None = None,
    ) -> None:
        """WallSimError if a camera's URI names no ring. A projector without a ring stays dark."""
        self.world, self._clock = world, clock
        self._truth = truth_dir
        truth_dir.mkdir(parents=True, exist_ok=True)
        stream = time.time_ns() if stream_id is None else stream_id
        self._rings: dict[str, FrameRingWriter] = {}
        self._gate: GateRingWriter | None = None
        self._watched: list[_Watched] = []
        self._lamps: list[_WatchedLamps] = []
        for camera in world.wall.cameras:
            name = ring_name(camera.uri)
            if name is None:
                self.close()
                raise WallSimError(
                    f"camera {camera.camera_id}: expected a uri {SCHEME}NAME, got {camera.uri!r}"
                )
            lens = camera.intrinsics
            self._rings[camera.camera_id] = FrameRingWriter(
                name, width=lens.width, height=lens.height, stream_id=stream, root=shm_root
            )
        self._gate = GateRingWriter(gate_ring, stream_id=stream, root=shm_root)
        self._watched = [
            _Watched(one.projector_id, name, shm_root, clock)
            for one in world.wall.projectors
            if (name := ring_name(one.uri)) is not None
        ]
        self._lamps = [
            _WatchedLamps(one, name, shm_root)
            for one in world.wall.lights
            if (name := ring_name(one.uri)) is not None
        ]
        orders = [asdict(order) for order in world.orders]
        (truth_dir / "orders.json").write_text(json.dumps(orders, indent=1), encoding="utf-8")
        self._codes_read, self._deeds_written = 0, 0
        self._pace = _Pace()
        self._last_index: dict[str, int] = {}
        self.pictures, self.pictures_left_out = 0, 0
        world.frames(0.0)  # What stands is drawn before the clock runs.
        self._start_s = clock()

    def step(self) -> float:
        """Lets the world catch up with the clock; seconds until it wants to be called again."""
        now_s = self._clock()
        t_s = now_s - self._start_s
        if t_s - self.world.t_s > STANDSTILL_S:
            self._start_s = now_s - self.world.t_s - STEP_S
            t_s = now_s - self._start_s
        self._read_codes()
        for one in self._watched:
            rgb = one.picture(now_s)
            if rgb is not None:
                self.world.show(one.projector_id, rgb)
        for strip in self._lamps:
            colours = strip.colours(now_s)
            if colours is not None:
                self.world.show_lamps(strip.light.light_id, colours)
        self.world.step(max(t_s, self.world.t_s))
        for scan in self.world.scans():
            if self._gate is not None:
                at_s = self._start_s + scan.t_s
                self._gate.write(GateScan(scan.scanner_id, at_s, scan.code))
        self._draw()
        self._write_deeds()
        return max(0.0, STEP_S - (self._clock() - now_s))

    def _draw(self) -> None:
        began_s = self._clock()
        if not self._pace.may_draw(began_s):
            return
        frames = self.world.frames(self.world.t_s)
        for frame in frames:
            self._rings[frame.camera_id].write(frame.rgb, t_s=self._start_s + frame.t_s)
            last = self._last_index.get(frame.camera_id, frame.index - 1)
            self._last_index[frame.camera_id] = frame.index
            self.pictures += 1
            self.pictures_left_out += frame.index - last - 1
        if frames:
            self._pace.drew(began_s, self._clock())

    def _read_codes(self) -> None:
        path = self._truth / "codes.jsonl"
        if not path.exists() or path.stat().st_size == self._codes_read:
            return
        with path.open("rb") as codes:
            codes.seek(self._codes_read)
            for line in codes:
                if not line.endswith(b"\n"):
                    return  # It is half written yet.
                row = json.loads(line)
                self.world.give_code(row["order_id"], row["code"])
                self._codes_read += len(line)

    def _write_deeds(self) -> None:
        new = self.world.truth.log[self._deeds_written :]
        if new:
            with (self._truth / "deeds.jsonl").open("a", encoding="utf-8") as out:
                out.writelines(json.dumps(asdict(deed)) + "\n" for deed in new)
            self._deeds_written += len(new)

    def close(self) -> None:
        """Takes the rings away; closing twice is fine."""
        for ring in self._rings.values():
            ring.close()
        if self._gate is not None:
            self._gate.close()
        for one in self._watched:
            one.close()
        for strip in self._lamps:
            strip.close()


def main() -> int:
    """Runs until SIGTERM or SIGINT; 2 if it cannot begin."""
    try:
        settings = WallLiveSettings()
        store = load_store_file(settings.store_file)
        walls = {wall.wall_id: wall for wall in store.walls}
        name = settings.wall_id or next(iter(walls), "")
        if name not in walls:
            raise WallSimError(f"expected a wall of {sorted(walls)}, got {name!r}")
        world = WallWorld(walls[name], settings.case, settings.seed, first_s=settings.first_s)
        live = LiveWall(
            world, truth_dir=settings.truth_dir, shm_root=settings.shm_root,
            gate_ring=settings.gate_ring,
        )  # fmt: skip
    except (ValidationError, ContractError, SimulatorError, HardwareError) as error:
        print(f"store_sim.wall.live: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print(f"ready {name} {settings.case} {settings.seed}", flush=True)
    slowness = Slowness(time.monotonic())
    try:
        while not stop.wait(live.step()):
            if (line := slowness.line(time.monotonic(), live)) is not None:
                print(f"{name}: {line}", flush=True)
    finally:
        live.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
