"""PostgreSQL for whoever asks: one server a session, copies of one database for the tests.

Without PostgreSQL its tests are skipped and say so; in CI nothing is skipped, there they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from benchmarks.cluster import Cluster, programs

MISSING = "PostgreSQL is not installed; mend with: apt-get install postgresql"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """The session's server. No test takes the machine's power away, and to drop a database a
    synchronous one waits for seconds."""
    found = programs()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    cluster = Cluster(found, synchronous=False)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def hub_template(postgres: Cluster) -> str:
    """A database with today's schema and no rows, to be copied."""
    from hub.store.service import Store

    name = postgres.create()
    Store(postgres.url(name)).close()
    return name


@pytest.fixture
def postgres_url(postgres: Cluster, hub_template: str) -> Iterator[Callable[[str], str]]:
    """From a name to the address of a database with the hub's schema; the same name gives the
    same database, no name a new one."""
    made: dict[str, str] = {}

    def url(name: str = "") -> str:
        key = name or f"nameless {len(made)}"
        if key not in made:
            made[key] = postgres.create(hub_template)
        return postgres.url(made[key])

    yield url
    for database in made.values():
        postgres.drop(database)
