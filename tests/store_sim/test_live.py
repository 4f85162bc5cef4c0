"""The live store: everything on one clock, truth apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from contracts.store_file import StoreFile, load_store_file
from hardware.cameras import open_camera
from hardware.gates import ShmGate, ShmGateSettings
from hardware.scales import ShmScale, ShmScaleSettings
from store_sim.dials import CameraDials, Dials, Mishap
from store_sim.errors import SimulatorError
from store_sim.live import LiveSettings, LiveStore, load_live_settings
from store_sim.scenarios import build
from store_sim.world import Scenario, StaffWord

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "store_sim" / "stores" / "demo.yaml"


class Clock:
    def __init__(self) -> None:
        self.now_s = 5000.0

    def __call__(self) -> float:
        return self.now_s


class FakePhones:
    """Gives a code at once; notes what it was told."""

    def __init__(self) -> None:
        self.codes: list[tuple[int, str]] = []
        self.asked: list[int] = []
        self.scans: list[int] = []
        self.badges: list[int] = []
        self.said: list[StaffWord] = []
        self.refused: list[int] = []
        self.turned: list[int] = []

    def turn(self, shopper: int) -> None:
        self.turned.append(shopper)
        self.codes.append((shopper, f"code-{shopper}-{len(self.turned)}"))

    def ask(self, shopper: int) -> None:
        if shopper not in self.asked:
            self.asked.append(shopper)
            self.codes.append((shopper, f"code-{shopper}"))

    def scanned(self, shopper: int) -> None:
        self.scans.append(shopper)

    def ask_badge(self, shopper: int) -> None:
        if shopper not in self.badges:
            self.badges.append(shopper)
            self.codes.append((shopper, f"badge-{shopper}"))

    def tell(self, words: Iterable[StaffWord]) -> None:
        self.said.extend(words)

    def take_codes(self) -> list[tuple[int, str]]:
        codes, self.codes = self.codes, []
        return codes

    def take_refused(self) -> list[int]:
        refused, self.refused = self.refused, []
        return refused


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store with one small camera."""
    document = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    camera = document["cameras"][3]
    camera["intrinsics"] = {"width": 64, "height": 36, "fx": 27, "fy": 27, "cx": 31.5, "cy": 17.5}
    document["cameras"] = [camera]
    path = tmp_path_factory.mktemp("store") / "small.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture
def store(store_path: Path) -> StoreFile:
    return load_store_file(store_path)


def _live(
    store: StoreFile,
    store_path: Path,
    folder: Path,
    clock: Clock,
    phones: FakePhones,
    scenario: Scenario | None = None,
    cameras: tuple[str, ...] | None = None,
) -> LiveStore:
    settings = LiveSettings(
        store_file=store_path,
        hub_url="http://127.0.0.1:1",
        truth_dir=folder / "truth",
        scenario="easy-one",
        seed=3,
        shoppers=1,
        shm_root=folder,
        cameras=cameras,
    )
    chosen = scenario or build("easy-one", store, seed=3, shoppers=1)
    return LiveStore(store, chosen, settings, phones, clock=clock, stream_id=1)


def _run(live: LiveStore, clock: Clock, seconds: float) -> None:
    end_s = clock.now_s + seconds
    while clock.now_s < end_s and not live.finished:
        pause_s = live.step()
        assert 0.0 < pause_s <= 1 / 60 + 1e-6
        clock.now_s += pause_s + 1e-6


def test_all_sensors_carry_the_machines_clock(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    clock, phones = Clock(), FakePhones()
    live = _live(store, store_path, tmp_path, clock, phones)
    camera = open_camera(store.cameras[0], clock=clock, shm_root=tmp_path)
    scale = ShmScale(ShmScaleSettings(name="plates", root=tmp_path), clock=clock)
    gate = ShmGate(ShmGateSettings(name="gates", root=tmp_path), clock=clock)
    _run(live, clock, 10.0)
    frame = camera.read_latest(max_age_s=1.0)
    assert frame is not None
    assert clock.now_s - frame.t_s < 0.2
    assert frame.rgb.std() > 10
    batch = scale.read()
    assert batch is not None
    assert abs(len(batch.t_s) - 600) <= 1
    assert np.allclose(np.diff(batch.t_s), 1 / 60)
    assert 0 <= clock.now_s - batch.t_s[-1] < 0.05
    assert phones.asked == [0]
    scans = gate.read()
    assert [scan.code for scan in scans] == ["code-0"]
    assert 5000.0 < scans[0].t_s < clock.now_s
    assert phones.scans == [0]
    assert live.pictures == pytest.approx(10.0 * store.cameras[0].fps, abs=1)
    assert live.pictures_left_out == 0
    for device in (camera, scale, gate):
        device.close()
    live.close()
    live.close()
    assert not list(tmp_path.glob("*.ring"))


def test_a_camera_is_covered_and_late_in_a_live_store(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    name = store.cameras[0].camera_id
    dials = Dials(
        camera=CameraDials(jitter_ms=300.0),
        mishaps=(Mishap(kind="black", target=name, begin_s=2.0, end_s=4.0),),
    )
    scenario = replace(build("easy-one", store, seed=3, shoppers=1), dials=dials)
    clock, phones = Clock(), FakePhones()
    live = _live(store, store_path, tmp_path, clock, phones, scenario)
    camera = open_camera(store.cameras[0], clock=clock, shm_root=tmp_path)
    stamps, levels = [], []
    for _ in range(3):
        _run(live, clock, 1.7)
        frame = camera.read_latest(max_age_s=1.0)
        assert frame is not None
        stamps.append(frame.t_s)
        levels.append(float(frame.rgb.mean()))
    assert stamps == sorted(stamps)
    assert levels[0] > 20.0
    assert levels[1] == 0.0
    assert levels[2] > 20.0
    camera.close()
    live.close()


def test_truth_is_written_when_a_shopper_has_left(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    clock, phones = Clock(), FakePhones()
    live = _live(store, store_path, tmp_path, clock, phones, cameras=())
    _run(live, clock, 300.0)
    assert live.finished
    live.close()
    lines = (tmp_path / "truth" / "visits.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["code-0"]
    assert phones.said == []
    assert phones.badges == []


def test_a_slow_machine_leaves_pictures_out_and_keeps_time(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    clock = Clock()
    live = _live(store, store_path, tmp_path, clock, FakePhones())
    clock.now_s += 2.0
    live.step()
    assert live.world.t_s == pytest.approx(2.0, abs=0.02)
    assert live.pictures_left_out >= 8
    assert live.pictures >= 4, "one in half a second, and again all once it has caught up"
    assert live.standstills == 0
    live.close()


def test_after_a_standstill_nobody_runs(store: StoreFile, store_path: Path, tmp_path: Path) -> None:
    clock = Clock()
    live = _live(store, store_path, tmp_path, clock, FakePhones())
    _run(live, clock, 1.0)
    clock.now_s += 3600.0
    before_s = live.world.t_s
    live.step()
    _run(live, clock, 1.0)
    assert live.standstills == 1
    assert live.world.t_s - before_s < 1.1
    live.close()


def test_a_phone_in_a_queue_shows_the_code_of_now(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    clock, phones = Clock(), FakePhones()
    scenario = build("easy-one", store, seed=3, shoppers=1)
    live = _live(store, store_path, tmp_path, clock, phones, scenario)
    gate = ShmGate(ShmGateSettings(name="gates", root=tmp_path), clock=clock)
    # The code came early, and the way to the gate was long.
    live.world.provide_code(0, "code-0")
    live._coded_s[0] = -20.0
    phones.asked.append(0)
    _run(live, clock, 10.0)
    assert phones.turned == [0]
    assert [scan.code for scan in gate.read()] == ["code-0-1"]
    assert phones.scans == [0]
    gate.close()
    live.close()


def test_a_shopper_who_is_refused_does_not_come_in(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    clock, phones = Clock(), FakePhones()
    live = _live(store, store_path, tmp_path, clock, phones, cameras=())
    while not phones.scans:
        _run(live, clock, 0.1)
    phones.refused.append(0)
    _run(live, clock, 60.0)
    assert live.finished
    live.close()


def test_at_night_staff_come_with_a_badge_and_say_what_they_fill(
    store: StoreFile, store_path: Path, tmp_path: Path
) -> None:
    day = build("base-01", store, seed=3, shoppers=1)
    looping = Scenario(day.name, day.description, day.day, day.at_most, loops=True, day_s=1.0)
    clock, phones = Clock(), FakePhones()
    live = _live(store, store_path, tmp_path, clock, phones, looping, cameras=())
    gate = ShmGate(ShmGateSettings(name="gates", root=tmp_path), clock=clock)
    while [word.kind for word in phones.said][-1:] != ["ended"]:
        assert clock.now_s < 5000.0 + 600.0
        _run(live, clock, 1.0)
    lines = (tmp_path / "truth" / "visits.jsonl").read_text().splitlines()
    *shoppers, filler = [json.loads(line) for line in lines]
    taken: dict[str, int] = {}
    for one in shoppers:
        for gtin, count in one["kept"].items():
            taken[gtin] = taken.get(gtin, 0) + count
    filled: dict[str, int] = {}
    for word in phones.said[1:-1]:
        assert (word.kind, word.shopper) == ("moved", filler["shopper"])
        filled[word.gtin] = filled.get(word.gtin, 0) + word.pieces
    assert filled == taken
    assert phones.said[0].kind == "began"
    assert phones.badges == [filler["shopper"]]
    assert gate.read()[-1].code == f"badge-{filler['shopper']}"
    assert (filler["staff"], filler["payer"]) == (True, None)
    gate.close()
    live.close()


# ---------------------------------------------------------------- the program


def test_settings_are_checked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SORTIE_SIM_")]:
        monkeypatch.delenv(name)
    with pytest.raises(SimulatorError, match="SORTIE_SIM_STORE_FILE: Field required"):
        load_live_settings()
    monkeypatch.setenv("SORTIE_SIM_SPEEED", "2")
    with pytest.raises(SimulatorError, match="SORTIE_SIM_SPEEED: no such setting; expected one"):
        load_live_settings()


def _program(folder: Path, **changes: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "SORTIE_SIM_STORE_FILE": str(DEMO),
        "SORTIE_SIM_HUB_URL": "http://127.0.0.1:1",
        "SORTIE_SIM_TRUTH_DIR": str(folder / "truth"),
        "SORTIE_SIM_SHM_ROOT": str(folder),
        "SORTIE_SIM_CAMERAS": "[]",
        **changes,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "store_sim.live"],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_program_runs_and_ends_cleanly(tmp_path: Path) -> None:
    child = _program(tmp_path)
    try:
        assert child.stderr is not None
        assert "open, scenario demo-day" in child.stderr.readline()
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)
        assert child.returncode == 0
    finally:
        child.kill()
    assert not list(tmp_path.glob("*.ring"))


def test_an_unknown_scenario_is_one_line(tmp_path: Path) -> None:
    child = _program(tmp_path, SORTIE_SIM_SCENARIO="no-such-day")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "got scenario 'no-such-day'" in errors
    assert len(errors.splitlines()) == 1
