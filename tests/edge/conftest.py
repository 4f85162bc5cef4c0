"""Fixtures of the node's process; and the folder of the tests can be imported from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.edge.process_kit import Broker, FakeHub, Shop

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


@pytest.fixture
def node_broker(tmp_path: Path) -> Iterator[Broker]:
    from tests.edge.process_kit import Broker

    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def hub(node_broker: Broker) -> Iterator[FakeHub]:
    from tests.edge.process_kit import FakeHub

    hub = FakeHub(node_broker.port)
    yield hub
    hub.bus.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    from tests.edge.process_kit import Shop

    shop = Shop(tmp_path)
    yield shop
    shop.close()
