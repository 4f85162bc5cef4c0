"""People, roles, scopes and keys as values; who a request is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "NAME_PATTERN",
    "ROLES",
    "SCOPES",
    "Account",
    "ApiKey",
    "Principal",
    "Role",
    "Scope",
    "Session",
    "at_least",
]

Role = Literal["viewer", "clerk", "manager", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do all that those before it may."""
Scope = Literal[
    "read:visits",
    "read:stock",
    "read:events",
    "read:devices",
    "read:review",
    "read:orders",
    "write:stock",
    "write:prices",
    "write:orders",
    "refund",
    "export",
    "webhooks",
    "metrics",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"


def at_least(role: Role, least: Role) -> bool:
    """Whether a role is enough where `least` is asked for."""
    return ROLES.index(role) >= ROLES.index(least)


@dataclass(frozen=True, slots=True)
class Account:
    """One person. Times are microseconds. `totp_secret` is sealed, see hub.accounts.seals;
    `first_until_us`: a password that was made for the person opens nothing from then on."""

    name: str
    role: Role
    password_hash: str
    must_change: bool
    disabled: bool
    totp_secret: str | None
    totp_confirmed: bool
    totp_step: int
    created_us: int
    last_login_us: int | None
    first_until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A login. The token itself is the browser's; only its digest is here."""

    token_sha256: str
    session_id: str
    name: str
    created_us: int
    seen_us: int
    ends_us: int
    origin: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of another system."""

    key_id: str
    secret_sha256: str
    label: str
    scopes: tuple[str, ...]
    created_by: str
    created_us: int
    expires_us: int | None
    used_us: int | None
    revoked_us: int | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from.

    `local`: everyone on this machine, while there is neither password nor account; `shared`: who
    knows the staff password of the settings; `key`: a system, which has scopes and no role.
    `limited` says why nothing but the own account is open yet; empty: everything of the role is.
    """

    kind: Literal["local", "shared", "person", "key"]
    name: str
    role: Role | None
    scopes: tuple[str, ...] = ()
    session: Session | None = None
    limited: str = ""

    def may(self, least: Role, scope: Scope | None) -> bool:
        """Whether the role is enough, or a key has the scope; no scope: no key may."""
        if self.role is not None:
            return at_least(self.role, least)
        return scope is not None and scope in self.scopes
