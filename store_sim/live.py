"""The simulated store in real time: `python -m store_sim.live`, settings from SORTIE_SIM_*.

The world runs along the machine's monotonic clock. Cameras write into shared-memory rings, plates
and scans into theirs, all stamped with the clock that the nodes read. Truth goes to a folder that
only the auditor opens. Nothing else leaves this process: phones speak HTTP with the hub like any
phone.

If the machine is too slow, pictures are left out and counted; the world keeps its time. After a
long standstill (a suspended machine) the world's time is set off anew, so that nobody runs.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import ContractError
from contracts.store_file import StoreFile, load_store_file
from hardware.cameras.shm import FrameRingWriter
from hardware.errors import HardwareError
from hardware.gates import GateRingWriter
from hardware.ports import GateScan
from hardware.scales import ScaleRingWriter
from store_sim.dials import Dials, Mishap
from store_sim.errors import SimulatorError
from store_sim.phones import HubClient, Phones
from store_sim.plates import PlateBank
from store_sim.purses import Purses
from store_sim.scenarios import build
from store_sim.slowness import Slowness
from store_sim.stream import CameraRig, chosen_cameras, make_renderers
from store_sim.tampering import Troubles
from store_sim.truth import TruthWriter
from store_sim.world import TICK_HZ, Scenario, StaffWord, World

if TYPE_CHECKING:
    from store_sim.control import ControlServer
    from store_sim.player_desk import VisitOf
    from store_sim.player_page import PlayerPage

__all__ = ["LiveSettings", "LiveStore", "PhoneBook", "main"]

CODE_TURNS_S = 15.0
"""A phone whose code is older asks what it shows now; the hub's codes are good for longer."""
PREFIX = "SORTIE_SIM_"
BEHIND_S_MAX = 0.25
"""Later than this, pictures are left out until the world has caught up."""
LEFT_OUT_S_MAX = 0.5
"""But each camera gives one picture in this time, so that none is taken for dead."""
STANDSTILL_S = 3.0


class LiveSettings(BaseSettings):
    """What is simulated, and where it goes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    store_file: Annotated[Path, Field(description="the store")]
    hub_url: Annotated[str, Field(pattern=r"^https?://", description="where phones ask")]
    truth_dir: Annotated[Path, Field(description="for the auditor alone")]
    scenario: Annotated[str, Field(min_length=1, max_length=60)] = "demo-day"
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    shoppers: Annotated[int, Field(ge=1, le=100_000, description="visits of a day")] = 12
    shm_root: Annotated[Path | None, Field(description="folder of rings; none: /dev/shm")] = None
    scale_ring: Annotated[str, Field(max_length=120)] = "plates"
    gate_ring: Annotated[str, Field(max_length=120)] = "gates"
    cameras: Annotated[
        tuple[str, ...] | None, Field(description="cameras to draw, as JSON; none: all")
    ] = None
    plates: Annotated[bool, Field(description="whether plates weigh")] = True
    wallets: Annotated[
        bool, Field(description="some shoppers have a wallet, or come with somebody who has")
    ] = False
    doors_file: Annotated[
        Path | None, Field(description="the doors open when this file is there; none: at once")
    ] = None
    control_port: Annotated[
        int | None,
        Field(ge=0, le=65535, description="where the demo's page commands its avatar; none: not"),
    ] = None
    control_token: Annotated[
        SecretStr | None, Field(min_length=16, description="what the page must know; none: no page")
    ] = None


class PhoneBook(Protocol):
    """What the live store needs of phones; `store_sim.phones.Phones` over HTTP."""

    def ask(self, shopper: int) -> None:
        """Asks for a shopper's code, once."""
        ...

    def turn(self, shopper: int) -> None:
        """Asks for the code that a shopper's phone shows now."""
        ...

    def scanned(self, shopper: int) -> None:
        """The shopper has scanned."""
        ...

    def ask_badge(self, shopper: int) -> None:
        """Asks for the badge of somebody of the staff, once."""
        ...

    def tell(self, words: Iterable[StaffWord]) -> None:
        """What staff say of the shelves."""
        ...

    def take_codes(self) -> list[tuple[int, str]]:
        """Codes that came since the last call."""
        ...

    def take_refused(self) -> list[int]:
        """Shoppers whom the store does not let in."""
        ...


class LiveStore:
    """World, cameras, plates and gates on one clock. `step` is called often; it never sleeps."""

    def __init__(
        self,
        store: StoreFile,
        scenario: Scenario,
        settings: LiveSettings,
        phones: PhoneBook,
        *,
        clock: Callable[[], float],
        stream_id: int,
        dials: Dials | None = None,
    ) -> None:
        """`dials` are the scenario's when not given."""
        self._doors_file = settings.doors_file
        self._dials = scenario.dials if dials is None else dials
        self.world = World(
            store, scenario, settings.seed, doors_open=self._doors_file is None, dials=self._dials
        )
        self._phones = phones
        self._clock = clock
        self._truth = TruthWriter(settings.truth_dir)
        self._bank: PlateBank | None = None
        if settings.plates and store.plates:
            self._bank = PlateBank(store, settings.seed, self._dials.plates)
        cameras = chosen_cameras(store, settings.cameras)
        renderers = make_renderers(store, cameras, settings.seed, self._dials)
        self._rig = CameraRig(store, cameras, renderers, settings.seed, self._dials)
        self._drawn = dict.fromkeys(renderers, -TICK_HZ)
        self._troubles = Troubles(())
        self._page: PlayerPage | None = None
        root = settings.shm_root
        self._rings: dict[str, FrameRingWriter] = {}
        self._scale: ScaleRingWriter | None = None
        self._gate: GateRingWriter | None = None
        try:
            for camera in cameras:
                size = camera.intrinsics
                self._rings[camera.camera_id] = FrameRingWriter(
                    camera.uri.removeprefix("shm://"),
                    width=size.width,
                    height=size.height,
                    stream_id=stream_id,
                    root=root,
                )
            if self._bank is not None:
                self._scale = ScaleRingWriter(
                    settings.scale_ring,
                    plate_ids=self._bank.plate_ids,
                    stream_id=stream_id,
                    root=root,
                )
            self._gate = GateRingWriter(settings.gate_ring, stream_id=stream_id, root=root)
        except HardwareError:
            self.close()
            raise
        # Drawn once now: the first picture compiles, and the world's clock must not wait for it.
        for renderer in renderers.values():
            renderer.render(self.world.scene())
        self._codes: dict[str, int] = {}
        self._coded_s: dict[int, float] = {}
        self.pictures = 0
        self.pictures_left_out = 0
        self.standstills = 0
        self._offset_s = clock()

    @property
    def finished(self) -> bool:
        """Whether the last shopper has left and will not be followed."""
        return self.world.finished

    @property
    def mishaps(self) -> tuple[Mishap, ...]:
        """What happens to devices now: by the scenario, by shoppers, by a person at the page."""
        return (*self.world.tampering(), *self._troubles.at(self.world.t_s))

    def add_page(self, visit_of: VisitOf) -> PlayerPage:
        """From now on a person may lead an avatar; what its door needs is in the answer."""
        # Imported here: a store without a page needs none of it.
        from store_sim.player_page import PlayerPage

        self._page = PlayerPage(self.world, self._troubles, visit_of=visit_of)
        return self._page

    def step(self) -> float:
        """Brings the world up to the clock; seconds until there is something to do again."""
        now_s = self._clock()
        behind_s = now_s - self._offset_s - self.world.t_s
        if behind_s > STANDSTILL_S:
            self.standstills += 1
            self._offset_s += behind_s
            return 0.0
        if self._doors_file is not None and self._doors_file.exists():
            self._doors_file = None
            self.world.open_doors()
        tick = round(self.world.t_s * TICK_HZ)
        last = math.floor((now_s - self._offset_s) * TICK_HZ)
        while tick < last:
            tick += 1
            self.world.run_to(tick / TICK_HZ)
            behind_s = self._clock() - self._offset_s - tick / TICK_HZ
            if behind_s > STANDSTILL_S:
                break
            self._draw(tick, late=behind_s > BEHIND_S_MAX)
            self._weigh()
            self._serve_gates()
        if self._page is not None:
            self._page.serve()
        return max(0.0, (tick + 1) / TICK_HZ + self._offset_s - self._clock())

    def close(self) -> None:
        """Takes the rings away; closing twice is fine."""
        for ring in self._rings.values():
            ring.close()
        if self._scale is not None:
            self._scale.close()
        if self._gate is not None:
            self._gate.close()

    def _draw(self, tick: int, *, late: bool) -> None:
        mishaps = self.mishaps
        for name in self._rig.due(tick):
            if late and tick - self._drawn[name] < LEFT_OUT_S_MAX * TICK_HZ:
                self.pictures_left_out += 1
                continue
            self._drawn[name] = tick
            self._rig.expose(name, tick, self.world.scene(), mishaps)
        for frame in self._rig.arrived(tick):
            t_s = self._offset_s + frame.t_s
            self._rings[frame.camera_id].write(frame.rgb, t_s=t_s)
            # A picture that was late shows heads where they are no more.
            if self._page is not None and round(frame.t_s * TICK_HZ) == tick:
                self._page.saw(frame.camera_id, frame.rgb, self.world.scene(), t_s)
            self.pictures += 1

    def _weigh(self) -> None:
        loads = self.world.take_loads()
        if self._bank is not None and self._scale is not None and len(loads.t_s):
            batch = self._bank.read(loads, self.mishaps)
            self._scale.write(batch.t_s + self._offset_s, batch.grams)

    def _serve_gates(self) -> None:
        world = self.world
        for shopper in world.waiting_for_code():
            if world.people.is_staff(shopper):
                self._phones.ask_badge(shopper)
            else:
                self._phones.ask(shopper)
        for shopper, code in self._phones.take_codes():
            self._codes[code] = shopper
            self._coded_s[shopper] = world.t_s
            world.provide_code(shopper, code)
        for shopper in world.waiting_for_code(own=True):
            if world.t_s - self._coded_s.setdefault(shopper, world.t_s) > CODE_TURNS_S:
                self._coded_s[shopper] = world.t_s
                self._phones.turn(shopper)
        for scan in world.take_scans():
            if self._gate is not None:
                t_s = scan.t_s + self._offset_s
                self._gate.write(GateScan(scan.gate_id, t_s, scan.code))
            if scan.code in self._codes:
                shopper = self._codes[scan.code]
                self._codes = {code: who for code, who in self._codes.items() if who != shopper}
                self._coded_s.pop(shopper, None)
                self._phones.scanned(shopper)
        for shopper in self._phones.take_refused():
            world.refuse_entry(shopper)
        self._truth.write(world.take_finished())
        self._truth.write_traces(world.take_traces())
        self._phones.tell(world.staff.take())


def load_live_settings() -> LiveSettings:
    """Settings of the environment; SimulatorError names variable, fault and fix."""
    known = {f"{PREFIX}{name}".upper() for name in LiveSettings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SimulatorError(
            f"{unknown[0]}: no such setting; expected one of {', '.join(sorted(known))}"
        )
    try:
        return LiveSettings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(str(part) for part in fault["loc"]).upper()
        raise SimulatorError(f"{PREFIX}{name}: {fault['msg']}") from error


def main() -> int:
    """Runs the store until SIGTERM, or until the last shopper of a day that does not loop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_live_settings()
        store = load_store_file(settings.store_file)
        scenario = build(settings.scenario, store, settings.seed, settings.shoppers)
        _run(store, scenario, settings, stop)
    except (SimulatorError, ContractError, HardwareError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(
    store: StoreFile, scenario: Scenario, settings: LiveSettings, stop: threading.Event
) -> None:
    def say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    settings.truth_dir.mkdir(parents=True, exist_ok=True)
    phones = Phones(
        HubClient(settings.hub_url),
        say=say,
        visits_file=settings.truth_dir / "phones.jsonl",
        purses=Purses(HubClient(settings.hub_url)) if settings.wallets else None,
    )
    try:
        live = LiveStore(
            store, scenario, settings, phones, clock=time.monotonic, stream_id=time.time_ns()
        )
    except BaseException:
        phones.close()
        raise
    say(f"store {store.store_id}: open, scenario {scenario.name}, seed {settings.seed}")
    slowness = Slowness(time.monotonic())
    control: ControlServer | None = None
    try:
        if settings.control_port is not None and settings.control_token is not None:
            control = live.add_page(phones.visit_of).listen(
                port=settings.control_port, token=settings.control_token.get_secret_value()
            )
        while not stop.is_set() and not live.finished:
            stop.wait(live.step())
            if (line := slowness.line(time.monotonic(), live)) is not None:
                say(line)
    finally:
        if control is not None:
            control.close()
        live.close()
        phones.close()


if __name__ == "__main__":
    sys.exit(main())
