"""Staff accounts, sessions, keys, the audit log, idempotency keys, webhooks; lists in order"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ID = sa.String(length=200)
_HASH = sa.String(length=64)


def upgrade() -> None:
    """Goes one version up."""
    _accounts()
    _keys()
    _audit()
    _webhooks()
    op.create_index("ix_visits_opened_us", "visits", ["opened_us", "visit_id"])
    op.create_index("ix_receipts_issued_us", "receipts", ["issued_us", "visit_id"])


def downgrade() -> None:
    """Goes one version back."""
    op.drop_index("ix_receipts_issued_us", "receipts")
    op.drop_index("ix_visits_opened_us", "visits")
    for table in (
        "webhook_deliveries",
        "webhook_subscriptions",
        "audit_log",
        "idempotency_keys",
        "api_keys",
        "recovery_codes",
        "staff_sessions",
        "staff_accounts",
    ):
        op.drop_table(table)


def _accounts() -> None:
    op.create_table(
        "staff_accounts",
        sa.Column("name", _ID, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("totp_secret", sa.String(length=64), nullable=True),
        sa.Column("totp_confirmed", sa.Boolean(), nullable=False),
        sa.Column("totp_step", _BIG, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("last_login_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_staff_accounts")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("token_sha256", _HASH, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("name", _ID, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("seen_us", _BIG, nullable=False),
        sa.Column("ends_us", _BIG, nullable=False),
        sa.Column("origin", _ID, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_staff_sessions")),
        sa.UniqueConstraint("session_id", name=op.f("uq_staff_sessions_session_id")),
    )
    op.create_index(op.f("ix_staff_sessions_name"), "staff_sessions", ["name"])
    op.create_table(
        "recovery_codes",
        sa.Column("name", _ID, nullable=False),
        sa.Column("code_sha256", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("name", "code_sha256", name=op.f("pk_recovery_codes")),
    )


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", _ID, nullable=False),
        sa.Column("secret_sha256", _HASH, nullable=False),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=True),
        sa.Column("used_us", _BIG, nullable=True),
        sa.Column("revoked_us", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", _ID, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("fingerprint", _HASH, nullable=False),
        sa.Column("claimed_us", _BIG, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("media_type", _ID, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_claimed_us"), "idempotency_keys", ["claimed_us"])


def _audit() -> None:
    op.create_table(
        "audit_log",
        sa.Column("number", _BIG, autoincrement=False, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("who", _ID, nullable=False),
        sa.Column("action", _ID, nullable=False),
        sa.Column("target", _ID, nullable=False),
        sa.Column("origin", _ID, nullable=False),
        sa.Column("outcome", _ID, nullable=False),
        sa.Column("previous_hash", _HASH, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_log")),
    )


def _webhooks() -> None:
    op.create_table(
        "webhook_subscriptions",
        sa.Column("subscription_id", _ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("secret", _ID, nullable=False),
        sa.Column("old_secret", _ID, nullable=True),
        sa.Column("old_until_us", _BIG, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_us", _BIG, nullable=False),
        sa.Column("failing_since_us", _BIG, nullable=True),
        sa.Column("created_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_webhook_subscriptions")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", _BIG, autoincrement=True, nullable=False),
        sa.Column("subscription_id", _ID, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.Column("event_number", _BIG, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("fault", _ID, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_subscription_id"), "webhook_deliveries", ["subscription_id"]
    )
