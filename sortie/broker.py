"""Mosquitto as a supervised child: its own port, generated credentials, an ACL from the topics.

Nothing is persisted by the broker: the hub's acknowledgements, not the broker's, let an outbox
forget. The in-flight and queue limits are raised because a node that was cut off resends its whole
outbox.
"""

from __future__ import annotations

import getpass
import os
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.topics import TOPICS, topic
from sortie.doctor import find_program
from sortie.errors import MissingPartError

__all__ = ["BrokerFiles", "acl_text", "broker_command", "write_broker_files"]

HUB_USER = "hub"
QUEUED_MESSAGES_MAX = 100_000
INFLIGHT_MESSAGES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where the broker's configuration lies and the passwords of its users."""

    config: Path
    port: int
    passwords: dict[str, str] = field(repr=False)


def acl_text(store_id: str, node_ids: Sequence[str]) -> str:
    """Each node may write and read its own channels only; the hub all of its store."""
    lines = [f"user {HUB_USER}", f"topic readwrite sortie/v1/{store_id}/#"]
    for node_id in node_ids:
        lines.append(f"user {node_id}")
        for row in TOPICS.values():
            access = "read" if row.publisher == "hub" else "write"
            name = topic(row.name, store_id=store_id, device_id=node_id)
            lines.append(f"topic {access} {name}")
    return "\n".join(lines) + "\n"


def write_broker_files(
    folder: Path, *, store_id: str, node_ids: Sequence[str], port: int
) -> BrokerFiles:
    """Writes configuration, ACL and hashed passwords, readable by this user only."""
    hasher = find_program("mosquitto_passwd")
    if hasher is None:
        raise MissingPartError(
            "expected Mosquitto on this machine, found no mosquitto_passwd; "
            "mend with: apt-get install mosquitto"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords = {user: secrets.token_urlsafe(24) for user in (HUB_USER, *node_ids)}
    password_file = folder / "passwords"
    _write_private(password_file, "".join(f"{u}:{p}\n" for u, p in passwords.items()))
    subprocess.run([hasher, "-U", str(password_file)], check=True, capture_output=True, timeout=30)
    acl_file = folder / "acl"
    _write_private(acl_file, acl_text(store_id, node_ids))
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
    return BrokerFiles(config=config, port=port, passwords=passwords)


def broker_command(files: BrokerFiles) -> list[str]:
    """The command line of the child; MissingPartError where Mosquitto is not installed."""
    program = find_program("mosquitto")
    if program is None:
        raise MissingPartError(
            "expected Mosquitto on this machine, found none; mend with: apt-get install mosquitto"
        )
    return [program, "-c", str(files.config)]


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
