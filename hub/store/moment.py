"""Reading a database as it was at one moment, while the hub goes on writing.

with moment_of(store) as reading:
    for row in reading.stream(...): ...      # what is committed meanwhile is not seen
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import StoreError
from hub.store import tables as t
from hub.store.database import short
from hub.store.service import Store

__all__ = ["moment_of"]


class _Moment(Store):
    """The same store through one connection that keeps its transaction."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.__dict__ |= store.__dict__
        self._pinned = connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The pinned connection; it stays open."""
        yield self._pinned


@contextmanager
def moment_of(store: Store) -> Iterator[Store]:
    """The store as it is now. One in memory has one connection only: whoever reads it keeps the
    hub's lock."""
    if store.memory:
        yield store
        return
    try:
        with store.connect() as plain:
            repeated = {"isolation_level": "REPEATABLE READ"}
            connection = plain.execution_options(
                **repeated if store.dialect == "postgresql" else {}
            )
            # The first reading is what pins the moment.
            connection.execute(select(t.events.c.number).limit(1)).all()
            yield _Moment(store, connection)
    except SQLAlchemyError as error:
        raise StoreError(f"the database cannot be read: {short(error)}") from error
