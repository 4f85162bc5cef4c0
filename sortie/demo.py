"""`sortie demo`: the whole store as real processes, with simulated shoppers, at one address.

Broker, hub, pages, nodes and simulator start side by side, because each of them waits by itself
for what it needs; the doors open when all nodes see. Everything of a run lies in one folder
(var/run, or $SORTIE_RUN). Ctrl-C or SIGTERM audits the day so far and stops all of it; a process
that fails for good stops all of it too, with its last words.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from rich.console import Console
from rich.status import Status

from auditor.read import TrueVisit, read_export, read_truth
from auditor.report import document, print_report, score_day
from contracts.store_file import load_store_file
from sortie.day import demo_store_path, model_hashes
from sortie.errors import ProcessFailedError, UsageError
from sortie.lockstep import Sensors
from sortie.serve import StorePlan, StoreProcesses, content_type, get_json, serves
from sortie.supervisor import Supervisor, check_port_free
from store_sim.scenarios import build

__all__ = ["audit_run", "run_demo", "run_folder"]

HOST = "127.0.0.1"
SHOPPERS = 8
"""Visits of a scenario that ends; one that goes on for ever has its own number."""
STATUS_S = 2.0
PLAIN_STATUS_S = 60.0
"""Between two status lines where there is no terminal to rewrite one."""
POLL_S = 0.2
PICTURE_TIMEOUT_S = 60.0
SEEING_TIMEOUT_S = 60.0
UNSETTLED_S = 40.0
"""Who left so short a time before the end may still be without a receipt."""


@dataclass(slots=True)
class _Figures:
    """What the status line says; the hub shows only its latest visits, so they are collected."""

    receipts: dict[str, tuple[int, int]] = field(default_factory=dict)
    shopping: int = 0
    in_carts: int = 0
    answered: bool = False

    def take(self, state: dict[str, Any]) -> None:
        """The hub's state as staff see it."""
        self.shopping = self.in_carts = 0
        for visit in state["visits"]:
            items = sum(line["quantity"] for line in visit["lines"])
            if visit["stage"] == "final":
                self.receipts[visit["visit_id"]] = (items, visit["total_minor"])
            elif visit["stage"] != "refused":
                self.shopping += 1
                self.in_carts += items
        self.answered = True

    def text(self) -> str:
        """One line."""
        if not self.answered:
            return "the hub is starting again"
        sold = sum(items for items, _ in self.receipts.values())
        total = sum(minor for _, minor in self.receipts.values())
        return (
            f"{self.shopping} in the store with {self.in_carts} items · "
            f"{len(self.receipts)} receipts, {sold} items, {total / 100:.2f}"
        )


def run_folder() -> Path:
    """$SORTIE_RUN, or var/run where the command was given."""
    configured = os.environ.get("SORTIE_RUN")
    return Path(configured) if configured else Path("var") / "run"


def run_demo(
    *,
    store_path: Path | None,
    scenario: str,
    seed: int,
    sensors: Sensors,
    port: int,
    shoppers: int = SHOPPERS,
) -> None:
    """Runs the store until Ctrl-C, SIGTERM or a failure.

    PortTakenError, ScenarioError, ModelError, StoreFileError or MissingPartError before anything
    was started; ProcessFailedError when one of the processes fails for good.
    """
    began_s = time.monotonic()
    console = Console()
    path = store_path or demo_store_path()
    check_port_free(HOST, port, option="--port")
    store = load_store_file(path)
    build(scenario, store, seed, shoppers)
    hashes = model_hashes()
    plan = StorePlan(
        store_path=path,
        folder=run_folder(),
        scenario=scenario,
        seed=seed,
        shoppers=shoppers,
        sensors=sensors,
        pages_port=port,
    )
    processes = StoreProcesses(plan)
    supervisor = Supervisor(processes.folder / "logs", say=console.print)
    try:
        with _stopped_by_signals(supervisor):
            if _start(processes, supervisor, console, began_s):
                _attend(processes, supervisor, console)
            _report(processes, console, hashes, time.monotonic() - began_s)
            with console.status("stopping"):
                supervisor.stop()
    finally:
        supervisor.stop()
        processes.close()
    console.print(f"stopped; logs and books are in {processes.folder}")


@contextmanager
def _stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """Signals ask the supervisor to stop; none of them interrupts the stopping."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        supervisor.request_stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- starting


def _start(
    processes: StoreProcesses, supervisor: Supervisor, console: Console, began_s: float
) -> bool:
    """Starts everything; False if it was asked to stop meanwhile."""
    with _progress(console, began_s) as tell:
        supervisor.launch(processes.broker())
        supervisor.launch(processes.hub())
        supervisor.launch(processes.pages())
        waits_for_gallery = _needs_gallery(processes)
        for node_id in processes.node_ids:
            if node_id not in waits_for_gallery:
                supervisor.launch(processes.node(node_id))
        supervisor.launch(processes.simulator())
        if waits_for_gallery:
            gallery = _enrol(processes, supervisor, tell)
            if gallery is None:
                return False
            for node_id in waits_for_gallery:
                supervisor.launch(processes.node(node_id, gallery))
        if not supervisor.wait_ready(progress=lambda names: tell(", ".join(names))):
            return False
        page_s = time.monotonic() - began_s
        picture = _first_picture(processes, supervisor, tell)
        picture_s = time.monotonic() - began_s
    if supervisor.stopping:
        return False
    console.print(f"[bold]open {processes.pages_url}[/]   (Ctrl-C ends the day)", highlight=False)
    seen = f"first picture of {picture} after {picture_s:.1f} s" if picture else "no picture yet"
    console.print(f"[dim]first page after {page_s:.1f} s, {seen}[/]", highlight=False)
    return _open_doors(processes, supervisor, console)


def _open_doors(processes: StoreProcesses, supervisor: Supervisor, console: Console) -> bool:
    """Lets shoppers in once all nodes see; False if it was asked to stop meanwhile."""
    deadline_s = time.monotonic() + SEEING_TIMEOUT_S
    while (blind := processes.blind()) and time.monotonic() < deadline_s:
        if supervisor.stopping:
            return False
        supervisor.poll()
        time.sleep(POLL_S)
    if blind:
        console.print(f"the doors open, though not all is seen by {', '.join(blind)}")
    processes.open_doors()
    return True


@contextmanager
def _progress(console: Console, began_s: float) -> Iterator[Callable[[str], None]]:
    """A line with what is starting and for how long; without a terminal, a line when it changes."""
    if console.is_terminal:
        with console.status("starting") as status:

            def rewrite(what: str) -> None:
                status.update(f"starting {what} ({time.monotonic() - began_s:.0f} s)")

            yield rewrite
        return
    said: list[str] = []

    def say(what: str) -> None:
        if what and said[-1:] != [what]:
            said.append(what)
            console.print(f"{time.monotonic() - began_s:5.1f} s  starting {what}", highlight=False)

    yield say


def _needs_gallery(processes: StoreProcesses) -> list[str]:
    """Nodes that tell products apart."""
    if processes.plan.sensors == "plates":
        return []
    return [node.node_id for node in processes.store.nodes if node.bays]


def _enrol(
    processes: StoreProcesses, supervisor: Supervisor, tell: Callable[[str], None]
) -> Path | None:
    """The gallery's path; None if it was asked to stop meanwhile."""
    command = [sys.executable, "-m", "sortie.enrol", str(processes.plan.store_path)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            while child.poll() is None:
                if supervisor.stopping:
                    return None
                supervisor.poll()
                tell("gallery of products")
                time.sleep(POLL_S)
            said, fault = child.communicate()
        finally:
            child.kill()
    if child.returncode != 0:
        raise ProcessFailedError(
            f"the gallery of products could not be made; its last words:\n{fault.strip()}"
        )
    return Path(said.strip())


def _first_picture(
    processes: StoreProcesses, supervisor: Supervisor, tell: Callable[[str], None]
) -> str | None:
    """Waits for a camera on the pages, as a visitor would; its id, None if none came in time."""
    cameras = [camera.camera_id for camera in processes.store.cameras if camera.role == "ceiling"]
    deadline_s = time.monotonic() + PICTURE_TIMEOUT_S
    while time.monotonic() < deadline_s and not supervisor.stopping:
        supervisor.poll()
        for camera_id in cameras:
            if content_type(f"{processes.pages_url}tiles/{camera_id}.jpg") == "image/jpeg":
                return camera_id
        tell("cameras")
        time.sleep(POLL_S)
    return None


# -- running


def _attend(processes: StoreProcesses, supervisor: Supervisor, console: Console) -> None:
    """Watches the processes and keeps the status line, until a stop is asked for."""
    figures = _Figures()
    line = console.status("") if console.is_terminal else None
    said_s = looked_s = time.monotonic() - PLAIN_STATUS_S
    over = False
    if line is not None:
        line.start()
    try:
        while not supervisor.stopping:
            supervisor.poll()
            now_s = time.monotonic()
            if now_s - looked_s >= STATUS_S:
                looked_s = now_s
                _look(processes, figures)
                _show(line, figures)
            if line is None and now_s - said_s >= PLAIN_STATUS_S:
                said_s = now_s
                console.print(figures.text(), highlight=False)
            if supervisor.ended("simulator") and not over:
                over = True
                console.print("the last shopper has left; Ctrl-C ends the day")
            time.sleep(POLL_S)
    finally:
        if line is not None:
            line.stop()


def _show(line: Status | None, figures: _Figures) -> None:
    if line is not None:
        line.update(figures.text())


def _look(processes: StoreProcesses, figures: _Figures) -> None:
    try:
        figures.take(processes.state())
    except OSError:
        # It was killed or is busy; the supervisor sees to it.
        figures.answered = False


# -- the end of the day


def _report(
    processes: StoreProcesses, console: Console, hashes: dict[str, str], store_s: float
) -> None:
    """The auditor's table, if there is anything to say and the hub can be asked."""
    if not serves(f"{processes.hub_url}/healthz")():
        return
    try:
        export = get_json(f"{processes.hub_url}/api/v1/audit/export")
    except OSError as error:
        console.print(f"no audit: the hub does not answer ({error})")
        return
    result = audit_run(
        processes.truth,
        export,
        sensors=processes.plan.sensors,
        seed=processes.plan.seed,
        hashes=hashes,
        store_s=store_s,
    )
    if result is not None:
        print_report(console, result)


def audit_run(
    truth: Path,
    export: dict[str, Any],
    *,
    sensors: str,
    seed: int,
    hashes: dict[str, str],
    store_s: float,
) -> dict[str, Any] | None:
    """The auditor's document of a run that was stopped at some moment; None if nobody left yet.

    Shoppers who left in the last moments may be without a receipt yet and are not judged.
    """
    if not (truth / "visits.jsonl").exists() or not (truth / "phones.jsonl").exists():
        return None
    export = read_export(export)
    visits = read_truth(truth)
    receipts = {row["visit_id"] for row in export["receipts"]}
    latest_s = max((visit.left_s or 0.0 for visit in visits), default=0.0)
    judged = [
        visit
        for visit in visits
        if visit.visit_id in receipts or (visit.left_s or 0.0) < latest_s - UNSETTLED_S
    ]
    # Who is still inside has no truth yet: such a receipt could be nobody's fault.
    known = {visit.visit_id for visit in visits}
    said = [row for row in export["receipts"] if row["visit_id"] in known]
    if not judged:
        return None
    scores = score_day(judged, {**export, "receipts": said}, epoch_s=_epoch_s(visits, export))
    return document(
        scores,
        export,
        sensors=sensors,
        seed=seed,
        models=hashes,
        cpu_s=sum(os.times()[2:4]),
        store_s=store_s,
    )


def _epoch_s(truth: list[TrueVisit], export: dict[str, Any]) -> float:
    """Hub time at store second 0, from the scans that both sides know of."""
    scanned: dict[str, float] = {
        row["visit_id"]: row["scanned_us"] / 1e6
        for row in export["visits"]
        if row["scanned_us"] is not None
    }
    apart = [
        scanned[visit.visit_id] - visit.entered_s
        for visit in truth
        if visit.visit_id in scanned and visit.entered_s is not None
    ]
    if not apart:
        raise UsageError("expected a scan that the hub knows of, got none")
    return float(median(apart))
