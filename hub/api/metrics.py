"""Health and Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.api.streams import Streams
from hub.driver import Driver

__all__ = ["metric_routes"]


class _HubCollector(Collector):
    def __init__(self, driver: Driver, streams: Streams) -> None:
        self._driver = driver
        self._streams = streams

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
        heard = GaugeMetricFamily(
            "sortie_hub_device_heard_seconds", "Since a node was heard", labels=["device"]
        )
        for device in state["devices"]:
            if device["heard_s_ago"] is not None:
                heard.add_metric([device["device_id"]], device["heard_s_ago"])
        yield heard


def metric_routes(driver: Driver, streams: Streams) -> APIRouter:
    """/metrics, /healthz and /readyz."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(_HubCollector(driver, streams))

    @router.get("/metrics")
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
        the broker is there; else 503 and which of them is not so."""
        checks = driver.readiness()
        ready = all(checks.values())
        if not ready:
            response.status_code = 503
        return {"ready": ready, "role": "owner", "checks": checks, "alarm": driver.alarm}

    return router
