"""Tills that are closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hub.wallet.till import Till


@pytest.fixture
def make_till() -> Iterator[Callable[..., Till]]:
    made: list[Till] = []

    def make(**more: Any) -> Till:
        made.append(Till(**more))
        return made[-1]

    yield make
    for till in made:
        till.check()
        till.close()
