"""Starts, watches and stops the store's processes, the broker among them.

A child that ends by itself is started again after a growing pause; one that ends
RESTARTS_MAX times within RESTART_WINDOW_S stops the store with its last words. A child that must
not run twice is not started again: its clean end is noted, any other end stops the store. Children
get their own process group, so that a Ctrl-C in the terminal reaches only the supervisor, which
then stops them in the reverse order of their start. On Linux they are told to end even if the
supervisor itself is killed: the kernel sends SIGTERM when the thread that started them is gone.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sortie.errors import PortTakenError, ProcessFailedError

__all__ = ["Child", "Supervisor", "check_port_free", "free_port", "wait_for_port"]

LISTEN_PORTS = (20_000, 32_000)
"""Below what Linux gives to outgoing connections (from 32768 on)."""

RESTARTS_MAX = 5
RESTART_WINDOW_S = 60.0
PAUSE_S_MAX = 5.0
STOP_TIMEOUT_S = 8.0
POLL_S = 0.2
LAST_WORDS_BYTES = 2000
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive. `ready` answers whether it serves; None means at once.

    `env` is never shown: it may hold passwords. `restart=False`: it runs once.
    """

    name: str
    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready: Callable[[], bool] | None = None
    ready_timeout_s: float = 90.0
    restart: bool = True


@dataclass(slots=True)
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    log: Path
    starts: list[float] = field(default_factory=list)
    restart_at: float | None = None
    ended: bool = False


class Supervisor:
    """Keeps children alive until told to stop; logs go to one file a child in `log_dir`."""

    def __init__(self, log_dir: Path, *, say: Callable[[str], None] = print) -> None:
        self._log_dir = log_dir
        self._say = say
        self._running: dict[str, _Running] = {}
        self._stopping = False
        self._before_exec = _end_with_parent()
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(self, child: Child) -> None:
        """Starts a child and waits until it is ready; ProcessFailedError with its last words."""
        self.launch(child)
        self.wait_ready(child.name)

    def launch(self, child: Child) -> None:
        """Starts a child and does not wait for it."""
        log = self._log_dir / f"{child.name}.log"
        log.unlink(missing_ok=True)
        running = _Running(child=child, process=self._spawn(child, log), log=log)
        running.starts.append(time.monotonic())
        self._running[child.name] = running

    def wait_ready(
        self, *names: str, progress: Callable[[list[str]], None] = lambda _waiting: None
    ) -> bool:
        """Waits until these children serve, or all of them without names; False if a stop was
        requested meanwhile. `progress` hears who is still waited for.

        ProcessFailedError, with its last words, if one ends or does not serve in time.
        """
        waiting = [one for name, one in self._running.items() if not names or name in names]
        while waiting and not self._stopping:
            waiting = [one for one in waiting if not self._is_ready(one)]
            progress([one.child.name for one in waiting])
            if waiting:
                time.sleep(POLL_S)
        return not self._stopping

    def ended(self, name: str) -> bool:
        """Whether a child that runs once has come to its end."""
        return self._running[name].ended

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stopping

    def pid(self, name: str) -> int:
        """The process id of a running child."""
        return self._running[name].process.pid

    def status(self, name: str) -> int | None:
        """A child's exit status; None while it runs."""
        return self._running[name].process.poll()

    def wait_ended(self, name: str) -> None:
        """Waits for the end of a child that was told to end, or kills it."""
        self._wait_ended(self._running[name])

    def last_words(self, name: str) -> str:
        """The end of a child's log."""
        return _tail(self._running[name].log)

    def kill(self, name: str) -> None:
        """Kills a child as a crash would; `poll` starts it again."""
        self._running[name].process.kill()

    def request_stop(self) -> None:
        """Makes `watch` return; safe in a signal handler."""
        self._stopping = True

    def watch(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Watches and restarts until a stop is requested or `until` says so."""
        while not self._stopping and not until():
            self.poll()
            time.sleep(POLL_S)

    def poll(self) -> None:
        """One look at all children: starts again what has ended."""
        for running in self._running.values():
            if running.ended or running.process.poll() is None:
                continue
            if not running.child.restart:
                self._note_end(running)
                continue
            now = time.monotonic()
            if running.restart_at is None:
                running.restart_at = now + self._pause_s(running, now)
            if now >= running.restart_at:
                self._restart(running, now)

    def stop(self) -> None:
        """Stops the children, the last started first; kills what does not end in time."""
        for running in reversed(self._running.values()):
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGTERM)
                self._wait_ended(running)
        self._running.clear()

    def _wait_ended(self, running: _Running) -> None:
        try:
            running.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._say(f"{running.child.name} did not stop in time and is killed")
            running.process.kill()
            running.process.wait(STOP_TIMEOUT_S)

    def _spawn(self, child: Child, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as sink:
            return subprocess.Popen(
                child.command,
                env={**os.environ, **child.env},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._before_exec,
            )

    def _is_ready(self, running: _Running) -> bool:
        child = running.child
        status = running.process.poll()
        if status is not None and (child.restart or status != 0):
            raise ProcessFailedError(
                f"{child.name} ended with status {status} before it was ready; "
                f"its last words:\n{_tail(running.log)}"
            )
        if child.ready is None or status is not None or child.ready():
            return True
        if time.monotonic() > running.starts[-1] + child.ready_timeout_s:
            raise ProcessFailedError(
                f"expected {child.name} to serve within {child.ready_timeout_s:.0f} s, it does "
                f"not; its last words:\n{_tail(running.log)}"
            )
        return False

    def _note_end(self, running: _Running) -> None:
        if running.process.returncode != 0:
            raise ProcessFailedError(
                f"{running.child.name} ended with status {running.process.returncode}; "
                f"its last words:\n{_tail(running.log)}"
            )
        running.ended = True

    def _pause_s(self, running: _Running, now: float) -> float:
        recent = [t for t in running.starts if now - t < RESTART_WINDOW_S]
        if len(recent) >= RESTARTS_MAX:
            raise ProcessFailedError(
                f"{running.child.name} ended {RESTARTS_MAX} times in {RESTART_WINDOW_S:.0f} s; "
                f"its last words:\n{_tail(running.log)}"
            )
        pause_s: float = min(PAUSE_S_MAX, 0.25 * 2.0 ** (len(recent) - 1))
        self._say(
            f"{running.child.name} ended with status {running.process.returncode}; "
            f"starting it again in {pause_s:.1f} s"
        )
        return pause_s

    def _restart(self, running: _Running, now: float) -> None:
        running.process = self._spawn(running.child, running.log)
        running.starts = [t for t in running.starts if now - t < RESTART_WINDOW_S] + [now]
        running.restart_at = None


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does before its program begins, made ready here: between fork and exec nothing
    may be imported or looked up. None where the system has no such thing."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    number = int(signal.SIGTERM)

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, number)

    return ask


def free_port() -> int:
    """A port of the loopback interface that nobody listens on right now.

    Not one of those that the system gives to outgoing connections: between this answer and its
    use, one of the store's own clients could be given it.
    """
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(*LISTEN_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def check_port_free(host: str, port: int, *, option: str) -> None:
    """PortTakenError naming the option to change if something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTakenError(
                f"expected port {port} on {host} to be free, but it is not ({error.strerror}); "
                f"stop the other program or choose another with {option}"
            ) from error


def wait_for_port(port: int) -> Callable[[], bool]:
    """A readiness probe: whether something accepts connections on a loopback port."""

    def ready() -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return ready


def _tail(log: Path) -> str:
    data = log.read_bytes() if log.exists() else b""
    return data[-LAST_WORDS_BYTES:].decode("utf-8", errors="replace").strip() or "(none)"
