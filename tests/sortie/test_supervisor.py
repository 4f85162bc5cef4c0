"""The supervisor with real children: ready, restarted, given up, stopped."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sortie.errors import PortTakenError, ProcessFailedError
from sortie.supervisor import Child, Supervisor, check_port_free, free_port, wait_for_port

SERVE = (
    "import socket,sys,threading\n"
    "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(); threading.Event().wait()"
)
DEADLINE_S = 30.0


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    said: list[str] = []
    one = Supervisor(tmp_path / "logs", say=said.append)
    yield one
    one.stop()


def within_deadline(*, hold: Callable[[], bool]) -> Callable[[], bool]:
    deadline = time.monotonic() + DEADLINE_S

    def done() -> bool:
        assert time.monotonic() < deadline, "the supervisor did not get there in time"
        return hold()

    return done


def server(port: int) -> Child:
    return Child("server", [sys.executable, "-c", SERVE, str(port)], ready=wait_for_port(port))


def test_a_killed_child_comes_back_under_a_new_pid(supervisor: Supervisor) -> None:
    port = free_port()
    supervisor.start(server(port))
    first = supervisor.pid("server")
    supervisor.kill("server")
    alive = wait_for_port(port)
    supervisor.watch(until=within_deadline(hold=lambda: supervisor.pid("server") != first))
    supervisor.watch(until=within_deadline(hold=alive))
    assert supervisor.pid("server") != first


def test_stop_ends_every_child(supervisor: Supervisor) -> None:
    port = free_port()
    supervisor.start(server(port))
    pid = supervisor.pid("server")
    supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_fails_at_start_gives_its_last_words(supervisor: Supervisor) -> None:
    child = Child(
        "broken", [sys.executable, "-c", "raise SystemExit('no such store')"], ready=lambda: False
    )
    with pytest.raises(ProcessFailedError, match="no such store"):
        supervisor.start(child)


def test_a_child_that_keeps_dying_is_given_up(supervisor: Supervisor) -> None:
    supervisor.start(Child("flapping", [sys.executable, "-S", "-c", "print('worn out')"]))
    with pytest.raises(ProcessFailedError, match="worn out"):
        supervisor.watch(until=within_deadline(hold=lambda: False))


def test_a_taken_port_is_named_with_the_option_to_change() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port} .*--port"):
            check_port_free("127.0.0.1", port, option="--port")
