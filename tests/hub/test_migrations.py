"""New databases: what the migrations make, and that a process makes the second like the first."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hub.store import database, tables
from hub.store.service import Store


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    noted: list[tuple[str, Any]] = []
    monkeypatch.setattr(database, "_first_statements", noted)
    return noted


def _content(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as opened:
        schema = opened.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        names = sorted(name for kind, name, *_ in schema if kind == "table")
        rows = [opened.execute(f'SELECT * FROM "{name}"').fetchall() for name in names]
    return [sorted(schema, key=str), names, rows]


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with store.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
    store.close()


def test_the_second_new_database_is_as_the_first(
    tmp_path: Path, nothing_noted: list[tuple[str, Any]]
) -> None:
    first, second = tmp_path / "first.sqlite", tmp_path / "second.sqlite"
    Store(f"sqlite:///{first}").close()
    noted = list(nothing_noted)
    assert noted
    Store(f"sqlite:///{second}").close()
    assert _content(second) == _content(first)
    # Databases that are there already add nothing to what a new one takes.
    Store(f"sqlite:///{first}").close()
    assert nothing_noted == noted


def test_an_older_database_is_brought_up_to_date_by_the_migrations(tmp_path: Path) -> None:
    whole, older = tmp_path / "whole.sqlite", tmp_path / "older.sqlite"
    Store(f"sqlite:///{whole}").close()
    engine = database.open_engine(f"sqlite:///{older}")
    with engine.connect() as connection:
        config = database._scripts()
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.commit()
    engine.dispose()
    Store(f"sqlite:///{older}").close()
    assert _content(older) == _content(whole)
