"""Errors of accounts.

AccountError (a RejectedError)
├── PasswordRefusedError  a new password is too short or too well known
├── UnknownAccountError   no account, session or key by that name
└── SignInError           a sign-in failed: wrong, or a second step is needed, or too many tries
"""

from __future__ import annotations

from typing import Literal

from hub.errors import RejectedError

__all__ = ["AccountError", "PasswordRefusedError", "SignInError", "UnknownAccountError"]


class AccountError(RejectedError):
    """Something about accounts cannot be done; nothing changed."""


class PasswordRefusedError(AccountError):
    """A new password is too short or too well known."""


class UnknownAccountError(AccountError):
    """No account, session or key by that name."""


class SignInError(AccountError):
    """`why`: `wrong`, `code` (a one-time code is needed), `expired` (a first password was not used
    in time) or `wait` (for `wait_s` seconds)."""

    def __init__(
        self, why: Literal["wrong", "code", "expired", "wait"], wait_s: float = 0.0
    ) -> None:
        said = {
            "wrong": "expected a name and password (and code) that belong together, got others",
            "code": "expected a one-time code as well; send it as `code`",
            "expired": "expected a first password that has not run out; ask an admin for a new one",
            "wait": f"too many wrong tries; wait {max(1, round(wait_s))} s",
        }
        super().__init__(said[why])
        self.why = why
        self.wait_s = wait_s
