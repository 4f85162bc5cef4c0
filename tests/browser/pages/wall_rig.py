"""A pick-up wall behind the pages: the demo store with a wall, its node by script, orders.

The node does what a real one does: it tells what stands where, and of each mark that the hub asks
for whether it shines. While its projector is off or unplugged it withholds them all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import yaml

from contracts import messages as m
from contracts.codec import encode
from contracts.wall_messages import (
    LabelRead,
    MarkSeen,
    MarksJudged,
    ProjectionJudged,
    Thing,
    ThingsSeen,
    WallAttended,
    WallCues,
)
from tests.browser.pages.conftest import STORE, ScriptedNode, Store, until
from tests.contracts.test_wall import wall
from tests.hub.parcels.wall_kit import key, sscc

WALL, NODE, BEAM, EYE = "wall-1", "node-wall", "beam-1", "eye-1"
SCREEN = "the-kiosk-of-the-tests"
LAMPS = [{"light_id": "strip-1", "board_id": "low", "u0_m": 0.0, "u1_m": 1.0, "lamps": 60}]


def wall_store_file(folder: Path, walls: int = 1) -> Path:
    """The demo store with walls, each 1 m wide, two boards, a hook, with a node of its own; written
    into `folder`. The last of several has lamps below its parcels and no projector."""
    document = yaml.safe_load(STORE.read_text(encoding="utf-8"))
    document["walls"] = [_wall(k) for k in range(1, walls + 1)]
    if walls > 1:
        document["walls"][-1] |= {"projectors": [], "lights": LAMPS}
    nodes = [node for node in document["nodes"] if not node.get("walls")]
    of_walls = [{"node_id": _of(NODE, k), "walls": [_of(WALL, k)]} for k in range(1, walls + 1)]
    document["nodes"] = [*nodes, *of_walls]
    path = folder / "wall-store.yaml"
    path.write_text(yaml.safe_dump(_plain(document)), encoding="utf-8")
    return path


def _of(first: str, number: int) -> str:
    """How the number-th wall, and what belongs to it, is called: as the first, but for the end."""
    stem, last = first.rsplit("-", 1)
    if number == 1:
        return first
    return f"{stem}-{number}" if last == "1" else f"{first}-{number}"


def _wall(number: int) -> dict[str, Any]:
    hook = {"hook_id": _of("hook-1", number), "u_m": 0.5, "z_m": 1.15}
    made = wall(hooks=[hook], scanners=[_of("kiosk-1", number)], wall_id=_of(WALL, number))
    made["cameras"][0]["camera_id"] = _of(EYE, number)
    made["projectors"][0]["projector_id"] = _of(BEAM, number)
    return made


def _plain(value: Any) -> Any:
    """Without tuples, which YAML would write as something of Python's own."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


class WallNode(ScriptedNode):
    """The wall's node; tests and its MQTT thread both speak, one at a time."""

    def __init__(self, store: Store, number: int = 1) -> None:
        self._speaking = threading.RLock()
        self.light = "true"
        self.wall_id, self._beam, self._eye = (_of(one, number) for one in (WALL, BEAM, EYE))
        self.cues = WallCues(wall_id=self.wall_id, revision=0)
        super().__init__(_of(NODE, number), store.layout.store_id, store.files)
        self.say(m.NodeBorn(software="test", config_revision=1, walls=(self.wall_id,)))
        self.see(whole=True)
        self.project("true", residual_mm=1.8)
        self.committed()

    def say(self, message: m.Message) -> None:
        """The next message of the stream."""
        with self._speaking:
            super().say(message)

    def see(self, *things: Thing, whole: bool = False) -> None:
        """News of things."""
        self.say(ThingsSeen(wall_id=self.wall_id, t_s=time.monotonic(), whole=whole, things=things))

    def stand(self, number: int, u: float, z: float = 0.52, **more: Any) -> None:
        """The number-th parcel stands there, 0.16 m wide."""
        self.see(self.thing(number, "stands", u, z, **more))

    def lift(self, number: int, u: float, z: float = 0.52, **more: Any) -> None:
        """It is taken off the wall and carried out of sight."""
        self.see(self.thing(number, "moves", u, z, **more))
        self.see(self.thing(number, "gone", u, z, **more))

    @staticmethod
    def thing(number: int, state: Any, u: float, z: float, **more: Any) -> Thing:
        """News of the number-th thing, 0.16 m wide; `text` None: nothing was read on it."""
        now_s = time.monotonic()
        text = more.pop("text", f"00{sscc(number)}")
        label = None if text is None else LabelRead(symbology="qr", text=text, reads=5)
        named = {"thing_id": f"t{number}", "label": label, "v_m": 0.02, **more}
        return Thing(
            state=state,
            outline_m=((u, z), (u + 0.16, z), (u + 0.16, z + 0.14), (u, z + 0.14)),
            since_s=now_s,
            seen_s=now_s,
            **named,
        )

    def project(self, state: Any, residual_mm: float | None = None, reason: str = "") -> None:
        """How the projector hits; unless it does, nothing shines."""
        self.light = state
        judged = ProjectionJudged(
            wall_id=self.wall_id, projector_id=self._beam, t_s=time.monotonic(), state=state,
            residual_mm=residual_mm, points=12, reason=reason,
        )  # fmt: skip
        self.say(judged)
        self._judge()

    def attended(self, somebody: bool) -> None:
        """Somebody is before the wall, or nobody any more."""
        self.say(WallAttended(wall_id=self.wall_id, t_s=time.monotonic(), somebody=somebody))

    def blind(self, blind: bool, reason: str = "") -> None:
        """The camera sees nothing any more, or sees again."""
        self.say(
            m.SensorOutage(
                sensor_id=self._eye, kind="camera", bay_id=None, wall_id=self.wall_id, blind=blind,
                t_s=time.monotonic(), reason=reason,
            )
        )  # fmt: skip

    def die(self) -> None:
        """The broker says that the node's connection broke."""
        died = encode(m.NodeDied(boot_id=self._boot))
        self.client.publish(self._topic("died"), died, qos=1).wait_for_publish(60)

    def _judge(self) -> None:
        """What becomes of the marks that are asked for."""
        shines = self.light == "true"
        state: Any = "seen" if shines else "withheld"
        reason = "" if shines else f"projector {self.light}"
        now_s = time.monotonic()
        marks = tuple(
            MarkSeen(mark_id=one.mark_id, state=state, since_s=now_s, reason=reason)
            for one in self.cues.marks
        )
        if marks:
            judged = MarksJudged(
                wall_id=self.wall_id, t_s=now_s, revision=self.cues.revision, marks=marks
            )
            self.say(judged)

    def _heard(self, client: mqtt.Client, user: object, message: mqtt.MQTTMessage) -> None:
        if not message.topic.endswith("/cues"):
            super()._heard(client, user, message)
            return
        cues = WallCues.model_validate_json(message.payload)
        news = cues.marks != self.cues.marks
        self.cues = cues
        if news:
            self._judge()


@contextmanager
def wall_store(folder: Path, walls: int = 1, /, **settings: str) -> Iterator[Store]:
    """Broker and hub of the demo store with walls, and whatever a test starts besides."""
    made = Store(folder, wall_store_file(folder, walls))
    try:
        made.start_hub(**settings)
        yield made
    finally:
        made.close()


class Shop:
    """What staff and the web shop ask of the hub."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Done, or an AssertionError with the hub's words."""
        answer = httpx.post(f"{self._store.hub_url}/api/v1/{path}", json=body, timeout=60)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> dict[str, Any]:
        """What the hub says."""
        answer = httpx.get(f"{self._store.hub_url}/api/v1/{path}", timeout=60)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def order(self, order_id: str, *numbers: int, due_minor: int = 0, **more: Any) -> str:
        """An order of these parcels, for each of which so much is due; the code that opens the wall
        for it."""
        due = {"due_minor": due_minor, "vat_rate": "0.19"} if due_minor else {}
        parcels = [{"label": sscc(number), **due} for number in numbers]
        made = self.post("orders", order_id=order_id, parcels=parcels, **more)
        return str(made["code"] or "")

    def ready(self, *numbers: int) -> None:
        """Waits until these parcels may be fetched."""
        for number in numbers:
            until(partial(self._is_ready, number), f"parcel {number} to be ready")

    def _is_ready(self, number: int) -> bool:
        return self.state(number) == "ready"

    def state(self, number: int) -> str:
        """What the hub thinks of a parcel."""
        return str(self.get(f"parcels/{key(number)}")["state"])


def type_code(tab: Any, code: str) -> None:
    """A scanner types a code: its characters, then Enter."""
    for character in code:
        tab.send("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
        tab.send("Input.dispatchKeyEvent", type="keyUp", key=character)
    for kind in ("keyDown", "keyUp"):
        tab.send(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
            windowsVirtualKeyCode=13,
        )  # fmt: skip
