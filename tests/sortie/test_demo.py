"""`sortie demo` from outside: one address, an end that leaves nothing, an audit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts.store_file import load_store_file
from sortie.demo import audit_run
from sortie.errors import ProcessFailedError
from sortie.serve import MARK, RINGS_FILE
from sortie.stores import store_path
from sortie.supervisor import Child, Supervisor, free_port, wait_for_port

ROOT = Path(__file__).parents[2]
DEADLINE_S = 180.0
PAUSE = threading.Event()
"""Never set: looked at between two looks at something else."""
COMMAND = "import sys; from sortie.cli import main; sys.argv = ['sortie', *sys.argv[1:]]; main()"
NO_MOSQUITTO = "import sortie.broker; sortie.broker.find_program = lambda *names: None; "


class Demo:
    """The command in a process of its own, without a terminal."""

    def __init__(self, folder: Path, command: str = COMMAND) -> None:
        self.port = free_port()
        self.folder = folder / "run"
        self._out = folder / "said.txt"
        arguments = ["demo", "--sensors", "plates", "--port", str(self.port)]
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", command, *arguments],
                cwd=ROOT,
                env={**os.environ, "SORTIE_RUN": str(self.folder), "COLUMNS": "200"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.children: list[psutil.Process] = []
        self.rings: Path | None = None

    @property
    def said(self) -> str:
        """Everything on its terminal so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for a condition while the command runs."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline_s, f"gave up waiting for {what}:\n{self.said}"
            assert self._process.poll() is None, f"it ended before {what}:\n{self.said}"
            PAUSE.wait(0.05)

    def until_open(self) -> None:
        """Waits for the address, and notes what there is to be cleaned up later."""
        self.until(lambda: "open http" in self.said, "the address")
        self.note()

    def note(self) -> None:
        """Looks which processes and rings there are now."""
        self.children = psutil.Process(self._process.pid).children(recursive=True)
        self.rings = Path((self.folder / RINGS_FILE).read_text(encoding="utf-8"))

    def signal(self, number: int) -> None:
        """Sends a signal to the command itself."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Waits for the command's end; its exit status."""
        return self._process.wait(DEADLINE_S)

    def child(self, module: str) -> psutil.Process:
        """The child that runs a module."""
        return next(one for one in self.children if module in " ".join(one.cmdline()))

    def leaves_nothing(self) -> None:
        """No process, no listener, no ring."""
        assert self.rings is not None
        assert not self.rings.exists()
        assert not wait_for_port(self.port)()
        assert [one for one in self.children if _alive(one)] == []

    def close(self) -> None:
        """For tests that fail half-way."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(DEADLINE_S)


@pytest.fixture
def demo_without_mosquitto(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path, NO_MOSQUITTO + COMMAND)
    yield made
    made.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.close()


def test_it_opens_one_address_and_ends_on_sigterm(demo: Demo) -> None:
    demo.until_open()
    demo.until(lambda: "/exit/gate-out" in demo.said, "the last address")
    addresses = re.findall(r"http://\S+", demo.said)
    assert addresses[0] == f"http://127.0.0.1:{demo.port}/"
    for url in addresses[1:]:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            assert answer.headers.get_content_type() == "text/html", url
    paths = [urllib.parse.urlsplit(url).path for url in addresses[1:]]
    walls = [wall.wall_id for wall in load_store_file(store_path("demo")).walls]
    assert paths == [
        "/staff", "/stock", "/staff/walls", "/staff/review", "/staff/disputes", "/staff/wallets",
        "/money",
        "/phone/", "/phone/wallet.html", "/exit/gate-out",
        *(["/phone/parcels.html"] if walls else []),
        *(f"/kiosk/{one}" for one in walls),
    ]  # fmt: skip
    with urllib.request.urlopen(addresses[0], timeout=DEADLINE_S) as answer:
        page = answer.read().decode()
    assert "Sortie" in page
    demo.until(lambda: "doors open" in demo.said, "the doors")
    demo.note()
    assert re.search(r"first page after \d+\.\d s, first picture \d+\.\d s", demo.said)
    assert (demo.folder / MARK).exists()
    names = {path.stem for path in (demo.folder / "logs").glob("*.log")}
    assert names == {
        "broker", "hub", "pages", "play", "node-shelf", "node-wall", "node-floor", "simulator",
        "wall",
    }  # fmt: skip
    secrets = [p for p in (demo.folder / "broker").iterdir() if p.stat().st_mode & 0o077]
    assert secrets == [], "passwords are for this user alone"
    demo.signal(signal.SIGTERM)
    assert demo.end() == 0
    assert "stopped; logs and books are in" in demo.said
    demo.leaves_nothing()


def test_without_mosquitto_a_stand_in_is_said_aloud_and_serves(
    demo_without_mosquitto: Demo,
) -> None:
    demo = demo_without_mosquitto
    demo.until_open()
    assert demo.said.count("no Mosquitto here: a broker in Python stands in, slower") == 1
    assert "mend with: apt-get install mosquitto" in demo.said
    assert demo.child("sortie.stand_in_broker").is_running()
    demo.until(lambda: "doors open" in demo.said, "the doors, so that nodes reach the hub")
    assert "not all is seen" not in demo.said
    demo.note()
    demo.signal(signal.SIGTERM)
    assert demo.end() == 0
    assert "killed" not in demo.said
    demo.leaves_nothing()


def test_a_process_that_fails_for_good_stops_all(demo: Demo) -> None:
    demo.until_open()
    demo.child("store_sim.live").kill()
    assert demo.end() == 1
    assert "sortie: simulator ended with status -9" in demo.said
    assert "Traceback" not in demo.said
    demo.leaves_nothing()


def test_it_ends_while_it_starts(demo: Demo) -> None:
    demo.until(lambda: (demo.folder / "logs" / "simulator.log").exists(), "the last start")
    demo.note()
    demo.signal(signal.SIGINT)
    assert demo.end() == 0
    assert "open http" not in demo.said
    demo.leaves_nothing()


# ---------------------------------------------------------------- the supervisor's new ways


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path / "logs", say=lambda _line: None)
    yield one
    one.stop()


def _python(name: str, text: str, **more: Any) -> Child:
    return Child(name, [sys.executable, "-S", "-c", text], **more)


def _poll_until(supervisor: Supervisor, holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S

    def done() -> bool:
        assert time.monotonic() < deadline_s
        return holds()

    supervisor.watch(until=done)


def test_a_child_that_runs_once_may_end(supervisor: Supervisor) -> None:
    supervisor.launch(_python("day", "pass", restart=False))
    pid = supervisor.pid("day")
    _poll_until(supervisor, lambda: supervisor.ended("day"))
    assert supervisor.pid("day") == pid


def test_a_child_that_runs_once_must_not_fail(supervisor: Supervisor) -> None:
    supervisor.launch(_python("day", "raise SystemExit('no more shoppers')", restart=False))
    with pytest.raises(ProcessFailedError, match="no more shoppers"):
        _poll_until(supervisor, lambda: False)


def test_waiting_for_all_names_who_is_late(supervisor: Supervisor, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    wait = "import threading; threading.Event().wait()"
    supervisor.launch(_python("early", wait, ready=lambda: True))
    supervisor.launch(_python("late", wait, ready=sign.exists))
    heard: list[list[str]] = []

    def hear(names: list[str]) -> None:
        heard.append(names)
        sign.touch()

    assert supervisor.wait_ready(progress=hear)
    assert heard[0] == ["late"]
    assert heard[-1] == []


def test_a_stop_ends_the_waiting(supervisor: Supervisor) -> None:
    supervisor.launch(
        _python("never", "import threading; threading.Event().wait()", ready=lambda: False)
    )
    assert not supervisor.wait_ready(progress=lambda _names: supervisor.request_stop())


KILLED = """
import sys, threading
from pathlib import Path
from sortie.supervisor import Child, Supervisor
one = Supervisor(Path(sys.argv[1]))
wait = "import threading; threading.Event().wait()"
one.launch(Child("child", [sys.executable, "-S", "-c", wait]))
print(one.pid("child"), flush=True)
threading.Event().wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of it")
def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline_s = time.monotonic() + DEADLINE_S
    while _alive(child):
        assert time.monotonic() < deadline_s, "the child goes on"
        PAUSE.wait(0.05)


def _alive(process: psutil.Process) -> bool:
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# ---------------------------------------------------------------- the audit at the end


def _export(receipts: list[dict[str, Any]], visits: list[dict[str, Any]]) -> dict[str, Any]:
    parts = ("events", "transactions", "holds", "products", "stock", "inbox")
    price = {"gtin": "4006381333931", "from_us": 0, "price_minor": 150}
    return {
        "schema": 1,
        "currency": "EUR",
        "receipts": receipts,
        "visits": visits,
        "prices": [price],
        **{part: [] for part in parts},
    }


def _visit(visit_id: str, scanned_s: float) -> dict[str, Any]:
    scanned_us = round(scanned_s * 1e6)
    return {
        "visit_id": visit_id,
        "scanned_us": scanned_us,
        "payer": f"guest-{visit_id}",
        "needs_review": False,
        "stage": "final",
    }


def _truth(folder: Path, rows: list[tuple[int, float, float]]) -> None:
    lines = [
        f'{{"shopper": {k}, "entered_s": {begin}, "left_s": {end}, '
        f'"kept": {{"4006381333931": 1}}, "actions": []}}'
        for k, begin, end in rows
    ]
    (folder / "visits.jsonl").write_text("\n".join(lines) + "\n")
    phones = [f'{{"shopper": {k}, "visit_id": "v-{k}"}}' for k in range(9)]
    (folder / "phones.jsonl").write_text("\n".join(phones) + "\n")


def _audit(folder: Path, export: dict[str, Any]) -> dict[str, Any] | None:
    return audit_run(folder, export, sensors="both", seed=1, hashes={}, store_s=100.0)


def test_the_audit_counts_from_the_scans_and_leaves_the_unsettled_out(tmp_path: Path) -> None:
    _truth(tmp_path, [(0, 5.0, 20.0), (1, 30.0, 60.0), (2, 70.0, 95.0)])
    line = {
        "line": 1,
        "gtin": "4006381333931",
        "quantity": 1,
        "unit_price_minor": 150,
        "total_minor": 150,
        "vat_minor": 24,
        "vat_rate": "0.19",
        "reaches": [],
    }
    receipts = [
        {
            "visit_id": f"v-{k}",
            "issued_us": issued_us,
            "total_minor": 150,
            "charged_minor": 150,
            "debt_minor": 0,
            "lines": [line],
        }
        for k, issued_us in ((0, 1_022_000_000), (5, 1_090_000_000))
    ]
    visits = [_visit(f"v-{k}", 1000.0 + t) for k, t in ((0, 5.0), (1, 30.0), (2, 70.0), (5, 80.0))]
    result = _audit(tmp_path, _export(receipts, visits))
    assert result is not None
    rows = {row["shopper"]: row for row in result["visits"]}
    assert set(rows) == {"shopper-0"}, "1 and 2 may still be settled, 5 is still inside"
    assert rows["shopper-0"]["exact"]
    assert rows["shopper-0"]["time_to_receipt_s"] == pytest.approx(2.0)


def test_a_shopper_without_a_receipt_long_after_counts_as_charged_nothing(tmp_path: Path) -> None:
    _truth(tmp_path, [(0, 5.0, 20.0), (1, 30.0, 90.0)])
    visits = [_visit("v-0", 1005.0), _visit("v-1", 1030.0)]
    result = _audit(tmp_path, _export([], visits))
    assert result is not None
    assert [row["undercharged_minor"] for row in result["visits"]] == [150]


def test_before_anybody_left_there_is_nothing_to_audit(tmp_path: Path) -> None:
    assert _audit(tmp_path, _export([], [])) is None
