"""One-time codes (RFC 6238) and recovery codes. A code is good once; time is passed in."""

from __future__ import annotations

import hashlib
import io
import secrets

import pyotp
import segno

__all__ = [
    "RECOVERY_CODES",
    "accepted_step",
    "digest",
    "first_password",
    "new_recovery",
    "new_secret",
    "qr_svg",
]

STEP_S = 30
RECOVERY_CODES = 10


def new_secret() -> str:
    """A secret of 160 bits, in base 32."""
    return pyotp.random_base32()


def uri(secret: str, name: str, store: str) -> str:
    """What an authenticator's camera reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=store)


def qr_svg(secret: str, name: str, store: str) -> str:
    """The same as a picture."""
    picture = io.BytesIO()
    segno.make(uri(secret, name, store), error="m", micro=False).save(
        picture, kind="svg", scale=5, border=4, xmldecl=False
    )
    return picture.getvalue().decode()


def accepted_step(
    secret: str, code: str, last_step: int, now_s: float, *, grace_steps: int
) -> int | None:
    """The time step a code is good for, so many before or after now allowed; None if it is wrong,
    or not newer than the last that was accepted."""
    if len(code) != 6 or not code.isdecimal():
        return None
    totp = pyotp.TOTP(secret)
    now_step = int(now_s // STEP_S)
    for step in range(now_step - grace_steps, now_step + grace_steps + 1):
        fits = secrets.compare_digest(totp.generate_otp(max(0, step)).encode(), code.encode())
        if fits and step > last_step:
            return step
    return None


def new_recovery() -> list[str]:
    """Ten codes of 128 bits, for the day the authenticator is lost."""
    return [first_password() for _ in range(RECOVERY_CODES)]


def first_password() -> str:
    """What is made for somebody, told once and typed by hand: 128 bits."""
    return f"{secrets.token_hex(8)}-{secrets.token_hex(8)}"


def digest(secret: str) -> str:
    """What is kept of a random secret: nobody can guess it, so a plain digest is enough."""
    return hashlib.sha256(secret.strip().encode()).hexdigest()
