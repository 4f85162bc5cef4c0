"""Signing in and out, and who a token belongs to. Time is passed in, in seconds since 1970.

Answers to a wrong name and a wrong password are the same and take as long. A session's token is
drawn anew at each sign-in, whatever the browser sent; when a role or password changes, the
sessions that were begun before it are over.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from hub.accounts import codes
from hub.accounts.audit import network_of
from hub.accounts.errors import AccountError, SignInError, UnknownAccountError
from hub.accounts.limits import Backoff
from hub.accounts.model import (
    NAME_PATTERN,
    ROLES,
    SCOPES,
    Account,
    ApiKey,
    Principal,
    Role,
    Session,
    at_least,
)
from hub.accounts.passwords import Passwords, check_password
from hub.accounts.seals import Seals
from hub.accounts.store import AccountStore
from hub.effects import us

__all__ = ["FIRST_PASSWORD_S", "SHARED", "Accounts", "Issued", "csrf_of"]

SHARED = "staff"
"""The name that the staff password of the settings goes by; no account may have it."""
FIRST_PASSWORD_S = 3 * 86_400.0
"""A password that was made for somebody opens the account for so long."""
SEEN_EVERY_US = 30_000_000
KEY_PREFIX = "sk_"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new session: its token and CSRF token, told once."""

    token: str
    csrf: str
    principal: Principal


class Accounts:
    """The rules of accounts over their store."""

    def __init__(
        self,
        store: AccountStore,
        *,
        session_s: float,
        idle_s: float,
        totp_required: bool = False,
        grace_steps: int = 0,
        passwords: Passwords | None = None,
        open_seals: Callable[[], Seals] = Seals.fresh,
    ) -> None:
        self.store = store
        self._open_seals = open_seals
        self.totp_required = totp_required
        self._grace_steps = grace_steps
        self._session_us, self._idle_us = us(session_s), us(idle_s)
        self._passwords = passwords
        self._by_client = Backoff(5, first_s=60.0, most_s=900.0)
        # One person's wait is short: others could keep it up from many addresses.
        self._by_name = Backoff(20, first_s=5.0, most_s=60.0)

    @property
    def passwords(self) -> Passwords:
        """Made at the first use: hashing for nobody's sake takes memory."""
        if self._passwords is None:
            self._passwords = Passwords()
        return self._passwords

    @cached_property
    def seals(self) -> Seals:
        """What second factors are encrypted with; the key is made when there is the first."""
        return self._open_seals()

    # -- signing in -----------------------------------------------------------------------

    def count_try(self, client: str, name: str, now_s: float) -> None:
        """A try begins: SignInError `wait` if there were too many. It counts as failed until
        `went_well`, so that trying at once from many threads gains nothing."""
        wait_s = max(self._by_client.wait_s(client, now_s), self._by_name.wait_s(name, now_s))
        if wait_s > 0.0:
            raise SignInError("wait", wait_s)
        self._by_client.failed(client, now_s)
        self._by_name.failed(name, now_s)

    def went_well(self, client: str, name: str) -> None:
        """The try that began was right."""
        self._by_client.succeeded(client)
        self._by_name.succeeded(name)

    def sign_in(
        self, name: str, password: str, code: str, *, client: str, old_token: str, now_s: float
    ) -> Issued:
        """A new session for name, password and, where the account has one, a one-time code."""
        self.count_try(client, name, now_s)
        account = self.store.account(name)
        right = self.passwords.fits(None if account is None else account.password_hash, password)
        if account is None or not right or account.disabled:
            raise SignInError("wrong")
        if account.totp_confirmed:
            if not code:
                raise SignInError("code")
            if not self._code_good(account, code, now_s):
                raise SignInError("wrong")
        first_until_us = account.first_until_us if account.must_change else None
        if first_until_us is not None and us(now_s) >= first_until_us:
            raise SignInError("expired")
        self.went_well(client, name)
        changed: dict[str, object] = {"last_login_us": us(now_s)}
        if self.passwords.outdated(account.password_hash):
            changed["password_hash"] = self.passwords.hash(password)
        self.store.change_account(name, **changed)
        return self._begin(account, client, old_token, now_s)

    def _code_good(self, account: Account, code: str, now_s: float) -> bool:
        if account.totp_secret is None:
            return False
        step = self._step_of(account, code, now_s)
        if step is not None:
            return self.store.take_totp_step(account.name, step)
        return self.store.take_recovery(account.name, codes.digest(code.lower()))

    def _step_of(self, account: Account, code: str, now_s: float) -> int | None:
        """The step that a code is good for. A secret in the plain, or under a former key, is
        sealed anew once a code shows that it is in use."""
        kept = account.totp_secret or ""
        secret = self.seals.opened(account.name, kept)
        if not secret:
            return None
        step = codes.accepted_step(
            secret, code, account.totp_step, now_s, grace_steps=self._grace_steps
        )
        if step is not None and self.seals.stale(account.name, kept):
            sealed = self.seals.seal(account.name, secret)
            self.store.change_account(account.name, totp_secret=sealed)
        return step

    def begin_shared(self, client: str, old_token: str, now_s: float) -> Issued:
        """A session for who knows the staff password of the settings."""
        return self._begin(None, client, old_token, now_s)

    def _begin(self, account: Account | None, client: str, old_token: str, now_s: float) -> Issued:
        token = secrets.token_urlsafe(32)
        session = Session(
            token_sha256=codes.digest(token),
            session_id=secrets.token_hex(8),
            name=SHARED if account is None else account.name,
            created_us=us(now_s),
            seen_us=us(now_s),
            ends_us=us(now_s) + self._session_us,
            origin=network_of(client),
        )
        self.store.add_session(session, instead_of=codes.digest(old_token))
        return Issued(token, csrf_of(token), self._principal(session, account))

    def _principal(self, session: Session, account: Account | None) -> Principal:
        if account is None:
            return Principal("shared", SHARED, "admin", session=session)
        limited = ""
        if account.must_change:
            limited = "expected a password of your own first; change it at /api/v1/staff/me"
        elif self._needs_factor(account):
            limited = "expected a second factor first; enrol at /api/v1/staff/me/totp"
        return Principal("person", account.name, account.role, session=session, limited=limited)

    def _needs_factor(self, account: Account) -> bool:
        lacks = self.totp_required and not account.totp_confirmed
        return lacks and at_least(account.role, "manager")

    # -- whose token ----------------------------------------------------------------------

    def of_session(self, token: str, now_s: float, *, shared: bool) -> Principal | None:
        """Whose session a token is; None if it is nobody's or over. `shared`: whether the
        settings still have a staff password."""
        found = self.store.session_of(codes.digest(token)) if token else None
        if found is None:
            return None
        session, account = found
        now_us = us(now_s)
        if now_us >= session.ends_us or now_us - session.seen_us >= self._idle_us:
            self.store.end_sessions(session_id=session.session_id)
            return None
        if account is None and not (session.name == SHARED and shared):
            return None
        if account is not None and account.disabled:
            return None
        if now_us - session.seen_us >= SEEN_EVERY_US:
            self.store.seen_session(session.token_sha256, now_us)
        return self._principal(session, account)

    def of_key(self, bearer: str, now_s: float) -> Principal | None:
        """Whose API key this is; None if it is wrong, revoked or has run out."""
        key_id, _, secret = bearer.removeprefix(KEY_PREFIX).partition("_")
        key = self.store.key(key_id)
        expected = "0" * 64 if key is None else key.secret_sha256
        if not secrets.compare_digest(codes.digest(secret), expected) or key is None:
            return None
        now_us = us(now_s)
        if not _good(key, now_us):
            return None
        if key.used_us is None or now_us - key.used_us >= SEEN_EVERY_US:
            self.store.change_key(key_id, used_us=now_us)
        return Principal("key", f"key:{key_id}", None, scopes=key.scopes)

    def still(self, who: Principal, now_s: float) -> bool:
        """Whether a session has not been ended, or a key not revoked or run out, since it was
        looked at."""
        if who.session is not None:
            found = self.store.session_of(who.session.token_sha256)
            open_ = found is not None and (found[1] is None or not found[1].disabled)
            return open_ and us(now_s) < who.session.ends_us
        if who.kind == "key":
            key = self.store.key(who.name.removeprefix("key:"))
            return key is not None and _good(key, us(now_s))
        return True

    # -- people ---------------------------------------------------------------------------

    def add(self, name: str, role: Role, password: str, now_s: float, *, own: bool) -> None:
        """A new account; `own`: the password is the person's own, not one made for them."""
        if not re.fullmatch(NAME_PATTERN, name) or name == SHARED:
            raise AccountError(
                f"expected a name of small letters, figures, . _ - and not {SHARED!r}, got {name!r}"
            )
        check_role(role)
        if role != "admin" and not self.store.any_account():
            raise AccountError("expected the first account to be an admin's, who adds the others")
        check_password(password, name=name)
        account = Account(
            name, role, self.passwords.hash(password), not own, False, None, False, 0,
            us(now_s), None, None if own else us(now_s + FIRST_PASSWORD_S),
        )  # fmt: skip
        if not self.store.add_account(account):
            raise AccountError(f"expected a new name, {name} is there already")

    def known(self, name: str) -> Account:
        """An account; UnknownAccountError if there is none."""
        account = self.store.account(name)
        if account is None:
            raise UnknownAccountError(f"expected an account of staff, got {name!r}")
        return account

    def change_role(self, name: str, role: Role) -> None:
        """Another role; who is signed in must sign in again."""
        self.known(name)
        check_role(role)
        self._keep_an_admin(name, becomes=role)
        self.store.change_account(name, role=role)
        self.store.end_sessions(name=name)

    def disable(self, name: str, *, disabled: bool = True) -> None:
        """Closes or opens an account; its sessions are over."""
        self.known(name)
        if disabled:
            self._keep_an_admin(name, becomes="viewer")
        self.store.change_account(name, disabled=disabled)
        self.store.end_sessions(name=name)

    def reset(self, name: str, now_s: float) -> str:
        """A new password, told once, to be used soon and changed at the first sign-in; the second
        factor is taken off. For who forgot one or lost the other."""
        self.known(name)
        password = codes.first_password()
        self.store.change_account(
            name,
            password_hash=self.passwords.hash(password),
            must_change=True,
            first_until_us=us(now_s + FIRST_PASSWORD_S),
            totp_secret=None,
            totp_confirmed=False,
        )
        self.store.set_recovery(name, [])
        self.store.end_sessions(name=name)
        return password

    def change_password(
        self, principal: Principal, old: str, new: str, *, client: str, now_s: float
    ) -> None:
        """One's own password; other sessions of the account are over."""
        account = self.known(principal.name)
        self.prove(account.name, old, client=client, now_s=now_s)
        check_password(new, name=account.name)
        if old == new:
            raise AccountError("expected a new password, got the old one")
        hashed = self.passwords.hash(new)
        self.store.change_account(
            account.name, password_hash=hashed, must_change=False, first_until_us=None
        )
        self._end_others(principal)

    def prove(self, name: str, password: str, *, client: str, now_s: float) -> None:
        """SignInError unless it is the person's password: who is signed in shows once more that
        this is no browser left open."""
        account = self.known(name)
        self.count_try(client, name, now_s)
        if not self.passwords.fits(account.password_hash, password):
            raise SignInError("wrong")
        self.went_well(client, name)

    def _end_others(self, principal: Principal) -> None:
        spared = "" if principal.session is None else principal.session.token_sha256
        self.store.end_sessions(name=principal.name, but=spared)

    def begin_totp(self, name: str) -> str:
        """A new secret, which counts once a code confirms it."""
        if self.known(name).totp_confirmed:
            raise AccountError("expected no second factor yet; take the old one off first")
        secret = codes.new_secret()
        sealed = self.seals.seal(name, secret)
        self.store.change_account(name, totp_secret=sealed, totp_step=0)
        return secret

    def confirm_totp(self, who: Principal, code: str, *, client: str, now_s: float) -> list[str]:
        """The code that proves the authenticator has the secret; returns recovery codes. Other
        sessions of the account, which were begun without it, are over."""
        name = who.name
        account = self.known(name)
        if account.totp_secret is None or account.totp_confirmed:
            raise AccountError("expected an enrolment that has begun; begin it first")
        self.count_try(client, name, now_s)
        step = self._step_of(account, code, now_s)
        if step is None or not self.store.take_totp_step(name, step):
            raise SignInError("wrong")
        self.went_well(client, name)
        fresh = codes.new_recovery()
        self.store.set_recovery(name, [codes.digest(row) for row in fresh])
        self.store.change_account(name, totp_confirmed=True)
        self._end_others(who)
        return fresh

    def remove_totp(
        self, who: Principal, password: str, code: str, *, client: str, now_s: float
    ) -> None:
        """Takes the second factor off; it needs both, so a stolen session cannot. Other sessions
        of the account are over."""
        name = who.name
        account = self.known(name)
        if not account.totp_confirmed:
            raise AccountError("expected a second factor to take off, there is none")
        # One try for both: a right password must not make guessing codes quick.
        self.count_try(client, name, now_s)
        known = self.passwords.fits(account.password_hash, password)
        if not known or not self._code_good(account, code, now_s):
            raise SignInError("wrong")
        self.went_well(client, name)
        self.store.set_recovery(name, [])
        self.store.change_account(name, totp_secret=None, totp_confirmed=False)
        self._end_others(who)

    def _keep_an_admin(self, name: str, *, becomes: Role) -> None:
        if becomes == "admin":
            return
        others = [row for row in self.store.accounts() if row.name != name and not row.disabled]
        if self.known(name).role == "admin" and not any(row.role == "admin" for row in others):
            raise AccountError(f"expected another admin to stay, {name} is the last one")

    # -- keys -----------------------------------------------------------------------------

    def new_key(
        self, label: str, scopes: tuple[str, ...], by: str, expires_s: float | None, now_s: float
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, told once."""
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            raise AccountError(f"expected scopes of {', '.join(SCOPES)}, got {unknown or 'none'}")
        if expires_s is not None and expires_s <= now_s:
            raise AccountError("expected an end in the future, got one that has passed")
        secret = secrets.token_urlsafe(32)
        ends_us = None if expires_s is None else us(expires_s)
        key = ApiKey(
            secrets.token_hex(8), codes.digest(secret), label, tuple(sorted(set(scopes))), by,
            us(now_s), ends_us, None, None,
        )  # fmt: skip
        self.store.add_key(key)
        return key, f"{KEY_PREFIX}{key.key_id}_{secret}"

    def revoke_key(self, key_id: str, now_s: float) -> ApiKey:
        """A key that is good no more."""
        key = self.store.key(key_id)
        if key is None:
            raise UnknownAccountError(f"expected an API key, got {key_id!r}")
        if key.revoked_us is None:
            self.store.change_key(key_id, revoked_us=us(now_s))
        return replace(key, revoked_us=key.revoked_us or us(now_s))


def _good(key: ApiKey, now_us: int) -> bool:
    return key.revoked_us is None and (key.expires_us is None or now_us < key.expires_us)


def csrf_of(token: str) -> str:
    """The token that a page of ours sends along; it follows from the session's and tells nothing
    of it."""
    return codes.digest(f"csrf:{token}")


def check_role(role: str) -> None:
    """AccountError if it is none."""
    if role not in ROLES:
        raise AccountError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
