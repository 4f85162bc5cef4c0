"""`sortie doctor`: what this machine lacks and how to mend it.

Native packages are tried in a child process each, because a missing system library can end the
interpreter or poison later imports.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from sortie.errors import SortieError

__all__ = ["Finding", "examine", "find_program", "run_doctor"]

State = Literal["ok", "missing", "limited"]
IMPORT_TIMEOUT_S = 60
DISK_FREE_BYTES_MIN = 2 * 1024**3
SHM_FREE_BYTES_MIN = 128 * 1024**2
TLS_SETTINGS = ("SORTIE_HUB_MQTT_TLS_CA", "SORTIE_HUB_MQTT_TLS_CERT", "SORTIE_HUB_MQTT_TLS_KEY")
TLS_DAYS_MIN = 30
TLS_MEND = "sortie devices add or certificate (docs/running.md)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. `missing` stops the store, `limited` does not."""

    subject: str
    state: State
    found: str
    mend: str = ""


def find_program(*names: str) -> str | None:
    """Path of the first program found, /usr/sbin included; None if there is none."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])
    for name in names:
        path = shutil.which(name, path=search)
        if path:
            return path
    return None


def examine() -> list[Finding]:
    """All findings, in the order a newcomer meets them."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        lambda: _module("cv2", "missing", "apt-get install libgl1 libglib2.0-0; make install"),
        lambda: _module("onnxruntime", "missing", "make install"),
        lambda: _module("av", "missing", "make install"),
        lambda: _module("numba", "missing", "make install"),
        lambda: _module("nicegui", "missing", "make install"),
        lambda: _module("pyzbar.pyzbar", "limited", "apt-get install libzbar0"),
        lambda: _module("zxingcpp", "limited", "make install"),
        _broker,
        _postgres,
        _certificates,
        _entry_keys,
        _browser,
        _weights,
        _shared_memory,
        _disk,
        _loopback,
    )
    return [check() for check in checks]


def run_doctor(console: Console) -> int:
    """Prints the report; 0 if the store can run here, 1 if something essential is missing."""
    findings = examine()
    table = Table(title="sortie doctor", title_justify="left")
    for column in ("", "part", "found", "mend"):
        table.add_column(column, overflow="fold")
    signs = {"ok": "[green]ok[/]", "limited": "[yellow]limited[/]", "missing": "[red]missing[/]"}
    for finding in findings:
        table.add_row(signs[finding.state], finding.subject, finding.found, finding.mend)
    console.print(table)
    missing = [finding.subject for finding in findings if finding.state == "missing"]
    if missing:
        console.print(f"The store cannot run here yet: {', '.join(missing)}.")
        return 1
    console.print("The store can run on this machine.")
    return 0


def _python() -> Finding:
    version = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        "Python", "ok" if fits else "missing", version, "" if fits else "use Python 3.11 to 3.13"
    )


def _module(name: str, otherwise: State, mend: str) -> Finding:
    code = f"import {name} as m; print(getattr(m, '__version__', 'present'))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(name, otherwise, f"no answer in {IMPORT_TIMEOUT_S} s", mend)
    if done.returncode == 0:
        return Finding(name, "ok", done.stdout.strip())
    lines = done.stderr.strip().splitlines()
    return Finding(name, otherwise, lines[-1] if lines else f"exit {done.returncode}", mend)


def _broker() -> Finding:
    path = find_program("mosquitto")
    if path and find_program("mosquitto_passwd"):
        return Finding("Mosquitto", "ok", path)
    mend = "apt-get install mosquitto (the MQTT broker)"
    stand_in = _module("amqtt.broker", "missing", mend)
    if stand_in.state == "ok":
        found = "not found; amqtt stands in, slower and for the demo only"
        return Finding("Mosquitto", "limited", found, mend)
    return Finding("Mosquitto", "missing", "not found", mend)


def _postgres() -> Finding:
    """Optional: two hubs share a store in it, and the hub's tests start one of their own."""
    driver = _module("psycopg", "missing", "make install")
    if driver.state != "ok":
        return Finding("PostgreSQL", "limited", f"psycopg: {driver.found}", driver.mend)
    here = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    path = str(here[-1].parent) if here else find_program("initdb")
    if path is None:
        mend = "only two hubs of one store, and tests, need it: apt-get install postgresql"
        return Finding("PostgreSQL", "limited", "not found; SQLite does for one hub", mend)
    return Finding("PostgreSQL", "ok", path)


def _certificates() -> Finding:
    """The broker's certificates, where the hub's environment names some."""
    from sortie.certificates import expires

    subject = "TLS files"
    named = {name: os.environ.get(name, "") for name in TLS_SETTINGS}
    if not any(named.values()):
        return Finding(subject, "ok", "none set: broker and nodes are on this machine")
    ends: list[datetime] = []
    for name, text in named.items():
        path = Path(text)
        if not text:
            continue
        if not path.is_file() or not os.access(path, os.R_OK):
            return Finding(subject, "missing", f"{name}: no readable file {text}", TLS_MEND)
        if name.endswith("_KEY"):
            if path.stat().st_mode & 0o077:
                return Finding(subject, "limited", f"others may read {text}", f"chmod 600 {text}")
            continue
        try:
            ends.append(expires(path))
        except SortieError as error:
            return Finding(subject, "missing", str(error), TLS_MEND)
    if not ends:
        return Finding(subject, "missing", "a key without a certificate", TLS_MEND)
    left = (min(ends) - datetime.now(UTC)).days
    if left < 0:
        return Finding(subject, "missing", f"ended {-left} days ago", TLS_MEND)
    if left < TLS_DAYS_MIN:
        return Finding(subject, "limited", f"end in {left} days", TLS_MEND)
    return Finding(subject, "ok", f"good for {left} days")


def _entry_keys() -> Finding:
    """The keys that sign entry codes, where the hub's environment says that they are."""
    text = os.environ.get("SORTIE_HUB_ENTRY_KEYS_FILE", "")
    if not text:
        return Finding("entry keys", "ok", "not set: the hub makes them beside its database")
    path = Path(text)
    if not path.exists():
        folder = path.absolute().parent
        if os.access(folder, os.W_OK):
            return Finding("entry keys", "ok", f"the hub will make {text}")
        return Finding("entry keys", "missing", f"no {text}", f"let the hub write in {folder}")
    if not os.access(path, os.R_OK):
        return Finding("entry keys", "missing", f"{text} cannot be read", f"make {text} the hub's")
    if path.stat().st_mode & 0o077:
        return Finding("entry keys", "limited", f"others may read {text}", f"chmod 600 {text}")
    return Finding("entry keys", "ok", text)


def _browser() -> Finding:
    path = find_program("chromium", "chromium-browser", "google-chrome")
    if path:
        return Finding("Chromium", "ok", path)
    return Finding(
        "Chromium", "limited", "not found", "only browser tests need it: apt-get install chromium"
    )


def _weights() -> Finding:
    from models.errors import ModelError
    from models.manifest import list_manifests, verify

    try:
        manifests = list_manifests()
        for manifest in manifests:
            verify(manifest.name, manifest)
    except ModelError as error:
        return Finding("weights", "missing", str(error), "git checkout models/weights")
    return Finding("weights", "ok", ", ".join(manifest.name for manifest in manifests))


def _shared_memory() -> Finding:
    path = Path("/dev/shm")
    if not path.is_dir() or not os.access(path, os.W_OK):
        return Finding(
            "shared memory", "limited", "no writable /dev/shm", "frames then go through temp files"
        )
    free = shutil.disk_usage(path).free
    if free < SHM_FREE_BYTES_MIN:
        return Finding(
            "shared memory",
            "missing",
            f"{free // 1024**2} MB free in /dev/shm",
            f"free {SHM_FREE_BYTES_MIN // 1024**2} MB (containers: --shm-size=256m)",
        )
    return Finding("shared memory", "ok", f"{free // 1024**2} MB free")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    state: State = "ok" if free >= DISK_FREE_BYTES_MIN else "limited"
    mend = "" if state == "ok" else f"free {DISK_FREE_BYTES_MIN // 1024**3} GB"
    return Finding("disk", state, f"{free / 1024**3:.1f} GB free", mend)


def _loopback() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding("loopback", "missing", str(error), "allow listening on 127.0.0.1")
    return Finding("loopback", "ok", "127.0.0.1")
