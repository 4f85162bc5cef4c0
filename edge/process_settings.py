"""Settings of a node's process, from the environment (`SORTIE_NODE_*`) or as arguments.

Nested settings take two underscores: SORTIE_NODE_MQTT__PORT=1884. An unknown name is an error, so
that a misspelt setting is not silently the default.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.ids import DeviceId, StoreId
from edge.drain import DrainSettings
from edge.errors import NodeSettingsError
from edge.evidence import EvidenceSettings
from edge.mqtt import MqttSettings
from edge.outbox import OutboxSettings
from edge.settings import NodeSettings
from edge.worker import WorkerSettings

__all__ = ["PREFIX", "NodeProcessSettings", "load_settings"]

PREFIX = "SORTIE_NODE_"


class NodeProcessSettings(BaseSettings):
    """All settings of one node's process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    store_id: Annotated[StoreId, Field(description="the store this node belongs to")]
    node_id: Annotated[DeviceId, Field(description="this node")]
    data_dir: Annotated[Path, Field(description="outbox, cached configuration, evidence")]
    shm_root: Annotated[
        Path | None, Field(description="folder of shared-memory rings; none: /dev/shm")
    ] = None
    scale_ring: Annotated[str, Field(max_length=120, description="ring of the plates")] = "plates"
    gate_ring: Annotated[str, Field(max_length=120, description="ring of the gates")] = "gates"
    hub_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://", description="where tiles and evidence go; none: neither is sent"
        ),
    ] = None
    hub_token: Annotated[SecretStr | None, Field(description="this node's token at the hub")] = None
    metrics_port: Annotated[
        int | None, Field(ge=1, le=65535, description="Prometheus on loopback; none: off")
    ] = None
    gallery: Annotated[
        Path | None, Field(description="enrolled products; none: products are not told apart")
    ] = None
    step_s: Annotated[float, Field(gt=0, le=1, description="longest pause between steps")] = 1 / 30
    snapshot_s: Annotated[float, Field(gt=0, le=60, description="between saved states")] = 1.0
    core: NodeSettings = NodeSettings()
    mqtt: MqttSettings = MqttSettings()
    outbox: OutboxSettings = OutboxSettings()
    drain: DrainSettings = DrainSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    camera: WorkerSettings = WorkerSettings()


def load_settings() -> NodeProcessSettings:
    """Settings of the environment; NodeSettingsError names variable, fault and fix."""
    known = {f"{PREFIX}{name}".upper() for name in NodeProcessSettings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name.split("__", 1)[0] not in known:
            raise NodeSettingsError(
                f"{name}: no such setting; expected one of {', '.join(sorted(known))}"
            )
    try:
        return NodeProcessSettings()
    except ValidationError as error:
        faults = [
            f"{PREFIX}{'__'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors()[:10]
        ]
        raise NodeSettingsError("; ".join(faults)) from error
