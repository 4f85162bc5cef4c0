"""A private PostgreSQL server for tests and benchmarks, and databases in it.

As root the server runs as the user `postgres`, because it refuses to be root. It listens on a Unix
socket in its own folder only, and synchronises as a real one does unless it is told not to.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

__all__ = ["Cluster", "programs"]

USER = "sortie"
START_TIMEOUT_S = 60.0
SETTINGS = {
    "listen_addresses": "''",
    "synchronous_commit": "on",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}
SYNCHRONOUS = ("fsync", "full_page_writes")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return None if there is None else Path(there).parent


class Cluster:
    """One PostgreSQL server with a folder of its own. Unless `synchronous`, nothing waits for the
    disk: what was committed outlives the server, but not the machine."""

    def __init__(self, programs: Path, *, synchronous: bool = True) -> None:
        self._programs = programs
        # pytest's own folders are closed to other users, and so would be the server.
        self._folder = Path(tempfile.mkdtemp(prefix="sortie-pg-", dir="/tmp"))
        self._data = self._folder / "data"
        self._as_user: list[str] = []
        self._names = itertools.count(1)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as_user = [
                "setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups",
            ]  # fmt: skip
        self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            for name, value in SETTINGS.items():
                file.write(f"{name} = {value}\n")
            for name in SYNCHRONOUS:
                file.write(f"{name} = {'on' if synchronous else 'off'}\n")
            file.write(f"unix_socket_directories = '{self._folder}'\n")

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [*self._as_user, str(self._programs / program), *map(str, arguments)],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=START_TIMEOUT_S,
        )

    def url(self, name: str) -> str:
        """The address of a database, as hub settings want it."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self._folder}"

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._folder / "log", "start")

    def stop(self, how: str = "fast") -> None:
        """Stops the server: `fast` ends its sessions first, `immediate` is a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", how, "-w", "stop")

    def create(self, template: str = "template0") -> str:
        """Makes a database as a copy of another and returns its name."""
        name = f"test_{next(self._names)}"
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            except OperationalError:
                # Who used the template last may still be saying goodbye.
                if time.monotonic() > deadline_s:
                    raise
            else:
                return name

    def drop(self, name: str) -> None:
        """Ends everybody's sessions on a database and removes it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """One statement outside a transaction, as the server's owner."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def remove(self) -> None:
        """Stops the server and takes its folder away."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
