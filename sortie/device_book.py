"""Who may speak to a store's broker: credentials, rights and certificates in one folder.

    book = DeviceBook.begin(
        folder, now, store_id="my-store", hosts=("broker.lan",), port=8883, user="mosquitto"
    )
    password = book.add("node-a")     # told once; the folder keeps its hash
    book.write()                      # passwords, acl, mosquitto.conf; then signal the broker
    book.revoke("node-a")

The folder (all files 0600): `devices.json` (who, since when, the hash), `ca.key`, `ca.crt`,
`server.key`, `server.crt`, `clients/` where client certificates are asked for, and what Mosquitto
reads: `mosquitto.conf`, `passwords`, `acl`. On SIGHUP Mosquitto reads passwords and rights again
and ends the sessions of those whose password is not right any more, so that a revoked node is out
at once and the others stay (seen with 2.0.11).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.topics import TOPICS, topic
from sortie.broker import (
    HUB_USER,
    INFLIGHT_MESSAGES_MAX,
    QUEUED_MESSAGES_MAX,
    Rights,
    acl_text,
    rights,
)
from sortie.certificates import LEAF_DAYS, Authority, expires, write_private
from sortie.errors import UsageError

__all__ = ["DeviceBook", "mosquitto_hash"]

BOOK = "devices.json"
PID = "mosquitto.pid"
SOON_DAYS = 30
ITERATIONS = 1_000
"""Of PBKDF2: the passwords are random and long, and the broker checks them in its one thread."""
DEVICE_ID = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,62}$")
HOST = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")


def mosquitto_hash(password: str, salt: bytes | None = None) -> str:
    """A password as Mosquitto 2 keeps it: PBKDF2 of SHA-512, in the form of mosquitto_passwd.

    >>> mosquitto_hash("x", bytes(12))[:25]
    '$7$1000$AAAAAAAAAAAAAAAA$'
    """
    salt = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${_b64(salt)}${_b64(digest)}"


@dataclass(slots=True)
class DeviceBook:
    """The folder's contents; nothing is on disk before `write`."""

    folder: Path
    now: datetime
    store_id: str
    hosts: tuple[str, ...]
    port: int
    user: str
    certificates: bool
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        folder: Path,
        now: datetime,
        *,
        store_id: str,
        hosts: tuple[str, ...],
        port: int,
        user: str,
        certificates: bool = False,
    ) -> DeviceBook:
        """A new folder with its own authority. UsageError if there is one, or a name is none."""
        if (folder / BOOK).exists():
            raise UsageError(f"expected a new folder, {folder} is that of a broker already")
        wrong = [host for host in hosts if not HOST.fullmatch(host)]
        if wrong or not hosts:
            raise UsageError(f"expected names or addresses of the broker, got {wrong or 'none'}")
        if not re.fullmatch(r"[a-z_][a-z0-9_-]*", user):
            raise UsageError(f"expected the name of a user of this machine, got {user!r}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        book = cls(folder, now, store_id, hosts, port, user, certificates)
        authority = Authority(folder, now)
        authority.make(store_id)
        authority.server(hosts)
        return book

    @classmethod
    def load(cls, folder: Path, now: datetime) -> DeviceBook:
        """The folder as it is. UsageError if it is none."""
        try:
            kept = json.loads((folder / BOOK).read_text(encoding="utf-8"))
            return cls(
                folder=folder,
                now=now,
                store_id=kept["store_id"],
                hosts=tuple(kept["hosts"]),
                port=kept["port"],
                user=kept["user"],
                certificates=kept["certificates"],
                devices=kept["devices"],
            )
        except FileNotFoundError as error:
            raise UsageError(
                f"expected a broker's folder, {folder} holds no {BOOK}; make it with sortie "
                "devices add NODE --store FILE"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{folder / BOOK} cannot be read: {error!r}") from error

    def active(self, name: str) -> bool:
        """Whether this one may connect."""
        return self.devices.get(name, {}).get("state") == "active"

    def add(self, name: str) -> str:
        """Lets a node in, also one that was revoked; its password. UsageError if it is in."""
        if not DEVICE_ID.fullmatch(name):
            raise UsageError(f"expected a node's id such as node-a, got {name!r}")
        if self.active(name):
            raise UsageError(f"{name} has credentials; rotate or revoke them")
        return self._new(name)

    def rotate(self, name: str) -> str:
        """A new password, and certificate, for one that is in; the old ones end at once."""
        self._known(name)
        return self._new(name)

    def revoke(self, name: str) -> None:
        """Shuts one out. UsageError if it was not in."""
        self._known(name)
        self.devices[name] = {
            "state": "revoked",
            "made": self.devices[name]["made"],
            "changed": self.now.isoformat(timespec="seconds"),
        }
        for ending in ("crt", "key"):
            (self.folder / "clients" / f"{name}.{ending}").unlink(missing_ok=True)

    def ending(self) -> list[str]:
        """What to replace within SOON_DAYS, as sentences, the most urgent first: certificates that
        end, and passwords, which end by nobody but are to be as old as a certificate at most."""
        active = [name for name in sorted(self.devices) if self.active(name)]
        rows = [
            (expires(self.folder / "ca.crt"), "the authority's certificate", "make a new folder"),
            (
                expires(self.folder / "server.crt"),
                "the broker's certificate",
                "sortie devices certificate",
            ),
        ]
        for name in active:
            mend = f"sortie devices rotate {name}"
            changed = datetime.fromisoformat(self.devices[name]["changed"])
            rows.append((changed + timedelta(days=LEAF_DAYS), f"the password of {name}", mend))
            path = self.folder / "clients" / f"{name}.crt"
            if path.exists():
                rows.append((expires(path), f"the certificate of {name}", mend))
        return [
            f"{what} {_left(end - self.now)}: {mend}"
            for end, what, mend in sorted(rows)
            if end - self.now < timedelta(days=SOON_DAYS)
        ]

    def renew_server(self, days: int = LEAF_DAYS) -> None:
        """A new certificate of the broker, by the same authority: clients notice nothing."""
        Authority(self.folder, self.now).server(self.hosts, days=days)

    def write(self) -> None:
        """Writes what Mosquitto reads, and the book. Each file is replaced in one step."""
        active = {name: row for name, row in sorted(self.devices.items()) if self.active(name)}
        passwords = "".join(f"{name}:{row['hash']}\n" for name, row in active.items())
        granted = exact_rights(self.store_id, list(active))
        kept = {
            "schema": 1,
            "store_id": self.store_id,
            "hosts": list(self.hosts),
            "port": self.port,
            "user": self.user,
            "certificates": self.certificates,
            "devices": self.devices,
        }
        for name, text in (
            ("passwords", passwords),
            ("acl", acl_text({name: granted[name] for name in active})),
            ("mosquitto.conf", self.configuration()),
            (BOOK, json.dumps(kept, indent=1) + "\n"),
        ):
            write_private(self.folder / name, text.encode())
        self._hand_over()

    def signal(self) -> bool:
        """Tells the broker to read again; False if none runs."""
        try:
            pid = int((self.folder / PID).read_text(encoding="ascii"))
            # A broker that was killed leaves its number behind, which may be another's by now.
            if not _runs_mosquitto(pid):
                return False
            os.kill(pid, signal.SIGHUP)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        except PermissionError as error:
            raise UsageError(
                f"the broker is another user's; send it SIGHUP yourself: {error}"
            ) from error
        return True

    def settings(self, name: str, password: str) -> str:
        """The lines of a client's settings file; it is a secret."""
        hub = name == HUB_USER
        prefix = "SORTIE_HUB_MQTT_" if hub else "SORTIE_NODE_MQTT__"
        values = {
            "HOST": self.hosts[0],
            "PORT": str(self.port),
            "USERNAME": name,
            "PASSWORD": password,
            "TLS_CA": str(self.folder / "ca.crt"),
        }
        if self.certificates:
            values["TLS_CERT"] = str(self.folder / "clients" / f"{name}.crt")
            values["TLS_KEY"] = str(self.folder / "clients" / f"{name}.key")
        lines = [f"{prefix}{key}={value}" for key, value in values.items()]
        if not hub:
            lines = [f"SORTIE_NODE_STORE_ID={self.store_id}", f"SORTIE_NODE_NODE_ID={name}", *lines]
        return "\n".join(lines) + "\n"

    def configuration(self) -> str:
        """What Mosquitto is started with: TLS only, nobody without a name."""
        folder = self.folder.resolve()
        lines = [
            f"listener {self.port}",
            f"cafile {folder / 'ca.crt'}",
            f"certfile {folder / 'server.crt'}",
            f"keyfile {folder / 'server.key'}",
            "tls_version tlsv1.2",
            f"require_certificate {str(self.certificates).lower()}",
            "allow_anonymous false",
            f"password_file {folder / 'passwords'}",
            f"acl_file {folder / 'acl'}",
            "persistence false",
            f"max_inflight_messages {INFLIGHT_MESSAGES_MAX}",
            f"max_queued_messages {QUEUED_MESSAGES_MAX}",
            "max_packet_size 262144",
            f"pid_file {folder / PID}",
            f"user {self.user}",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
        ]
        return "\n".join(lines) + "\n"

    def _new(self, name: str) -> str:
        password = secrets.token_urlsafe(24)
        stamp = self.now.isoformat(timespec="seconds")
        self.devices[name] = {
            "state": "active",
            "made": self.devices.get(name, {}).get("made", stamp),
            "changed": stamp,
            "hash": mosquitto_hash(password),
        }
        if self.certificates:
            Authority(self.folder, self.now).client(name)
        return password

    def _known(self, name: str) -> None:
        if not self.active(name):
            names = ", ".join(sorted(n for n in self.devices if self.active(n))) or "none"
            raise UsageError(f"expected one that has credentials ({names}), got {name}")

    def _hand_over(self) -> None:
        """What the broker reads belongs to its user, if another one makes it."""
        if os.geteuid() != 0:
            return
        for name in ("", "ca.crt", "server.crt", "server.key", "passwords", "acl"):
            shutil.chown(self.folder / name, user=self.user)


def exact_rights(store_id: str, names: list[str]) -> dict[str, Rights]:
    """Each client's topics and no others: a node its own, the hub those of all nodes."""
    granted = rights(store_id, [name for name in names if name != HUB_USER])
    every = {
        row.name: (topic(row.name, store_id=store_id, device_id="+"), row.publisher == "hub")
        for row in TOPICS.values()
    }
    granted[HUB_USER] = Rights(
        read=tuple(name for name, ours in every.values() if not ours),
        write=tuple(name for name, ours in every.values() if ours),
    )
    return granted


def _runs_mosquitto(pid: int) -> bool:
    """Whether a process is a broker, as far as this machine tells."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "mosquitto"
    except FileNotFoundError:
        return not Path("/proc/self/comm").exists()


def _left(left: timedelta) -> str:
    if left < timedelta():
        return f"should have been replaced {-left.days} days ago"
    return f"is to be replaced within {left.days} days"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
