"""Metrics: every name of the reference page is there, and alerts ask for none that is not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hub.api.app import create_app
from hub.dead_letters import kind_of
from hub.driver import Driver
from hub.settings import HubSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shown(make_shop: Callable[..., Any], day: Any) -> dict[str, float]:
    shop = make_shop("hub.sqlite")
    shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [("4006381333931", True)])
    shop.play(day.script, 14.0)
    shop.hub.ingest([("sortie/v1/tiny/stranger/died", b"{}")], 14.0)
    app = create_app(Driver(shop.hub, lambda: 14.0), HubSettings(store_file=Path("x")))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get("/metrics")

    answer = asyncio.run(ask())
    app.state.accounts.store.close()
    assert answer.status_code == 200
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = "".join(f"[{value}]" for value in sample.labels.values())
            found[sample.name + labels] = sample.value
    return found


def test_the_numbers_are_those_of_the_hub(shown: dict[str, float]) -> None:
    assert shown["sortie_hub_events_number"] > 5
    assert shown["sortie_hub_transactions_number"] == 3
    assert shown["sortie_hub_lease_held"] == 1
    assert shown["sortie_hub_ready"] == 0, "there is no broker here"
    assert shown["sortie_hub_database_bytes"] > 10_000
    assert shown["sortie_hub_refused_total[unknown]"] == 1
    assert shown["sortie_hub_total[commits]"] > 5


def test_page_and_alerts_name_metrics_that_are_there(shown: dict[str, float]) -> None:
    there = {re.sub(r"\[.*|_(total|sum|count)(\[.*)?$", "", name) for name in shown}
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = set(re.findall(r"`(sortie_hub\w*)`", page))
    assert there <= {re.sub(r"_(total|sum|count)$", "", name) for name in documented}
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    asked = {
        re.sub(r"_(total|sum|count)$", "", name)
        for rule in alerts
        for name in re.findall(r"sortie_hub\w*", rule["expr"])
    }
    # Without a node that was heard, and without a certificate or key, these have no value.
    assert asked <= there | {"sortie_hub_device_heard_seconds", "sortie_hub_ends_seconds"}
    running = (ROOT / "docs" / "running.md").read_text()
    assert [rule["alert"] for rule in alerts if rule["alert"] not in running] == []


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("expected a node that is trusted, a is revoked", "revoked"),
        ("expected device a on its topic, got b", "forged"),
        ("('a', 'b', 1) broke the rules: x", "broke_rules"),
        ("not JSON", "malformed"),
    ],
)
def test_reasons_have_classes(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind
