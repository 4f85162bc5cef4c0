"""Alembic's entry: runs the migrations on the connection it is handed, or on an URL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from hub.accounts import tables as accounts
from hub.store.tables import metadata
from hub.webhooks import tables as webhooks

DECLARED = (metadata, accounts, webhooks)
"""Everything that declares tables is imported before they are compared."""


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if isinstance(handed, Connection):
    _run(handed)
else:
    url = context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise RuntimeError("expected sqlalchemy.url, got none; pass -x or set it in alembic.ini")
    with create_engine(url).connect() as opened:
        _run(opened)
