"""The loopback door of a running store for the demo's page: commands in, what there is to see out.

    GET  /state?seat=NAME         what there is to see, with `mine`
    GET  /layout                  what does not move: floor, bays, products, devices
    GET  /clip?from=S&to=S        a stretch of pictures; seconds of the machine's monotonic clock
    POST /command                 {"seat": NAME, "tour": false, "command": {"act": ...}}

Every request carries the token as a bearer. Only the loopback interface is listened on. A command
waits for the world's thread, which answers all that wait between two ticks.
"""

from __future__ import annotations

import hmac
import json
import queue
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from contracts.store_file import StoreFile
from store_sim.errors import BadCommandError, PlayerError, SeatTakenError, SimulatorError
from store_sim.player_commands import Command, parse_command

__all__ = ["ControlServer", "HandOver", "layout_of"]

HOST = "127.0.0.1"
BODY_BYTES_MAX = 10_000
WAITING_MAX = 32
ANSWER_S = 3.0
SOCKET_S = 10.0
SEAT_MAX = 80

Answer = dict[str, Any]
Obey = Callable[[str, Command, bool], Answer]
"""(seat, command, tour) to an answer; PlayerError if it cannot be."""


class _Waiting:
    """A command on its way to the world's thread and back."""

    def __init__(self, seat: str, command: Command, tour: bool) -> None:
        self.seat = seat
        self.command = command
        self.tour = tour
        self.answer: Answer | PlayerError | None = None
        self.done = threading.Event()


class HandOver:
    """Brings commands to the world's thread and what it shows back; bounded both ways."""

    def __init__(self) -> None:
        self._commands: queue.Queue[_Waiting] = queue.Queue(WAITING_MAX)
        self._shown: tuple[Answer, str] | None = None

    def ask(self, seat: str, command: Command, *, tour: bool, wait_s: float = ANSWER_S) -> Answer:
        """Waits for the world's answer; PlayerError if it says no, is too slow or too full."""
        waiting = _Waiting(seat, command, tour)
        try:
            self._commands.put_nowait(waiting)
        except queue.Full as error:
            raise PlayerError("Too many commands at once. One after another, please.") from error
        if not waiting.done.wait(wait_s):
            raise PlayerError("The store is busy and has not answered yet. Try again in a moment.")
        answer = waiting.answer
        if isinstance(answer, PlayerError):
            raise answer
        return answer or {}

    def serve(self, obey: Obey) -> None:
        """Answers all that wait; on the world's thread."""
        for _ in range(WAITING_MAX):
            try:
                waiting = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                waiting.answer = obey(waiting.seat, waiting.command, waiting.tour)
            except PlayerError as error:
                waiting.answer = error
            waiting.done.set()

    def show(self, seen: Answer, holder: str) -> None:
        """What there is to see from now on, and whose avatar it is; on the world's thread."""
        self._shown = (seen, holder)

    def seen(self, seat: str) -> Answer:
        """What there is to see, with `mine`; PlayerError before the first look."""
        shown = self._shown
        if shown is None:
            raise PlayerError("The store has just begun. One moment.")
        seen, holder = shown
        return {**seen, "mine": bool(holder) and seat == holder}


def layout_of(store: StoreFile) -> Answer:
    """What does not move, as JSON values; lengths in metres."""
    return {
        "store": store.name,
        "currency": store.currency,
        "floor": store.floor.model_dump(mode="json"),
        "bays": [bay.model_dump(mode="json") for bay in store.bays],
        "gates": [gate.model_dump(mode="json") for gate in store.gates],
        "cameras": [
            {
                "camera_id": camera.camera_id,
                "role": camera.role,
                "bay_id": camera.bay_id,
                "position_m": list(camera.pose.position_m),
            }
            for camera in store.cameras
        ],
        "plates": [plate.model_dump(mode="json") for plate in store.plates],
        "slots": [slot.model_dump(mode="json") for slot in store.slots],
        "products": {
            product.gtin: {
                "name": product.name,
                "size": product.size_label,
                "price_minor": product.price_minor,
                "packaging": product.packaging.model_dump(mode="json"),
            }
            for product in store.products
        },
    }


class ControlServer:
    """Serves until closed, on threads of its own. `clip` gives pictures of a stretch of time."""

    def __init__(
        self,
        *,
        port: int,
        token: str,
        store: StoreFile,
        hand_over: HandOver,
        clip: Callable[[float, float], Answer],
    ) -> None:
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise SimulatorError(
                f"cannot listen on {HOST}:{port} ({error.strerror}); set SORTIE_SIM_CONTROL_PORT"
            ) from error
        self._server.token = token
        self._server.layout = layout_of(store)
        self._server.hand_over = hand_over
        self._server.clip = clip
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="control", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stops serving; closing twice is fine."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """What the handlers need."""

    daemon_threads = True
    token: str
    layout: Answer
    hand_over: HandOver
    clip: Callable[[float, float], Answer]


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    # One request a connection: a door that is shut is shut for everybody at once.
    protocol_version = "HTTP/1.0"
    timeout = SOCKET_S

    @property
    def _door(self) -> _Server:
        return cast(_Server, self.server)

    def do_GET(self) -> None:
        """Something to look at."""
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        if not self._may():
            return
        if url.path == "/state":
            self._try(lambda: self._door.hand_over.seen(asked.get("seat", [""])[0][:SEAT_MAX]))
        elif url.path == "/layout":
            self._say(200, self._door.layout)
        elif url.path == "/clip":
            self._try(lambda: self._door.clip(_seconds(asked, "from"), _seconds(asked, "to")))
        else:
            self._say(404, {"detail": "expected /state, /layout, /clip or /command"})

    def do_POST(self) -> None:
        """A command."""
        body = self._body()
        if body is None or not self._may():
            return
        if urlsplit(self.path).path != "/command":
            self._say(404, {"detail": "expected /command"})
            return
        self._try(lambda: self._obey(body))

    def _obey(self, body: bytes) -> Answer:
        try:
            document = json.loads(body)
        except ValueError as error:
            raise BadCommandError("expected a JSON object, got none") from error
        if not isinstance(document, dict):
            raise BadCommandError(f"expected a JSON object, got {type(document).__name__}")
        seat = document.get("seat")
        if not isinstance(seat, str) or not 1 <= len(seat) <= SEAT_MAX:
            raise BadCommandError(f"seat: expected 1 to {SEAT_MAX} characters, got {seat!r:.90}")
        command = parse_command(document.get("command"))
        return self._door.hand_over.ask(seat, command, tour=document.get("tour") is True)

    def _body(self) -> bytes | None:
        """What was sent; None if it is too much, which is said."""
        text = self.headers.get("content-length", "0")
        length = int(text) if text.isdecimal() else BODY_BYTES_MAX + 1
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            self._say(413, {"detail": f"expected at most {BODY_BYTES_MAX} bytes"})
            return None
        return self.rfile.read(length)

    def _may(self) -> bool:
        kind, _, given = self.headers.get("authorization", "").partition(" ")
        good = kind.lower() == "bearer" and hmac.compare_digest(
            given.encode(), self._door.token.encode()
        )
        if not good:
            self._say(401, {"detail": "expected the token of this store as a bearer"})
        return good

    def _try(self, answer: Callable[[], Answer]) -> None:
        try:
            self._say(200, answer())
        except BadCommandError as error:
            self._say(422, {"detail": str(error)})
        except SeatTakenError as error:
            self._say(423, {"detail": str(error)})
        except PlayerError as error:
            self._say(409, {"detail": str(error)})

    def _say(self, status: int, document: Answer) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "no-store")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the log is for what goes wrong."""


def _seconds(asked: dict[str, list[str]], name: str) -> float:
    text = asked.get(name, [""])[0]
    try:
        return float(text)
    except ValueError as error:
        raise BadCommandError(f"{name}: expected seconds, got {text!r}") from error
