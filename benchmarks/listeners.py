"""Phones of a benchmark, in a process of their own: each opens a visit and reads its live cart."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Listeners", "Seen"]

ANSWER_S = 30.0
STREAM_BYTES = 1 << 20


@dataclass(slots=True)
class Seen:
    """What a phone showed and when, by the monotonic clock: GTIN to pieces whenever the cart
    changed, the receipt, and that it is paid."""

    carts: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    final_s: float | None = None
    paid_s: float | None = None

    def take(self, at_s: float, state: dict[str, Any]) -> None:
        """A new state came."""
        cart: dict[str, int] = {}
        for line in state["lines"]:
            cart[line["gtin"]] = cart.get(line["gtin"], 0) + line["quantity"]
        if not self.carts or self.carts[-1][1] != cart:
            self.carts.append((at_s, cart))
        if state["stage"] == "final" and self.final_s is None:
            self.final_s = at_s
        if self.paid_s is None and state["receipt"] is not None:
            owed = state["receipt"]["total_minor"] > 0 and not state["receipt"]["paid"]
            self.paid_s = None if owed else at_s


class Listeners:
    """All phones; `ask` has one more opened, `code` is what it shows at the gate."""

    def __init__(self, http: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(http, theirs), daemon=True)
        self._codes: dict[int, str] = {}

    def __enter__(self) -> Listeners:
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()

    def ask(self, number: int) -> None:
        """Has a phone open a visit and its stream."""
        self._pipe.send(number)

    def code(self, number: int) -> str:
        """The code that a phone shows; waits for it. RuntimeError if none comes."""
        while number not in self._codes:
            if not self._pipe.poll(ANSWER_S):
                raise RuntimeError(f"expected a visit for phone {number}, none was opened")
            which, code = self._pipe.recv()
            self._codes[which] = code
        return self._codes.pop(number)

    def close(self) -> dict[int, Seen]:
        """What all phones saw."""
        self._pipe.send(None)
        while True:
            found = self._pipe.recv()
            if isinstance(found, dict):
                return found


def _main(http: str, pipe: Connection) -> None:
    asyncio.run(_listen(http, pipe))


async def _listen(http: str, pipe: Connection) -> None:
    address = urlsplit(http)
    host, port = address.hostname or "", address.port or 80
    seen: dict[int, Seen] = {}
    tasks: set[asyncio.Task[None]] = set()
    done = asyncio.Event()

    def asked() -> None:
        while pipe.poll():
            number = pipe.recv()
            if number is None:
                done.set()
                return
            seen[number] = Seen()
            tasks.add(asyncio.create_task(_phone(host, port, number, seen[number], pipe)))

    asyncio.get_running_loop().add_reader(pipe.fileno(), asked)
    await done.wait()
    pipe.send(seen)
    # The other end ends this process when it has read everything.
    await asyncio.sleep(ANSWER_S)


async def _phone(host: str, port: int, number: int, seen: Seen, pipe: Connection) -> None:
    opened = await _opened(host, port)
    pipe.send((number, opened["code"]))
    reader, writer = await asyncio.open_connection(host, port, limit=STREAM_BYTES)
    head = f"Host: {host}:{port}\r\nAuthorization: Bearer {opened['token']}\r\n\r\n"
    writer.write(f"GET /api/v1/phones/me/events HTTP/1.1\r\n{head}".encode())
    while line := await reader.readline():
        if line.startswith(b"data: "):
            at_s = time.monotonic()
            seen.take(at_s, json.loads(line[6:]))


async def _opened(host: str, port: int) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection(host, port)
    head = f"Host: {host}:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    writer.write(f"POST /api/v1/phones/visits HTTP/1.1\r\n{head}".encode())
    answer = await reader.read()
    writer.close()
    status, _, rest = answer.partition(b"\r\n")
    if b" 201 " not in status:
        raise RuntimeError(f"expected a visit, got {status.decode()}")
    opened: dict[str, Any] = json.loads(rest.partition(b"\r\n\r\n")[2])
    return opened
