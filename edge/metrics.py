"""A node's figures for Prometheus, on loopback, if a port is set."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from edge.errors import PortTakenError

__all__ = ["NodeMetrics"]

NAMES = {
    "outbox_waiting": "events that the hub has not confirmed",
    "outbox_bytes": "their payload bytes",
    "outbox_full": "1 while the outbox is full",
    "broker_connected": "1 while the broker is connected",
    "events_resent": "events sent more than once",
    "frames_dropped": "frames and observations lost",
    "dead_letters": "letters from the hub that could not be read",
    "tiles_sent": "camera tiles sent",
    "tiles_dropped": "camera tiles that could not be sent",
    "evidence_bytes": "evidence on disk",
    "evidence_failed": "evidence that could not be kept",
    "cpu_share": "CPU seconds a second",
}


class NodeMetrics:
    """Gauges `sortie_node_*`; PortTakenError if the port is in use."""

    def __init__(self, port: int) -> None:
        registry = CollectorRegistry()
        self._gauges = {
            name: Gauge(f"sortie_node_{name}", text, registry=registry)
            for name, text in NAMES.items()
        }
        try:
            self._server, self._thread = start_http_server(
                port, addr="127.0.0.1", registry=registry
            )
        except OSError as error:
            raise PortTakenError(
                f"metrics port {port} cannot be served ({error.strerror}); set "
                "SORTIE_NODE_METRICS_PORT to a free one or leave it out"
            ) from error

    def set(self, values: dict[str, float]) -> None:
        """Sets gauges by name."""
        for name, value in values.items():
            self._gauges[name].set(value)

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
