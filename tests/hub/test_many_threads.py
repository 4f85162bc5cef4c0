"""What requests of many threads share: none of them stumbles over another."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.api.tiles import TILE_S_MAX, TileStore

THREADS, ROUNDS = 8, 1_500


@pytest.fixture(autouse=True)
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def ran(work: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for told in [pool.submit(work, number) for number in range(THREADS)]:
            told.result()


def test_pictures_that_grow_old_while_many_look() -> None:
    clock = itertools.count(0.0, TILE_S_MAX / 5)
    tiles = TileStore(lambda: next(clock))

    def work(number: int) -> None:
        for k in range(ROUNDS):
            tiles.put(f"camera-{(number + k) % 5}", b"jpeg")
            tiles.get(f"camera-{k % 5}")

    ran(work)
