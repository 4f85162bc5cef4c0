"""A node's process: broker, configuration, boots, and a clean end on SIGTERM.

The node starts from its cached configuration at once, or waits for the retained one. A broker
that cannot be reached is said aloud and waited for; the node goes on and its outbox grows. A new
configuration ends the boot and begins another, with a new boot id.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from contracts.codec import encode
from contracts.messages import (
    ClockPing,
    HubAck,
    NodeConfig,
    NodeDied,
    SendEvidence,
    SendTiles,
    WallCues,
)
from contracts.topics import topic
from edge.boot import Boot, Mail
from edge.bus import Bus, Letter
from edge.core import NodeCore
from edge.evidence import EvidenceStore
from edge.evidence_sender import EvidenceSender
from edge.metrics import NodeMetrics
from edge.mqtt import MqttBus
from edge.outbox import Outbox
from edge.process_settings import NodeProcessSettings
from edge.shows import Shows
from edge.tiles import TileUploader, http_put
from edge.worker import CameraWorker
from hardware.cameras import open_camera
from hardware.lights import open_light
from hardware.projectors import open_projector

__all__ = ["NodeProcess", "new_boot_id"]

SAY_AGAIN_S = 30.0
METRICS_S = 1.0
DEAD_LETTERS_SAID_MAX = 20
_FROM_HUB = ("ack", "config", "cues", "evidence", "ping", "tiles")


class MakeCore(Protocol):
    """Builds a node's core for a configuration and a boot; ModelError, NodeConfigError."""

    def __call__(self, config: NodeConfig, boot_id: str, /) -> NodeCore:
        """The core."""
        ...


def new_boot_id(unix_s: float) -> str:
    """A boot id never used before: the time for people, randomness for certainty."""
    return f"b{int(unix_s):x}-{os.urandom(5).hex()}"


@dataclass(slots=True)
class _Post:
    """Letters sorted."""

    mail: Mail
    config: NodeConfig | None = None


class NodeProcess:
    """Runs a node until `stop`."""

    def __init__(
        self,
        settings: NodeProcessSettings,
        make_core: MakeCore,
        *,
        clock: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
        say: Callable[[str], None] = print,
    ) -> None:
        self._settings = settings
        self._make_core = make_core
        self._clock = clock
        self._unix_s = unix_s
        self._say = say
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._sender: EvidenceSender | None = None
        self.dead_letters = 0
        self._told: tuple[str | None, float] = (None, 0.0)
        self._topics = {
            name: topic(name, store_id=settings.store_id, device_id=settings.node_id)
            for name in (*_FROM_HUB, "died")
        }

    def stop(self) -> None:
        """Asks the process to end; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Runs boot after boot until stopped. EdgeError where the node cannot do its work."""
        settings = self._settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        metrics = None if settings.metrics_port is None else NodeMetrics(settings.metrics_port)
        put, client = None, None
        if settings.hub_url is not None:
            token = settings.hub_token
            put, client = http_put(
                settings.hub_url, token.get_secret_value() if token is not None else None
            )
        tiles = None if put is None else TileUploader(settings.node_id, put)
        self._sender = None if put is None else EvidenceSender(settings.node_id, put)
        try:
            while not self._stop.is_set():
                self._run_once(tiles, metrics)
        finally:
            if tiles is not None:
                tiles.close()
            if self._sender is not None:
                self._sender.close()
            if client is not None:
                client.close()
            if metrics is not None:
                metrics.close()

    def _run_once(self, tiles: TileUploader | None, metrics: NodeMetrics | None) -> None:
        """One boot: from connecting to a stop or a new configuration."""
        boot_id = new_boot_id(self._unix_s())
        will = Letter(self._topics["died"], encode(NodeDied(boot_id=boot_id)))
        bus = MqttBus(
            self._settings.mqtt,
            client_id=f"{self._settings.store_id}-{self._settings.node_id}",
            will=will,
            on_news=self._wake.set,
        )
        bus.subscribe(tuple(self._topics[name] for name in _FROM_HUB))
        bus.start()
        try:
            config = self._first_config(bus)
            if config is not None:
                self._run_boot(boot_id, config, bus, tiles, metrics)
        finally:
            bus.close()

    def _run_boot(
        self,
        boot_id: str,
        config: NodeConfig,
        bus: MqttBus,
        tiles: TileUploader | None,
        metrics: NodeMetrics | None,
    ) -> None:
        data = self._settings.data_dir
        core = self._make_core(config, boot_id)
        outbox = Outbox(data / "outbox.db", boot_id=boot_id, settings=self._settings.outbox)
        try:
            evidence = EvidenceStore(
                data / "evidence", self._settings.evidence, unix_s=self._unix_s
            )
            boot = Boot(
                self._settings,
                config,
                boot_id=boot_id,
                core=core,
                outbox=outbox,
                bus=bus,
                evidence=evidence,
                tiles=tiles,
                sender=self._sender,
                make_worker=lambda camera: self._worker(camera, core),
                shows=self._shows(config),
                clock=self._clock,
                unix_s=self._unix_s,
                say=self._say,
            )
            self._say(
                f"node {config.node_id}: boot {boot_id}, configuration {config.revision}, "
                f"{len(boot.workers)} cameras, {len(config.plates)} plates, "
                f"{len(config.gates)} gates, {outbox.waiting} events from before"
            )
            whole = False
            try:
                boot.start()
                self._loop(boot, config, bus, outbox, metrics)
                whole = True
            finally:
                # After a fault the core is not stepped again: what it holds may be half done.
                boot.close(save=whole)
        finally:
            outbox.close()

    def _loop(
        self,
        boot: Boot,
        config: NodeConfig,
        bus: MqttBus,
        outbox: Outbox,
        metrics: NodeMetrics | None,
    ) -> None:
        step_s = self._settings.step_s
        stepped_s = self._clock()
        measured_s = stepped_s
        while not self._stop.is_set():
            self._wake.wait(step_s)
            # Several cameras wake the loop often; two steps are still half a period apart.
            pause_s = stepped_s + step_s / 2 - self._clock()
            if pause_s > 0:
                self._stop.wait(pause_s)
            self._wake.clear()
            stepped_s = self._clock()
            post = self._sort(bus)
            if post.config is not None and post.config != config:
                self._cache(post.config)
                self._say(f"configuration {post.config.revision} came: a new boot begins")
                return
            boot.step(post.mail)
            self._tell_broker(bus, f"; {outbox.waiting} events wait on disk")
            if metrics is not None and stepped_s - measured_s >= METRICS_S:
                measured_s = stepped_s
                metrics.set({**boot.figures, "dead_letters": self.dead_letters})

    def _worker(self, camera: Any, core: NodeCore) -> CameraWorker:
        root = self._settings.shm_root
        return CameraWorker(
            camera,
            open_camera=lambda one: open_camera(one, clock=self._clock, shm_root=root),
            perceive=core.perceive,
            clock=self._clock,
            wake=self._wake.set,
            settings=self._settings.camera,
            evidence=self._settings.evidence,
            say=self._say,
        )

    def _shows(self, config: NodeConfig) -> Shows | None:
        root = self._settings.shm_root
        projectors = {one.projector_id: one for wall in config.walls for one in wall.projectors}
        lights = {one.light_id: one for wall in config.walls for one in wall.lights}
        if not projectors and not lights:
            return None
        return Shows(
            config,
            open_projector=lambda name: open_projector(projectors[name], shm_root=root),
            open_light=lambda name: open_light(lights[name], shm_root=root),
            clock=self._clock,
            say=self._say,
        )

    # ------------------------------------------------------------ letters and configuration

    def _first_config(self, bus: MqttBus) -> NodeConfig | None:
        """The cached configuration, or the first one that comes; None if stopped before."""
        cached = self._cached()
        if cached is not None:
            return cached
        while not self._stop.is_set():
            post = self._sort(bus)
            if post.config is not None:
                self._cache(post.config)
                return post.config
            self._tell_broker(bus, "; no configuration yet")
            self._wake.wait(0.5)
            self._wake.clear()
        return None

    def _sort(self, bus: Bus) -> _Post:
        """Letters by kind; what cannot be read is counted and said, not believed."""
        post = _Post(Mail())
        for letter in bus.poll():
            try:
                self._sort_one(letter, post)
            except ValidationError as error:
                fault = error.errors()[0]
                field = ".".join(str(part) for part in fault["loc"]) or "document"
                self._dead(letter, f"{field}: {fault['msg']}")
        return post

    def _sort_one(self, letter: Letter, post: _Post) -> None:
        if letter.topic == self._topics["ack"]:
            post.mail.acks.append(HubAck.model_validate_json(letter.payload))
        elif letter.topic == self._topics["ping"]:
            post.mail.pings.append(ClockPing.model_validate_json(letter.payload))
        elif letter.topic == self._topics["tiles"]:
            post.mail.tiles.append(SendTiles.model_validate_json(letter.payload))
        elif letter.topic == self._topics["evidence"]:
            post.mail.evidence.append(SendEvidence.model_validate_json(letter.payload))
        elif letter.topic == self._topics["cues"]:
            post.mail.cues.append(WallCues.model_validate_json(letter.payload))
        elif letter.topic == self._topics["config"]:
            config = NodeConfig.model_validate_json(letter.payload)
            settings = self._settings
            if (config.store_id, config.node_id) != (settings.store_id, settings.node_id):
                self._dead(
                    letter,
                    f"expected node {settings.node_id} of store {settings.store_id}, got "
                    f"{config.node_id} of {config.store_id}",
                )
                return
            post.config = config

    def _dead(self, letter: Letter, reason: str) -> None:
        self.dead_letters += 1
        if self.dead_letters <= DEAD_LETTERS_SAID_MAX:
            self._say(f"{letter.topic}: cannot be read and is left aside: {reason}")

    def _tell_broker(self, bus: MqttBus, more: str) -> None:
        """Says what is wrong with the broker: at once, and then now and then."""
        error = bus.last_error
        now_s = self._clock()
        if error is None:
            if self._told[0] is not None:
                self._say(f"{self._settings.mqtt.shown}: connected")
            self._told = (None, now_s)
        elif error != self._told[0] or now_s - self._told[1] >= SAY_AGAIN_S:
            self._told = (error, now_s)
            self._say(error + more)

    @property
    def _config_path(self) -> Path:
        return self._settings.data_dir / "config.json"

    def _cached(self) -> NodeConfig | None:
        path = self._config_path
        try:
            config = NodeConfig.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            self._say(f"{path}: cannot be used and is left aside: {type(error).__name__}")
            return None
        settings = self._settings
        if (config.store_id, config.node_id) != (settings.store_id, settings.node_id):
            self._say(f"{path}: is of node {config.node_id} and is left aside")
            return None
        return config

    def _cache(self, config: NodeConfig) -> None:
        fresh = self._config_path.with_suffix(".new")
        fresh.write_text(config.model_dump_json(), encoding="utf-8")
        os.replace(fresh, self._config_path)
