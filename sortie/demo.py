"""`sortie demo`: the whole store as real processes, with simulated shoppers, at one address.

Broker, hub, pages, nodes and simulator start side by side, because each of them waits by itself
for what it needs; the doors open when all nodes see. Where Mosquitto is not installed amqtt stands
in, and that is said. Everything of a run lies in one folder (var/run, or $SORTIE_RUN). Ctrl-C or
SIGTERM audits the day so far and stops all of it; a process that fails for good stops all of it
too, with its last words.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from sortie.demo_scene import REVIEW_WAIT_S, set_scene
from sortie.errors import ProcessFailedError, UsageError
from sortie.lockstep import Sensors
from sortie.parcels.shop import WallShop
from sortie.serve import (
    FEW_CORES,
    LATE_S_MAX,
    StorePlan,
    StoreProcesses,
    content_type,
    few_cores,
    get_json,
    serves,
)
from sortie.supervisor import Supervisor, check_port_free
from store_sim.scenarios import build
from store_sim.slowness import TOO_SLOW

__all__ = ["audit_run", "run_demo", "run_folder"]

HOST = "127.0.0.1"
SHOPPERS = 8
"""Visits of a scenario that ends; one that goes on for ever has its own number."""
STATUS_S = 2.0
PLAIN_STATUS_S = 60.0
"""Between two status lines where there is no terminal to rewrite one."""
POLL_S = 0.2
SEEING_TIMEOUT_S = 60.0
UNSETTLED_S = 40.0
"""Who left so short a time before the end may still be without a receipt."""
STAND_IN = (
    "[yellow]no Mosquitto here: a broker in Python stands in, slower and for the demo only[/]; "
    "mend with: apt-get install mosquitto"
)

FEW = (
    f"[yellow]{FEW_CORES} cores or less for a whole store: the wall's simulated cameras count as "
    f"blind after {LATE_S_MAX} s, a real one's after 2[/]"
)
SLOW = (
    "[yellow]this machine is too slow for the simulated cameras: they leave out pictures, and the "
    "store sees later and less than its own cameras would let it[/]"
)
Tell = Callable[[list[str]], None]
"""Hears what is being started."""


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
        stand_in_allowed=True,
        wallets=True,
    )
    processes = StoreProcesses(plan)
    if processes.broker_files.stand_in:
        console.print(STAND_IN)
    if store.walls and few_cores():
        console.print(FEW, highlight=False)
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
    """Starts everything and opens the doors; False if it was asked to stop meanwhile.

    The address is told as soon as the pages serve; the products are enrolled beside that.
    """
    late = _need_gallery(processes)
    enrolment = _Enrolment(processes.plan.store_path) if late else None
    try:
        with _progress(console, began_s) as tell:
            supervisor.launch(processes.broker())
            supervisor.launch(processes.hub())
            supervisor.launch(processes.pages())
            supervisor.launch(processes.play())
            for node_id in processes.node_ids:
                if node_id not in late:
                    supervisor.launch(processes.node(node_id))
            supervisor.launch(processes.simulator())
            if (wall := processes.wall_simulator()) is not None:
                supervisor.launch(wall)
            if not supervisor.wait_ready("broker", "hub", "pages", progress=tell):
                return False
        page_s = time.monotonic() - began_s
        console.print(f"[bold]open {processes.pages_url}[/]   Ctrl-C ends the day", highlight=False)
        _tell_addresses(console, processes)
        _set_scene(console, processes)
        with _progress(console, began_s) as tell:
            while not supervisor.stopping and not _seen(processes):
                supervisor.poll()
                tell(["cameras"])
                time.sleep(POLL_S)
            picture_s = time.monotonic() - began_s
            if enrolment is not None:
                gallery = enrolment.wait(supervisor, tell)
                for node_id in late if gallery is not None else ():
                    supervisor.launch(processes.node(node_id, gallery))
            if not supervisor.wait_ready(progress=tell) or not _all_see(
                processes, supervisor, console, tell
            ):
                return False
    finally:
        if enrolment is not None:
            enrolment.close()
    processes.open_doors()
    console.print(
        f"[dim]first page after {page_s:.1f} s, first picture {picture_s:.1f} s, doors open "
        f"{time.monotonic() - began_s:.1f} s[/]",
        highlight=False,
    )
    return True


def _tell_addresses(console: Console, processes: StoreProcesses) -> None:
    """All pages; which exist, the start page knows too."""
    for name, url in processes.addresses()[1:]:
        console.print(f"  [dim]{name:<20} {url}[/]", highlight=False, soft_wrap=True)


def _set_scene(console: Console, processes: StoreProcesses) -> None:
    """Unclear lines wait and one brand is cheaper; without that the day goes on, and it is said."""
    try:
        set_scene(processes.hub_url, processes.store)
    except OSError as error:
        console.print(f"the day goes on without offers and review: {error}", highlight=False)


@contextmanager
def _progress(console: Console, began_s: float) -> Iterator[Tell]:
    """A line with what is starting and for how long; without a terminal, a line when it changes."""
    if console.is_terminal:
        with console.status("starting") as status:

            def rewrite(names: list[str]) -> None:
                passed_s = time.monotonic() - began_s
                status.update(f"starting {', '.join(names)} ({passed_s:.0f} s)")

            yield rewrite
        return
    said: list[list[str]] = []

    def say(names: list[str]) -> None:
        if names and said[-1:] != [names]:
            said.append(names)
            passed_s = time.monotonic() - began_s
            console.print(f"{passed_s:5.1f} s  starting {', '.join(names)}", highlight=False)

    yield say


def _need_gallery(processes: StoreProcesses) -> list[str]:
    """Nodes that tell products apart."""
    if processes.plan.sensors == "plates":
        return []
    return [node.node_id for node in processes.store.nodes if node.bays]


class _Enrolment:
    """The process that makes the gallery of products."""

    def __init__(self, store_path: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sortie.enrol", str(store_path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self, supervisor: Supervisor, tell: Tell) -> Path | None:
        """The gallery's path; None if a stop was asked for. ProcessFailedError if none came."""
        while self._child.poll() is None:
            if supervisor.stopping:
                return None
            supervisor.poll()
            tell(["gallery of products"])
            time.sleep(POLL_S)
        said, fault = self._child.communicate()
        if self._child.returncode != 0:
            raise ProcessFailedError(
                f"the gallery of products could not be made; its last words:\n{fault.strip()}"
            )
        return Path(said.strip())

    def close(self) -> None:
        """Ends it; what is done is done."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.communicate()


def _seen(processes: StoreProcesses) -> bool:
    """Whether the pages show a camera's picture; asking for it makes its node send it."""
    cameras = [camera.camera_id for camera in processes.store.cameras if camera.role == "ceiling"]
    urls = [f"{processes.pages_url}tiles/{camera_id}.jpg" for camera_id in cameras]
    return not urls or any(content_type(url) == "image/jpeg" for url in urls)


def _all_see(
    processes: StoreProcesses, supervisor: Supervisor, console: Console, tell: Tell
) -> bool:
    """Waits until all nodes see; False if a stop was asked for. In the end it is said and borne."""
    deadline_s = time.monotonic() + SEEING_TIMEOUT_S
    while blind := processes.blind():
        if supervisor.stopping:
            return False
        if time.monotonic() > deadline_s:
            console.print(f"the doors open, though not all is seen by {', '.join(blind)}")
            break
        supervisor.poll()
        tell([f"sight of {', '.join(blind)}"])
        time.sleep(POLL_S)
    return True


# -- running


def _attend(processes: StoreProcesses, supervisor: Supervisor, console: Console) -> None:
    """Watches the processes and keeps the status line, until a stop is asked for."""
    figures = _Figures()
    line = console.status("") if console.is_terminal else None
    said_s = looked_s = time.monotonic() - PLAIN_STATUS_S
    over, slow = False, False
    shop = WallShop(processes.hub_url, processes.wall_truth)
    if line is not None:
        line.start()
    try:
        while not supervisor.stopping:
            if processes.broker_is_to_die():
                supervisor.kill("broker")
            supervisor.poll()
            now_s = time.monotonic()
            if now_s - looked_s >= STATUS_S:
                looked_s = now_s
                _look(processes, figures)
                # What the hub does not take now it takes later.
                with suppress(OSError):
                    shop.step()
                _show(line, figures)
                if not slow and (slow := _is_slow(processes, supervisor)):
                    console.print(SLOW)
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


def _is_slow(processes: StoreProcesses, supervisor: Supervisor) -> bool:
    """Whether a simulator says that it cannot draw all of its cameras' pictures."""
    names = ["simulator", *(["wall"] if processes.store.walls else [])]
    return any(TOO_SLOW in supervisor.last_words(name) for name in names)


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
        unsettled_s=UNSETTLED_S + REVIEW_WAIT_S,
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
    unsettled_s: float = UNSETTLED_S,
) -> dict[str, Any] | None:
    """The auditor's document of a run that was stopped at some moment; None if nobody left yet.

    Shoppers who left in the last `unsettled_s` may be without a receipt yet and are not judged.
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
        if visit.visit_id in receipts or (visit.left_s or 0.0) < latest_s - unsettled_s
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
