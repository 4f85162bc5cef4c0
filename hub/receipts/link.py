"""The address of a receipt: a secret of its own, which opens that receipt and nothing else.

It is made from the SHA-256 of the visit's token, which only the hub has: nobody finds the token
from it. When retention forgets the token, the address ends with it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from hub.driver import Driver
from hub.errors import UnknownVisitError
from hub.retention.service import forgotten_token

__all__ = ["receipt_path", "visit_of_link"]


def receipt_path(visit_id: str, token_sha256: str) -> str:
    """Path of the page for a visit whose token has this SHA-256 (hex)."""
    return f"/receipt/{visit_id}.{_secret(visit_id, token_sha256)}"


def visit_of_link(driver: Driver, link: str) -> str:
    """The id of the visit whose receipt a link opens; UnknownVisitError if it opens none."""
    visit_id, _, secret = link.rpartition(".")
    try:
        token_sha256 = driver.visit(visit_id)[0].token_sha256
    except UnknownVisitError:
        token_sha256 = ""
    known = token_sha256 not in ("", forgotten_token(visit_id))
    right = secrets.compare_digest(secret.encode(), _secret(visit_id, token_sha256).encode())
    if not (known and right):
        raise UnknownVisitError("expected the address of a receipt, got one that opens none")
    return visit_id


def _secret(visit_id: str, token_sha256: str) -> str:
    made = hashlib.sha256(f"sortie receipt\n{visit_id}\n{token_sha256}".encode()).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
