"""All processes of one simulated store: their ports, passwords, folders and commands.

    processes = StoreProcesses(StorePlan(store_path=path, folder=folder))
    supervisor.launch(processes.broker())
    supervisor.launch(processes.hub())
    ...
    supervisor.stop()
    processes.close()

One folder holds a run: configuration and passwords of the broker, the hub's database, what nodes
keep, logs, truth. Rings lie in a folder of their own in shared memory, so that two stores on one
machine do not meet, and `close` takes them away.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.store_file import load_store_file
from hardware.rings import shared_memory_root
from hub.pages.words import DESK_PAGES
from sortie.broker import HUB_USER, broker_command, write_broker_files
from sortie.errors import SortieError, UsageError
from sortie.lockstep import Sensors
from sortie.supervisor import Child, free_port, wait_for_port

__all__ = ["StorePlan", "StoreProcesses", "content_type", "get_json", "serves", "take_folder"]

HOST = "127.0.0.1"
MARK = ".sortie-run"
DOORS_FILE = "doors-open"
RINGS_FILE = "rings"
RINGS_PREFIX = "sortie-run-"
KILL_FILE = "kill-the-broker"
PREFIXES = (
    "SORTIE_HUB_", "SORTIE_NODE_", "SORTIE_PAGES_", "SORTIE_PLAY_", "SORTIE_SIM_", "SORTIE_WALL_",
)  # fmt: skip
WALL_SCANS = "wall-scans"
WALL_FIRST_S = 25.0
"""The first customer comes when the projector has been calibrated."""
FEW_CORES = 2
FEW_FIRST_S = 50.0
"""The same on so few cores, where products may be enrolled meanwhile."""
LATE_S_MAX = "4.0"
"""Simulated cameras that share so few cores with all else are late, and not blind: the wall's node
bears it for so long."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Several processes share few cores: none of them may take all for one product of matrices."""
FRESH_S = 2.5
PROBE_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 20.0
# A proxy of the environment is not meant for the store's own machines.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def few_cores() -> bool:
    """Whether simulated cameras must be borne with."""
    return len(os.sched_getaffinity(0)) <= FEW_CORES


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What to run. Without `pages_port` there are no pages; `stand_in_allowed` is for the demo;
    with `wallets` some simulated shoppers have one, share one, and tip. `wall_case` is what goes on
    at the store's first wall, if it has any."""

    store_path: Path
    folder: Path
    scenario: str = "demo-day"
    seed: int = 1
    shoppers: int = 4
    sensors: Sensors = "both"
    pages_port: int | None = None
    stand_in_allowed: bool = False
    wallets: bool = False
    wall_case: str = "demo"


class StoreProcesses:
    """Commands of every process. Making one cleans the run's folder; StoreFileError, UsageError,
    MissingPartError."""

    def __init__(self, plan: StorePlan) -> None:
        self.plan = plan
        self.store = load_store_file(plan.store_path)
        _check_environment()
        self.folder = plan.folder.resolve()
        self._lock_fd = take_folder(self.folder)
        self.truth = self.folder / "truth"
        self.truth.mkdir(mode=0o700)
        self.node_ids = tuple(node.node_id for node in self.store.nodes)
        self.hub_port = free_port()
        self._play_port, self._control_port = free_port(), free_port()
        self._control_token = secrets.token_urlsafe(24)
        self._tokens = {node_id: secrets.token_urlsafe(24) for node_id in self.node_ids}
        try:
            self.broker_files = write_broker_files(
                self.folder / "broker",
                store_id=self.store.store_id,
                node_ids=self.node_ids,
                port=free_port(),
                stand_in_allowed=plan.stand_in_allowed,
            )
        except SortieError:
            self.release()
            raise
        self.rings = _make_rings(self.folder)

    @property
    def hub_url(self) -> str:
        """The hub's HTTP interface."""
        return f"http://{HOST}:{self.hub_port}"

    @property
    def pages_url(self) -> str:
        """The start page."""
        return f"http://{HOST}:{self.plan.pages_port}/"

    @property
    def play_url(self) -> str:
        """The page on which a person is the shopper."""
        return f"http://{HOST}:{self._play_port}"

    def broker(self) -> Child:
        """Mosquitto, or what stands in for it."""
        ready = wait_for_port(self.broker_files.port)
        return Child("broker", broker_command(self.broker_files), ready=ready)

    def hub(self) -> Child:
        """The hub, with its database in the run's folder."""
        folder = self.folder
        settings = {
            "STORE_FILE": str(self.plan.store_path.resolve()),
            "DATABASE_URL": f"sqlite:///{folder / 'hub.sqlite'}",
            "GATEWAY_FILE": str(folder / "gateway.sqlite"),
            "HOST": HOST,
            "PORT": str(self.hub_port),
            "NODE_TOKENS": json.dumps(self._tokens),
            "MQTT_PORT": str(self.broker_files.port),
            "MQTT_USERNAME": HUB_USER,
            "MQTT_PASSWORD": self.broker_files.passwords[HUB_USER],
            "MQTT_WAIT_S": "60",
        }
        return _child("hub", "hub.main", "SORTIE_HUB_", settings, serves(f"{self.hub_url}/readyz"))

    def node(self, node_id: str, gallery: Path | None = None) -> Child:
        """One node; `gallery` is the enrolled products. It serves as soon as it has its
        configuration, and nobody waits for that."""
        settings = {
            "STORE_ID": self.store.store_id,
            "NODE_ID": node_id,
            "DATA_DIR": str(self.folder / "nodes" / node_id),
            "SHM_ROOT": str(self.rings),
            "HUB_URL": self.hub_url,
            "HUB_TOKEN": self._tokens[node_id],
            # Rings on this machine cost nothing to ask for.
            "CAMERA__REOPEN_MAX_S": "0.5",
            "CORE__SENSORS": self.plan.sensors,
            "MQTT__PORT": str(self.broker_files.port),
            "MQTT__USERNAME": node_id,
            "MQTT__PASSWORD": self.broker_files.passwords[node_id],
        }
        if gallery is not None:
            settings["GALLERY"] = str(gallery)
        node = next(one for one in self.store.nodes if one.node_id == node_id)
        if node.walls and not node.gates:
            settings["GATE_RING"] = WALL_SCANS
        if node.walls and few_cores():
            settings["CORE__FRAME_AGE_S_MAX"] = LATE_S_MAX
            settings["CAMERA__FRAME_AGE_S_MAX"] = LATE_S_MAX
        return _child(node_id, "edge.main", "SORTIE_NODE_", settings)

    def pages(self) -> Child:
        """Start page and staff page."""
        settings = {
            "HUB_URL": self.hub_url,
            "HOST": HOST,
            "PORT": str(self.plan.pages_port),
            "PLAY_URL": self.play_url,
        }
        return _child(
            "pages", "hub.pages.main", "SORTIE_PAGES_", settings, serves(f"{self.pages_url}healthz")
        )

    def play(self) -> Child:
        """The page on which a person leads an avatar."""
        settings = {
            "PORT": str(self._play_port),
            "HUB_URL": self.hub_url,
            "PAGES_URL": self.pages_url.rstrip("/"),
            "STORE_URL": f"http://{HOST}:{self._control_port}",
            "STORE_TOKEN": self._control_token,
            "KILL_FILE": str(self.folder / KILL_FILE),
        }
        ready = serves(f"{self.play_url}/healthz")
        return _child("play", "sortie.play.main", "SORTIE_PLAY_", settings, ready)

    def simulator(self) -> Child:
        """The simulated world, its doors shut until `open_doors`. It is never started again:
        another world would be another day."""
        plan = self.plan
        settings = {
            "STORE_FILE": str(plan.store_path.resolve()),
            "HUB_URL": self.hub_url,
            "TRUTH_DIR": str(self.truth),
            "SCENARIO": plan.scenario,
            "SEED": str(plan.seed),
            "SHOPPERS": str(plan.shoppers),
            "SHM_ROOT": str(self.rings),
            "DOORS_FILE": str(self.folder / DOORS_FILE),
            "PLATES": str(plan.sensors != "camera").lower(),
            "WALLETS": str(plan.wallets).lower(),
        }
        if plan.pages_port is not None:
            settings |= {
                "CONTROL_PORT": str(self._control_port),
                "CONTROL_TOKEN": self._control_token,
            }
        if plan.sensors == "plates":
            ceiling = [c.camera_id for c in self.store.cameras if c.role == "ceiling"]
            settings["CAMERAS"] = json.dumps(ceiling)
        rings = self.rings / "sortie-gates.ring"
        return _child(
            "simulator", "store_sim.live", "SORTIE_SIM_", settings, rings.exists, restart=False
        )

    def wall_simulator(self) -> Child | None:
        """The parcels, people and light at the store's first wall; None if it has none."""
        if not self.store.walls:
            return None
        wall = self.store.walls[0]
        settings = {
            "STORE_FILE": str(self.plan.store_path.resolve()),
            "TRUTH_DIR": str(self.wall_truth),
            "WALL_ID": wall.wall_id,
            "CASE": self.plan.wall_case,
            "SEED": str(self.plan.seed),
            "FIRST_S": str(FEW_FIRST_S if few_cores() else WALL_FIRST_S),
            "SHM_ROOT": str(self.rings),
            "GATE_RING": WALL_SCANS,
        }
        ready = (self.wall_truth / "orders.json").exists
        return _child("wall", "store_sim.wall.live", "SORTIE_WALL_", settings, ready, restart=False)

    @property
    def wall_truth(self) -> Path:
        """What really happens at the wall, and the orders of who comes."""
        return self.truth / "wall"

    def addresses(self) -> list[tuple[str, str]]:
        """Every page by name: staff's from the pages' process, phones and displays from the hub."""
        found = [(name, self.pages_url.rstrip("/") + path) for name, path in DESK_PAGES]
        found += [
            ("Phone", f"{self.hub_url}/phone/"),
            ("Wallet", f"{self.hub_url}/phone/wallet.html"),
        ]
        found += [
            (f"Display at {gate.gate_id}", f"{self.hub_url}/exit/{gate.gate_id}")
            for gate in self.store.gates
            if gate.kind == "exit"
        ]
        if self.store.walls:
            found.append(("Parcels", f"{self.hub_url}/phone/parcels.html"))
        found += [
            (f"Kiosk at {wall.wall_id}", f"{self.hub_url}/kiosk/{wall.wall_id}")
            for wall in self.store.walls
        ]
        return found

    def open_doors(self) -> None:
        """The first shopper may come."""
        (self.folder / DOORS_FILE).touch()

    def broker_is_to_die(self) -> bool:
        """Whether somebody at the page has asked for that since the last call."""
        wish = self.folder / KILL_FILE
        asked = wish.exists()
        wish.unlink(missing_ok=True)
        return asked

    def state(self) -> dict[str, Any]:
        """The store as staff see it; OSError while the hub is away."""
        found: dict[str, Any] = get_json(f"{self.hub_url}/api/v1/staff/state")
        return found

    def blind(self) -> list[str]:
        """Nodes that do not see and feel all of their zone yet, or not any more. A node of nothing
        but walls is left out: nobody who shops waits for it."""
        of_walls = {
            node.node_id
            for node in self.store.nodes
            if node.walls and not (node.bays or node.gates or node.floor)
        }
        try:
            state = self.state()
        except OSError:
            return [name for name in self.node_ids if name not in of_walls]
        dark = {row["device_id"] for row in state["blind"]}
        return [
            row["device_id"]
            for row in state["devices"]
            if row["device_id"] not in of_walls
            and (row["device_id"] in dark or not self._sees(row))
        ]

    def _sees(self, device: dict[str, Any]) -> bool:
        health, mark_age_s = device["health"], device["watermark_s_ago"]
        if not device["alive"] or health is None or health["boot_id"] != device["boot_id"]:
            return False
        cameras = all(camera["ok"] for camera in health["cameras"])
        plates = (health["plates_age_s"] or 0.0) < FRESH_S
        # Without a watermark plates are still being learned.
        return cameras and plates and mark_age_s is not None and mark_age_s < FRESH_S

    def close(self) -> None:
        """Takes the rings away and gives the folder back; closing twice is fine."""
        shutil.rmtree(self.rings, ignore_errors=True)
        if self._lock_fd >= 0:
            (self.folder / RINGS_FILE).unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Gives the folder back as it is, as a process does that ends."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def serves(url: str) -> Callable[[], bool]:
    """A readiness probe: whether an address answers with success."""

    def ready() -> bool:
        try:
            with _OPENER.open(url, timeout=PROBE_TIMEOUT_S) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    return ready


def content_type(url: str) -> str | None:
    """The content type of what an address gives; None if it gives nothing."""
    try:
        with _OPENER.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
            return str(answer.headers.get_content_type())
    except (OSError, ValueError):
        return None


def get_json(url: str) -> Any:
    """The JSON document at an address of this machine; OSError if there is none."""
    with _OPENER.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
        try:
            return json.loads(answer.read())
        except ValueError as error:
            raise OSError(f"{url}: expected JSON, got none") from error


def post_json(url: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
    """Sends a JSON document to an address of this machine, under an idempotency key if one is
    given; what it answers. OSError if it is not taken."""
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["idempotency-key"] = key
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with _OPENER.open(request, timeout=ANSWER_TIMEOUT_S) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def take_folder(folder: Path) -> int:
    """Makes an empty folder for a run; what an earlier run left there goes, its rings too.

    Returns the descriptor that holds the folder. UsageError if another run holds it, or if
    something else lies there: nobody's files are deleted.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"expected a folder for the run, got the file {folder}; set SORTIE_RUN")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(
            f"expected an empty folder or that of an earlier run, got {folder} with other files; "
            "choose another with SORTIE_RUN"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise UsageError(
            f"expected {folder} for this run alone, but another store runs there; stop it or "
            "choose another folder with SORTIE_RUN"
        ) from error
    _remove_old_rings(folder)
    for path in folder.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return descriptor


def _make_rings(folder: Path) -> Path:
    rings = Path(tempfile.mkdtemp(prefix=RINGS_PREFIX, dir=shared_memory_root()))
    (folder / RINGS_FILE).write_text(str(rings), encoding="utf-8")
    return rings


def _remove_old_rings(folder: Path) -> None:
    """A run that was killed could not take its rings away."""
    noted = folder / RINGS_FILE
    if not noted.is_file():
        return
    rings = Path(noted.read_text(encoding="utf-8"))
    if rings.parent == shared_memory_root() and rings.name.startswith(RINGS_PREFIX):
        shutil.rmtree(rings, ignore_errors=True)


def _child(
    name: str,
    module: str,
    prefix: str,
    settings: dict[str, str],
    ready: Callable[[], bool] | None = None,
    *,
    restart: bool = True,
) -> Child:
    env = {f"{prefix}{key}": value for key, value in settings.items()}
    env |= {"PYTHONUNBUFFERED": "1", **dict.fromkeys(THREADS, "1")}
    command = [sys.executable, "-m", module]
    return Child(name, command, env=env, ready=ready, restart=restart)


def _check_environment() -> None:
    """What a shell has set for another store is not meant for this one."""
    strangers = sorted(name for name in os.environ if name.startswith(PREFIXES))
    if strangers:
        raise UsageError(
            f"expected no settings of single processes in the environment, because all of them "
            f"are started here, got {', '.join(strangers)}; unset them"
        )
