"""A store behind the pages: a real broker, hub and pages process, and nodes with a script.

The scripted nodes tell of times that have just passed: the first story of a store begins a few
minutes in the past and each moves on with every act, so that nothing has to be waited for. A story
begins after the one before it ended: the hub has settled what was before.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image, ImageDraw

from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.geometry import Bay
from contracts.store_file import Slot, load_store_file
from contracts.topics import topic
from sortie.broker import BrokerFiles, broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port
from tests.hub.bearing import bearing

ROOT = Path(__file__).parents[3]
STORE = ROOT / "store_sim" / "stores" / "demo.yaml"
DEADLINE_S = 120.0
PAST_S = 400.0
BETWEEN_STORIES_S = 5.0
STEP_S = 0.25
RESEND_S = 2.0
NODE_TOKEN = "a-node-of-the-tests"


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Asks again and again until a condition holds; the value it had then."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"expected {what} within {deadline_s} s"
        pause.wait(0.05)
    return value


class ScriptedNode:
    """One edge node's side of the wire: numbered messages, answers to pings."""

    def __init__(self, node_id: str, store_id: str, files: BrokerFiles) -> None:
        self.node_id = node_id
        self.sequence = 0
        self.acknowledged = -1
        self.tiles_wanted: set[str] = set()
        self._outbox: list[bytes] = []
        self._store_id = store_id
        self._boot = f"boot-{time.monotonic_ns()}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=node_id)
        client.username_pw_set(node_id, files.passwords[node_id])
        client.on_message = self._heard
        client.on_connect = lambda c, *_: c.subscribe(
            [(self._topic(n), 1) for n in ("ping", "tiles", "ack", "cues")]
        )
        client.connect("127.0.0.1", files.port)
        client.loop_start()
        self.client = client

    def say(self, message: m.Message) -> None:
        """One message of the boot's stream, sent now, whatever time it tells of."""
        item = envelope(
            message,
            store_id=self._store_id,
            device_id=self.node_id,
            boot_id=self._boot,
            sequence=self.sequence,
            monotonic_us=round(time.monotonic() * 1e6),
            config_revision=1,
            time=datetime.now(UTC),
        )
        self.sequence += 1
        self._outbox.append(encode(item))
        self._send(self._outbox[-1])

    def committed(self) -> None:
        """Sends again what the hub has not acknowledged, until it has, as a node does."""

        again_s = time.monotonic() + RESEND_S

        def done() -> bool:
            nonlocal again_s
            if self.acknowledged >= self.sequence - 1:
                return True
            if time.monotonic() >= again_s:
                again_s = time.monotonic() + RESEND_S
                for payload in self._outbox[self.acknowledged + 1 :]:
                    self._send(payload)
            return False

        until(done, f"the hub to acknowledge {self.node_id}")

    def _send(self, payload: bytes) -> None:
        # The client keeps the order; what the hub did not take is sent again by `committed`.
        self.client.publish(self._topic("events"), payload, qos=1)

    def pulse(self, *cameras: str, waiting: int = 0, ok: bool = True) -> None:
        """The node's health."""
        health = m.NodeHealth(
            boot_id=self._boot,
            t_s=time.monotonic(),
            cameras=tuple(
                m.CameraHealth(camera_id=name, ok=ok, last_frame_age_s=0.08, fps=14.9)
                for name in cameras
            ),
            outbox_waiting=waiting,
            cpu_share=0.41,
        )
        self.client.publish(self._topic("health"), encode(health)).wait_for_publish(DEADLINE_S)

    def stop(self) -> None:
        """Leaves the broker."""
        self.client.disconnect()
        self.client.loop_stop()

    def _topic(self, channel: str) -> str:
        return topic(channel, store_id=self._store_id, device_id=self.node_id)

    def _heard(self, client: mqtt.Client, _user: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/tiles"):
            self.tiles_wanted.add(m.SendTiles.model_validate_json(message.payload).camera_id)
            return
        if message.topic.endswith("/ack"):
            ack = m.HubAck.model_validate_json(message.payload)
            if ack.boot_id == self._boot:
                self.acknowledged = max(self.acknowledged, ack.upto_seq)
            return
        ping = m.ClockPing.model_validate_json(message.payload)
        pong = m.ClockPong(
            hub_us=ping.hub_us, boot_id=self._boot, device_us=round(time.monotonic() * 1e6)
        )
        client.publish(self._topic("pong"), encode(pong))


class Story:
    """What happens on the floor, told by both nodes of the demo store."""

    def __init__(self, store: Store) -> None:
        layout, files = store.layout, store.files
        self.layout = layout
        self._store = store
        self.shelf = ScriptedNode("node-shelf", layout.store_id, files)
        self.floor = ScriptedNode("node-floor", layout.store_id, files)
        self.now_s = store.told_until_s + BETWEEN_STORIES_S
        self.people: dict[str, tuple[float, float]] = {}
        self._reaches = 0
        self._prefix = f"x{time.monotonic_ns() % 10**9}"
        self.shelf.say(m.NodeBorn(software="test", config_revision=1))
        self.floor.say(m.NodeBorn(software="test", config_revision=1, floor=True))
        self.committed()

    def stop(self) -> None:
        """Both nodes leave."""
        self._store.told_until_s = self.now_s
        self.shelf.stop()
        self.floor.stop()

    def committed(self) -> None:
        """Waits until the hub has committed all of it, sending again what it lost."""
        self.shelf.committed()
        self.floor.committed()

    # ------------------------------------------------------------ people

    def enter(self, name: str, code: str) -> None:
        """Somebody comes in by the gate, shows a code, and the hub knows whose body it is.

        A story told of the past must not go on before that: its reaches would be old news by
        the time their visit is known.
        """
        self.people[name] = (1.0, 0.25)
        self._tell({name: "born"})
        self._tell({})
        self.floor.say(m.GateScanned(gate_id="gate-in", code=code, t_s=self.now_s))
        self.walk(name, 1.0, 1.2)
        self.committed()
        until(lambda: f"{self._prefix}-{name}" in self._bound(), f"{name} to be bound")

    def _bound(self) -> set[str]:
        """Tracks that the hub knows to be visits."""
        answer = httpx.get(f"{self._store.hub_url}/api/v1/staff/state", timeout=DEADLINE_S)
        visits = answer.raise_for_status().json()["visits"]
        inside = [row for row in visits if row["stage"] == "shopping"]
        return {body["track_id"] for row in inside for body in row["bodies"]}

    def walk(self, name: str, x_m: float, y_m: float) -> None:
        """In a straight line at an easy pace."""
        x0, y0 = self.people[name]
        steps = max(1, math.ceil(math.dist((x0, y0), (x_m, y_m)) / (1.3 * STEP_S)))
        for step in range(1, steps + 1):
            share = step / steps
            self.people[name] = (x0 + share * (x_m - x0), y0 + share * (y_m - y0))
            self._tell({})

    def leave(self, name: str) -> None:
        """Out over the exit line; both nodes have said all there was."""
        self.walk(name, 5.0, 1.2)
        self.walk(name, 5.0, 0.05)
        self._tell({name: "ended"})
        del self.people[name]
        for _ in range(8):
            self._tell({})
        self.watermark()
        self.committed()

    def watermark(self) -> None:
        """The shelf node has said everything up to now."""
        mark = m.Watermark(t_s=self.now_s, last_seq=self.shelf.sequence - 1)
        self.shelf.say(mark)

    def _tell(self, states: dict[str, Any]) -> None:
        self.now_s += STEP_S
        assert self.now_s < time.monotonic(), "the story overtook the clock"
        segments = tuple(
            m.TrackSegment(
                track_id=f"{self._prefix}-{name}",
                state=states.get(name, "alive"),
                points=(m.TrackPoint(t_s=self.now_s, x_m=x_m, y_m=y_m, sd_m=0.08),),
            )
            for name, (x_m, y_m) in self.people.items()
        )
        self.floor.say(m.FloorTracksMoved(t_s=self.now_s, segments=segments))

    # ------------------------------------------------------------ the shelf

    def take(
        self,
        name: str,
        slot_id: str,
        quantity: int = 1,
        *,
        unsure: bool = False,
        evidence: tuple[m.Evidence, ...] = (),
    ) -> str:
        """A hand takes something (or puts it back, below zero); unsure: it may be the neighbour."""
        slot = next(row for row in self.layout.slots if row.slot_id == slot_id)
        bay = next(row for row in self.layout.bays if row.bay_id == slot.bay_id)
        u_m = self._place_m(slot, unsure)
        self.walk(name, bay.origin_m[0] + u_m, bay.origin_m[1] - 0.5)
        self._reaches += 1
        reach_id = f"{self._prefix}-r{self._reaches}"
        t_in_s = self.now_s
        opened = m.ReachOpened(reach_id=reach_id, bay_id=bay.bay_id, t_s=t_in_s, u_m=u_m)
        self.shelf.say(opened)
        for _ in range(4):
            self._tell({})
        reach = self._reach(name, slot, bay, quantity, t_in_s, unsure)
        self.shelf.say(reach.model_copy(update={"reach_id": reach_id, "evidence": evidence}))
        for _ in range(6):
            self._tell({})
        self.watermark()
        self.committed()
        return reach_id

    def strip(self, jpeg: bytes) -> m.Evidence:
        """Evidence that this story's shelf node has: before, during and after in one picture."""
        return m.Evidence(
            evidence_id=f"{self._prefix}-{self._reaches + 1}",
            sha256=hashlib.sha256(jpeg).hexdigest(),
            media_type="image/jpeg",
            bytes=len(jpeg),
            expires_s=time.monotonic() + 3600.0,
        )

    @staticmethod
    def _place_m(slot: Slot, unsure: bool) -> float:
        """The middle of the slot, or its edge, where it may as well be the neighbour."""
        return slot.u1_m if unsure else 0.5 * (slot.u0_m + slot.u1_m)

    def _reach(
        self, name: str, slot: Slot, bay: Bay, quantity: int, t_in_s: float, unsure: bool
    ) -> m.ReachClosed:
        u_m, t_out_s = self._place_m(slot, unsure), self.now_s - 0.2
        board = next(row for row in bay.boards if row.board_id == slot.board_id)
        likely = (m.ProductLikelihood(gtin=slot.gtin, log_likelihood=0.0),)
        scores = m.ProductScores(top=likely, other=-6.0)
        x_m, y_m = self.people[name]
        hand = m.HandSeen(
            hand_id="hand-1",
            t_in_s=t_in_s,
            t_out_s=t_out_s,
            u_m=u_m,
            z_m=board.z_m + 0.12,
            sd_u_m=0.05,
            sd_z_m=0.06,
            body_x_m=x_m,
            body_y_m=y_m,
            body_sd_m=0.15,
            held_in=0.05 if quantity > 0 else 0.95,
            held_out=0.95 if quantity > 0 else 0.05,
            products=m.ProductScores() if unsure else scores,
        )
        best, worst = 0.0, -6.0
        change = m.FacingChange(
            board_id=slot.board_id,
            u0_m=u_m - 0.045,
            u1_m=u_m + 0.045,
            t_before_s=t_in_s,
            t_after_s=t_out_s + 0.1,
            action=m.ActionLikelihood(
                pick=best if quantity > 0 else worst,
                put_back=best if quantity < 0 else worst,
                nothing=worst,
            ),
            pieces=tuple(-4.0 * abs(count - abs(quantity)) for count in (1, 2, 3)),
            products=m.ProductScores() if unsure else scores,
        )
        return m.ReachClosed(
            reach_id="x",
            bay_id=bay.bay_id,
            t_open_s=t_in_s,
            t_close_s=self.now_s,
            u_m=u_m,
            sd_u_m=0.06,
            hands=(hand,),
            changes=(change,),
            grams=() if unsure else self._grams(slot, quantity, t_in_s, t_out_s),
            camera_ok=True,
            plates_ok=not unsure,
        )

    def _grams(
        self, slot: Slot, quantity: int, t_in_s: float, t_out_s: float
    ) -> tuple[m.GramStep, ...]:
        middle_m = 0.5 * (slot.u0_m + slot.u1_m)
        weight_g = self.layout.product(slot.gtin).weight_g
        near = min(
            (plate for plate in self.layout.plates if plate.board_id == slot.board_id),
            key=lambda plate: abs(0.5 * (plate.u0_m + plate.u1_m) - middle_m),
        )
        return (
            m.GramStep(
                plate_id=near.plate_id,
                t_start_s=t_in_s,
                t_end_s=t_out_s,
                delta_g=-weight_g * quantity,
                sd_g=1.0,
            ),
        )


class Store:
    """The processes of one store in one folder."""

    def __init__(self, folder: Path, store_file: Path = STORE) -> None:
        self.folder = folder
        self.told_until_s = time.monotonic() - PAST_S
        self.store_file, self.layout = store_file, load_store_file(store_file)
        self.hub_port, self.pages_port = free_port(), free_port()
        self.hub_url = f"http://127.0.0.1:{self.hub_port}"
        self.pages_url = f"http://127.0.0.1:{self.pages_port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        nodes = [node.node_id for node in self.layout.nodes]
        self.files = write_broker_files(
            folder / "broker", store_id=self.layout.store_id, node_ids=nodes, port=free_port()
        )
        self.run("broker", broker_command(self.files), {}, self.files.port)

    def run(self, name: str, command: list[str], env: dict[str, str], port: int) -> None:
        """Starts a process and waits until its port answers."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=log
            )
        ready = wait_for_port(port)

        def up() -> bool:
            status = self._processes[name].poll()
            words = (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]
            assert status is None, f"{name} ended with status {status}:\n{words}"
            return ready()

        until(up, f"{name} to listen")

    def start_hub(self, **settings: str) -> None:
        """The hub, on the same database every time."""
        env = {
            "STORE_FILE": str(self.store_file),
            "DATABASE_URL": f"sqlite:///{self.folder / 'hub.sqlite'}",
            "GATEWAY_FILE": str(self.folder / "gateway.sqlite"),
            "PORT": str(self.hub_port),
            "MQTT_PORT": str(self.files.port),
            "MQTT_USERNAME": "hub",
            "MQTT_PASSWORD": self.files.passwords["hub"],
            "NODE_TOKENS": f'{{"node-shelf": "{NODE_TOKEN}", "node-floor": "{NODE_TOKEN}"}}',
            **settings,
        }
        named = {f"SORTIE_HUB_{key}": value for key, value in env.items()}
        self.run("hub", [sys.executable, "-m", "hub.main"], named, self.hub_port)

    def start_pages(self, **settings: str) -> None:
        """The pages' process."""
        env = {"HUB_URL": self.hub_url, "PORT": str(self.pages_port), **settings}
        named = {f"SORTIE_PAGES_{key}": value for key, value in env.items()}
        self.run("pages", [sys.executable, "-m", "hub.pages.main"], named, self.pages_port)

    def end(self, name: str) -> None:
        """Stops one process."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)

    def close(self) -> None:
        """Stops all of them, the last first."""
        for name in reversed(list(self._processes)):
            self.end(name)

    def visit(self) -> dict[str, str]:
        """A visit as a phone opens it: token, visit_id, code."""
        answer = httpx.post(f"{self.hub_url}/api/v1/phones/visits", timeout=DEADLINE_S)
        answer.raise_for_status()
        opened: dict[str, str] = answer.json()
        return opened

    def phone(self, token: str) -> dict[str, Any]:
        """What that phone shows."""
        url = f"{self.hub_url}/api/v1/phones/me"
        answer = httpx.get(url, headers=bearing(token), timeout=DEADLINE_S)
        shown: dict[str, Any] = answer.raise_for_status().json()
        return shown

    def refund(self, visit_id: str, *, line: int, quantity: int) -> None:
        """Staff give something back, once the charge has gone through."""
        body = {
            "refund_id": f"{visit_id}-{line}",
            "visit_id": visit_id,
            "lines": [{"line": line, "quantity": quantity}],
        }
        url = f"{self.hub_url}/api/v1/staff/refunds"
        until(lambda: httpx.post(url, json=body).status_code == 200, "the refund to be taken")

    def send_evidence(self, evidence: m.Evidence, jpeg: bytes) -> None:
        """The shelf node sends a piece as soon as the hub has asked for it."""
        url = f"{self.hub_url}/api/v1/nodes/node-shelf/evidence/{evidence.evidence_id}"
        headers = {"Authorization": f"Bearer {NODE_TOKEN}"}
        until(
            lambda: httpx.put(url, content=jpeg, headers=headers).status_code == 204,
            "the hub to ask for evidence",
        )

    @staticmethod
    def picture(text: str) -> bytes:
        """A small JPEG with words on it, 320 by 180."""
        picture = Image.new("RGB", (320, 180), (58, 78, 70))
        ImageDraw.Draw(picture).text((20, 80), text, fill=(255, 255, 255))
        out = io.BytesIO()
        picture.save(out, "JPEG")
        return out.getvalue()

    def send_tile(self, device_id: str, camera_id: str, jpeg: bytes) -> int:
        """A node's picture; the status of the answer."""
        return httpx.put(
            f"{self.hub_url}/api/v1/nodes/{device_id}/tiles/{camera_id}",
            content=jpeg,
            headers={"Authorization": f"Bearer {NODE_TOKEN}"},
            timeout=DEADLINE_S,
        ).status_code


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Broker and hub for all tests of a file; a file that wants more starts it itself."""
    made = Store(tmp_path_factory.mktemp("store"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def story(store: Store) -> Iterator[Story]:
    """Nodes that were just born. Tests ask for it after the hub was started."""
    told = Story(store)
    yield told
    with contextlib.suppress(Exception):
        told.stop()
