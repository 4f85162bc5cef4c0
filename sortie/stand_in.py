"""What the stand-in broker is told, and how it decides; without amqtt and without a network.

>>> user = StandInUser(password_sha256=password_digest("pw"), read=("a/#",), write=("a/b",))
>>> user.knows("pw"), user.may_read("a/+/c"), user.may_write("a/c")
(True, True, False)
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["StandInSettings", "StandInUser", "password_digest"]


def password_digest(password: str) -> str:
    """SHA-256 in hex. No salt and no slow hash: passwords are 24 random bytes, made for one run,
    which nobody can guess from their digest."""
    return hashlib.sha256(password.encode()).hexdigest()


class StandInUser(BaseModel):
    """One user's password and rights. A filter is a topic, or a topic's parent and `/#`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    password_sha256: Annotated[
        str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the password, in hex")
    ]
    read: Annotated[tuple[str, ...], Field(description="filters it may subscribe to")] = ()
    write: Annotated[tuple[str, ...], Field(description="filters it may publish to")] = ()

    def knows(self, password: str | None) -> bool:
        """Whether this is the user's password."""
        return hmac.compare_digest(password_digest(password or ""), self.password_sha256)

    def may_read(self, name: str) -> bool:
        """Whether a topic, or everything a filter stands for, may be heard."""
        return any(_covers(granted, name) for granted in self.read)

    def may_write(self, name: str) -> bool:
        """Whether a topic may be published to."""
        return any(_covers(granted, name) for granted in self.write)


class StandInSettings(BaseModel):
    """The stand-in's configuration file. It listens on the loopback interface, wherever it runs:
    there is no setting for that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: Annotated[int, Field(ge=1, le=65535, description="TCP port on 127.0.0.1")]
    users: Annotated[dict[str, StandInUser], Field(description="name to password and rights")]


def _covers(granted: str, wanted: str) -> bool:
    """Whether all that `wanted`, a topic or a filter, can match lies within `granted`.

    A wildcard equals no name, so a filter wider than what is granted is never covered.
    """
    if not granted.endswith("/#"):
        return wanted == granted
    parent = granted.removesuffix("/#")
    return wanted == parent or wanted.startswith(f"{parent}/")
