"""A bench with walls for each test."""

from __future__ import annotations

import pytest

from tests.hub.parcels.wall_kit import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
