"""Tables of accounts. Times are integer microseconds (`_us`); secrets are kept as digests only.

A one-time password's secret must be known to be checked: it is encrypted with a key that is not in
the database (hub.accounts.seals). `audit_log` is append-only and hash-chained.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from hub.store.tables import metadata

__all__ = [
    "api_keys",
    "audit_log",
    "idempotency_keys",
    "recovery_codes",
    "staff_accounts",
    "staff_sessions",
]

_ID = String(200)
_HASH = String(64)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

staff_accounts = Table(
    "staff_accounts",
    metadata,
    Column("name", _ID, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("totp_secret", String(64)),
    Column("totp_confirmed", Boolean, nullable=False),
    Column("totp_step", _BIG, nullable=False),
    Column("created_us", _BIG, nullable=False),
    Column("last_login_us", _BIG),
    Column("first_until_us", _BIG),
)
staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("token_sha256", _HASH, primary_key=True),
    Column("session_id", _ID, nullable=False, unique=True),
    Column("name", _ID, nullable=False),
    Column("created_us", _BIG, nullable=False),
    Column("seen_us", _BIG, nullable=False),
    Column("ends_us", _BIG, nullable=False),
    Column("origin", _ID, nullable=False),
    Index(None, "name"),
)
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("name", _ID, primary_key=True),
    Column("code_sha256", _HASH, primary_key=True),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", _ID, primary_key=True),
    Column("secret_sha256", _HASH, nullable=False),
    Column("label", String(80), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_by", _ID, nullable=False),
    Column("created_us", _BIG, nullable=False),
    Column("expires_us", _BIG),
    Column("used_us", _BIG),
    Column("revoked_us", _BIG),
)
audit_log = Table(
    "audit_log",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=False),
    Column("at_us", _BIG, nullable=False),
    Column("who", _ID, nullable=False),
    Column("action", _ID, nullable=False),
    Column("target", _ID, nullable=False),
    Column("origin", _ID, nullable=False),
    Column("outcome", _ID, nullable=False),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
)
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", _ID, primary_key=True),
    Column("key", _ID, primary_key=True),
    Column("fingerprint", _HASH, nullable=False),
    Column("claimed_us", _BIG, nullable=False),
    Column("status", Integer),
    Column("media_type", _ID),
    Column("answer", Text),
    Index(None, "claimed_us"),
)
