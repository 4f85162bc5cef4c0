"""A bench with walls for each test, whose books and replay are checked at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.core import HubCore
from hub.replay import rebuild
from hub.store.service import Store
from tests.hub.parcels.wall_kit import Bench


def checked(bench: Bench, url: str) -> None:
    """The books are in order, and journal and snapshot lead to the very same state."""
    bench.hub._commit()
    bench.audited()
    core = bench.hub.core
    store = Store(url)
    again = rebuild(store, core.state.store, core.state.factory, core.state.rules)
    store.close()
    assert again.digest() == core.digest()
    if core.quiet:
        taken_up = HubCore(core.state.store, core.state.factory, core.state.rules)
        taken_up.restore(json.loads(json.dumps(core.dump())))
        assert taken_up.digest() == core.digest()


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes a bench on disk."""
    made: list[tuple[Bench, str]] = []

    def make(**more: Any) -> Bench:
        url = f"sqlite:///{tmp_path / f'hub-{len(made)}.sqlite'}"
        made.append((Bench(url=url, **more), url))
        return made[-1][0]

    yield make
    for bench, url in made:
        checked(bench, url)
        bench.hub.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
