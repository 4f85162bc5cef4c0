"""Pages of lists: `limit` and `cursor` in, `items` and `next` out.

A cursor says after which row the next page begins, by the values that order the list, so that rows
which come meanwhile neither repeat nor hide others. It is opaque, and means nothing elsewhere: a
cursor of another list is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, or_

from hub.driver import Driver

__all__ = [
    "LIMIT_MAX",
    "Cursor",
    "Limit",
    "Page",
    "Reader",
    "after",
    "page_of",
    "read_cursor",
    "write_cursor",
]

LIMIT_MAX = 200
T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows of a page")]
Cursor = Annotated[
    str | None,
    Query(max_length=400, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before"),
]


class Page(BaseModel, Generic[T]):
    """Some rows of a list; `next` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[T]
    next: Annotated[str | None, Field(description="the cursor of the next page")] = None


def write_cursor(kind: str, values: Sequence[int | str]) -> str:
    """The cursor after the row that is ordered by these values."""
    text = json.dumps([kind, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(kind: str, cursor: str | None, types: Sequence[type]) -> list[Any] | None:
    """The values of a cursor of this kind of list; HTTPException 422 for anything else."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.urlsafe_b64decode(padded))
        if found[0] != kind or len(found) != len(types) + 1:
            raise ValueError
        for value, wanted in zip(found[1:], types, strict=True):
            if type(value) is not wanted or str(value) != str(value).replace("\x00", ""):
                raise ValueError
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise HTTPException(
            422, "expected `cursor` to be `next` of a page of this list, got another"
        ) from error
    return list(found[1:])


def after(
    statement: Select[Any],
    columns: Sequence[ColumnElement[Any]],
    values: Sequence[Any] | None,
    *,
    newest_first: bool,
) -> Select[Any]:
    """Orders a question by columns and begins after a row."""
    order = [column.desc() if newest_first else column.asc() for column in columns]
    statement = statement.order_by(*order)
    if values is None:
        return statement
    return statement.where(_beyond(columns, values, newest_first=newest_first))


def _beyond(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], *, newest_first: bool
) -> ColumnElement[bool]:
    steps = []
    for place, column in enumerate(columns):
        same = [columns[i] == values[i] for i in range(place)]
        beyond = column < values[place] if newest_first else column > values[place]
        steps.append(and_(*same, beyond))
    return or_(*steps)


def page_of(
    kind: str,
    rows: Sequence[dict[str, Any]],
    limit: int,
    keys: Sequence[str],
    make: Callable[[dict[str, Any]], T],
) -> Page[T]:
    """A page of rows that were asked for with one more than the limit."""
    more = len(rows) > limit
    shown = rows[:limit]
    cursor = write_cursor(kind, [shown[-1][key] for key in keys]) if more else None
    return Page(items=[make(row) for row in shown], next=cursor)


class Reader:
    """Reads the database beside the writer, where there is more than its one connection."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __call__(self, statement: Select[Any]) -> list[dict[str, Any]]:
        return self._driver.stored(lambda store: store.select(statement))

    def page(
        self,
        kind: str,
        statement: Select[Any],
        keys: Sequence[str],
        types: Sequence[type],
        limit: int,
        cursor: str | None,
        *,
        newest_first: bool = False,
    ) -> list[dict[str, Any]]:
        """The rows of a page, and one more."""
        columns = [statement.selected_columns[key] for key in keys]
        values = read_cursor(kind, cursor, types)
        ordered = after(statement, columns, values, newest_first=newest_first)
        return self(ordered.limit(limit + 1))
