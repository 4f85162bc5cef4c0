"""Health and Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastapi import APIRouter, Depends, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from hub.api.auth import StaffAuth
from hub.api.streams import Streams
from hub.driver import Driver
from hub.endings import endings, warned
from hub.errors import StoreError
from hub.settings import HubSettings
from hub.store.service import Store

__all__ = ["metric_routes"]

Ends = Callable[[], dict[str, float]]
"""What ends in how many seconds."""


class _HubCollector(Collector):
    def __init__(self, driver: Driver, streams: Streams, ends: Ends) -> None:
        self._driver = driver
        self._streams = streams
        self._ends = ends

    def collect(self) -> Iterator[Metric]:
        """Everything at the moment of the question."""
        state = self._driver.staff()
        counters = CounterMetricFamily(
            "sortie_hub", "Counted since the start, by what", labels=["what"]
        )
        for name, value in sorted(state["counters"].items()):
            counters.add_metric([name], value)
        yield counters
        stages = GaugeMetricFamily("sortie_hub_visits", "Visits by stage", labels=["stage"])
        counts: dict[str, int] = {}
        for visit in state["visits"]:
            counts[visit["stage"]] = counts.get(visit["stage"], 0) + 1
        for stage, count in sorted(counts.items()):
            stages.add_metric([stage], count)
        yield stages
        for name, text, value in (
            ("tracks", "People on the floor", len(state["tracks"])),
            ("streams", "Open server-sent event streams", self._streams.open),
            ("alarm", "1 while the hub cannot write", int(state["alarm"] is not None)),
            ("broker_connected", "1 while the broker is there", int(state["broker"])),
            ("dropped", "Messages refused because the inbox was full", state["dropped"]),
        ):
            yield GaugeMetricFamily(f"sortie_hub_{name}", text, value=value)
        yield from self._running()
        heard = GaugeMetricFamily(
            "sortie_hub_device_heard_seconds", "Since a node was heard", labels=["device"]
        )
        for device in state["devices"]:
            if device["heard_s_ago"] is not None:
                heard.add_metric([device["device_id"]], device["heard_s_ago"])
        yield heard
        ends = GaugeMetricFamily(
            "sortie_hub_ends_seconds", "Until a certificate or an API key ends", labels=["what"]
        )
        for name, left_s in sorted(self._ends().items()):
            ends.add_metric([name], left_s)
        yield ends

    def _running(self) -> Iterator[Metric]:
        """The hub as a machine: commits, gateway, lease, chains, database, what was refused."""
        driver = self._driver
        hub = driver.hub
        state = hub.core.state
        for name, text, count, total in (
            ("batch_messages", "Messages a batch from the broker", driver.batches, driver.batched),
            ("gateway_seconds", "Answers of the gateway", driver.gateway_asked, driver.gateway_s),
        ):
            yield SummaryMetricFamily(f"sortie_hub_{name}", text, count, total)
        for name, text, value in (
            ("lease_held", "1 while this hub owns the store", int(driver.owner)),
            ("lease_epoch", "How often the store changed hands", hub.store.lease.epoch),
            ("ready", "1 while this hub is ready", int(all(driver.readiness().values()))),
            ("events_number", "Number of the last event", state.log.number),
            ("transactions_number", "Number of the last transaction", state.wallets.ledger.number),
            ("asks_waiting", "Questions to the gateway without a final answer", len(state.asks)),
            ("batch_age_seconds", "From arrival to commit of the latest batch", driver.oldest_s),
            ("database_bytes", "Size of the database", driver.stored(_size)),
        ):
            yield GaugeMetricFamily(f"sortie_hub_{name}", text, value=value)
        refused = CounterMetricFamily(
            "sortie_hub_refused", "Messages refused, by the class of the reason", labels=["why"]
        )
        for why, count in sorted(hub.live.refused.items()):
            refused.add_metric([why], count)
        yield refused


def _size(store: Store) -> float:
    try:
        return float(store.size_bytes())
    except StoreError:
        return float("nan")


def metric_routes(
    driver: Driver, streams: Streams, auth: StaffAuth, settings: HubSettings
) -> APIRouter:
    """/metrics, for staff and keys unless a setting opens it, /healthz and /readyz."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()

    def ends() -> dict[str, float]:
        return endings(settings, auth.accounts.store, driver.now())

    registry.register(_HubCollector(driver, streams, ends))

    guard = [] if settings.metrics_open else [Depends(auth.needs("viewer", "metrics"))]

    @router.get(
        "/metrics",
        dependencies=guard,
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @router.get("/healthz")
    def healthz() -> dict[str, object]:
        """200 while the process answers: restart it if this does not come."""
        return {"ok": True, "role": "owner", "alarm": driver.alarm}

    @router.get("/readyz")
    def readyz(response: Response) -> dict[str, object]:
        """200 when the journal is replayed, the database can be written, the store is ours and
        the broker is there; else 503 and which of them is not so. `warnings`: what ends soon."""
        checks = driver.readiness()
        ready = all(checks.values())
        if not ready:
            response.status_code = 503
        return {"ready": ready, "role": "owner", "checks": checks, "alarm": driver.alarm,
                "warnings": warned(ends())}  # fmt: skip

    return router
