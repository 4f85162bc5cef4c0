"""The broker as a supervised child: its own port, generated credentials, rights from the topics.

Nothing is persisted by the broker: the hub's acknowledgements, not the broker's, let an outbox
forget. The in-flight and queue limits are raised because a node that was cut off resends its whole
outbox. Where Mosquitto is not installed, amqtt may stand in (sortie.stand_in_broker), for callers
that say so: it is slower and its queues have no bounds.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.topics import TOPICS, topic
from sortie.doctor import find_program
from sortie.errors import MissingPartError
from sortie.stand_in import StandInSettings, StandInUser, password_digest

__all__ = ["BrokerFiles", "Rights", "acl_text", "broker_command", "rights", "write_broker_files"]

HUB_USER = "hub"
MISSING = "expected Mosquitto on this machine, found none; mend with: apt-get install mosquitto"
QUEUED_MESSAGES_MAX = 100_000
INFLIGHT_MESSAGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where the broker's configuration lies and the passwords of its users."""

    config: Path
    port: int
    passwords: dict[str, str] = field(repr=False)
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Rights:
    """Topic filters one user may read and write."""

    read: tuple[str, ...]
    write: tuple[str, ...]


def rights(store_id: str, node_ids: Sequence[str]) -> dict[str, Rights]:
    """Each node may write and read its own channels only; the hub all of its store."""
    everything = (f"sortie/v1/{store_id}/#",)
    found = {HUB_USER: Rights(read=everything, write=everything)}
    for node_id in node_ids:
        names: dict[bool, list[str]] = {True: [], False: []}
        for row in TOPICS.values():
            name = topic(row.name, store_id=store_id, device_id=node_id)
            names[row.publisher == "hub"].append(name)
        found[node_id] = Rights(read=tuple(names[True]), write=tuple(names[False]))
    return found


def acl_text(users: Mapping[str, Rights]) -> str:
    """The rights in Mosquitto's words."""
    lines = []
    for user, granted in users.items():
        lines.append(f"user {user}")
        lines += [f"topic read {name}" for name in granted.read]
        lines += [f"topic write {name}" for name in granted.write]
    return "\n".join(lines) + "\n"


def write_broker_files(
    folder: Path,
    *,
    store_id: str,
    node_ids: Sequence[str],
    port: int,
    stand_in_allowed: bool = False,
) -> BrokerFiles:
    """Writes configuration, rights and hashed passwords, readable by this user only.

    MissingPartError without Mosquitto, unless the stand-in is allowed and installed.
    """
    hasher = find_program("mosquitto_passwd")
    stand_in = hasher is None or find_program("mosquitto") is None
    if stand_in and not (stand_in_allowed and importlib.util.find_spec("amqtt")):
        raise MissingPartError(MISSING)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    users = rights(store_id, node_ids)
    passwords = {user: secrets.token_urlsafe(24) for user in users}
    if hasher is None or stand_in:
        config = _write_stand_in(folder, users, passwords, port)
    else:
        config = _write_mosquitto(folder, users, passwords, port, hasher)
    return BrokerFiles(config=config, port=port, passwords=passwords, stand_in=stand_in)


def broker_command(files: BrokerFiles) -> list[str]:
    """The command line of the child; MissingPartError where Mosquitto is gone meanwhile."""
    if files.stand_in:
        return [sys.executable, "-m", "sortie.stand_in_broker", str(files.config)]
    program = find_program("mosquitto")
    if program is None:
        raise MissingPartError(MISSING)
    return [program, "-c", str(files.config)]


def _write_mosquitto(
    folder: Path,
    users: Mapping[str, Rights],
    passwords: Mapping[str, str],
    port: int,
    hasher: str,
) -> Path:
    password_file = folder / "passwords"
    _write_private(password_file, "".join(f"{u}:{p}\n" for u, p in passwords.items()))
    subprocess.run([hasher, "-U", str(password_file)], check=True, capture_output=True, timeout=30)
    acl_file = folder / "acl"
    _write_private(acl_file, acl_text(users))
    config = folder / "mosquitto.conf"
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {password_file}",
        f"acl_file {acl_file}",
        "persistence false",
        f"max_inflight_messages {INFLIGHT_MESSAGES_MAX}",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        "max_packet_size 262144",
        f"user {getpass.getuser()}",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    _write_private(config, "\n".join(lines) + "\n")
    return config


def _write_stand_in(
    folder: Path, users: Mapping[str, Rights], passwords: Mapping[str, str], port: int
) -> Path:
    settings = StandInSettings(
        port=port,
        users={
            user: StandInUser(
                password_sha256=password_digest(passwords[user]),
                read=granted.read,
                write=granted.write,
            )
            for user, granted in users.items()
        },
    )
    config = folder / "stand-in.json"
    _write_private(config, settings.model_dump_json(indent=2) + "\n")
    return config


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
