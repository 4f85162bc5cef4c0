"""Server-sent events: a state is sent when it changed, at most ten times a second, that of one
visit at most twenty times, and then as soon as it did.

Each stream is an async generator of text chunks; a comment every few seconds keeps proxies and
phones from giving up. When a client goes away the framework closes its generator.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from hub.live import FEED_MAX

__all__ = ["AT_WALL_S", "PHONES_MAX", "STREAMS_MAX", "EventStream", "Still", "Streams"]

STREAMS_MAX = 500
PHONES_MAX = 400
"""Of them for whom anybody may be: staff, kiosks and displays always find room."""
POLL_S = 0.1
PAUSE_OWN_S = 0.05
"""Two states of a stream that watches one thing only are at least so far apart."""
POLL_OWN_S = 0.5
"""So often such a stream looks by itself; when something happens it is woken."""
HEARTBEAT_S = 10.0
"""So often a stream without news gives a sign of life."""
AT_WALL_S = 2.0
"""The same where somebody acts on what a stream said last: whoever hears nothing must doubt it."""
STILL_S = 5.0
"""So long a stream may outlive the session it was asked with."""
AGAIN_S = 5.0
"""Who watches one thing only looks again so often while others change: what a moment makes of it,
as an opening hour does, is in nobody's version."""
Still = Callable[[], bool]


@dataclass(slots=True)
class _Turn:
    """In how many seconds a stream's state changes by itself; how long ago it was read, and what
    had happened in the whole hub by then; how long ago anything was sent, and may have been."""

    in_s: float = math.inf
    read_s: float = 0.0
    whole: int = -1
    quiet_s: float = 0.0
    beat_s: float = HEARTBEAT_S

    def read(self, whole: int) -> None:
        """It is about to be read."""
        self.read_s, self.whole = 0.0, whole

    def due(self, whole: int) -> bool:
        """Whether it must be read although what it watches did not change."""
        return self.in_s <= 0.0 or (self.read_s >= AGAIN_S and whole != self.whole)

    def passed(self, seconds: float) -> None:
        """Time went by."""
        self.in_s -= seconds
        self.read_s += seconds
        self.quiet_s += seconds


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


class Streams:
    """Counts open streams and refuses more than STREAMS_MAX."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._waiting: dict[asyncio.Future[None], tuple[Callable[[], int], int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.open = 0
        self.ended: Callable[[], bool] = lambda: False
        """Every stream ends when this says so: the process is about to stop."""

    def news(self) -> None:
        """Something happened: streams whose own version rose are woken. Safe from any thread."""
        loop = self._loop
        if loop is not None and self._waiting:
            # The process may be about to end, and its loop with it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiting, (watched, seen) in self._waiting.items():
            if not waiting.done() and watched() != seen:
                waiting.set_result(None)

    async def _pause(self, most_s: float, watched: Callable[[], int], seen: int) -> float:
        """Waits until a version is not what was seen, or at most so long; seconds that passed."""
        loop = self._loop = asyncio.get_running_loop()
        began_s = loop.time()
        waiting: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(most_s, _let_go, waiting)
        self._waiting[waiting] = (watched, seen)
        try:
            await waiting
        finally:
            timer.cancel()
            del self._waiting[waiting]
        return loop.time() - began_s

    def states(
        self,
        read: Callable[[], dict[str, Any]],
        *,
        event: str,
        turns_s: Callable[[dict[str, Any]], float] = lambda _state: math.inf,
        still: Still = lambda: True,
        version: Callable[[], int] | None = None,
        beat_s: float = HEARTBEAT_S,
        most: int = STREAMS_MAX,
    ) -> StreamingResponse:
        """Sends what `read` returns whenever it differs from what was sent last. `turns_s` says in
        how many seconds a state becomes another one without anything happening; whoever asked gets
        it for as long as they `still` may. `version` rises when what `read` looks at changes, the
        whole hub's if it is not given. `beat_s`: so long nothing may be said. `most`: with
        so many streams open, of whatever kind, this one is refused."""
        turn = _Turn(beat_s=beat_s)
        states = self._states(read, event, turns_s, still, version or self._version, turn)
        return self._response(states, most)

    def feed(
        self,
        read: Callable[[int], list[dict[str, Any]]],
        after: int,
        *,
        still: Still = lambda: True,
    ) -> StreamingResponse:
        """Sends rows that have a `number`, each once, from `after` on; `read` gives FEED_MAX at
        most."""
        return self._response(self._feed(read, after, still), STREAMS_MAX)

    def _response(self, chunks: AsyncIterator[str], most: int) -> StreamingResponse:
        if self.open >= most:
            raise HTTPException(503, f"expected fewer than {most} open streams")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventStream(self._counted(chunks), headers=headers)

    async def _counted(self, chunks: AsyncIterator[str]) -> AsyncIterator[str]:
        self.open += 1
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            self.open -= 1

    async def _states(
        self,
        read: Callable[[], dict[str, Any]],
        event: str,
        turns_s: Callable[[dict[str, Any]], float],
        still: Still,
        version: Callable[[], int],
        turn: _Turn,
    ) -> AsyncIterator[str]:
        sent = ""
        async for changed in self._changes(still, version, turn):
            if not changed:
                yield ": still here\n\n"
                continue
            state = await run_in_threadpool(read)
            turn.in_s = turns_s(state)
            text = json.dumps(state)
            if text != sent:
                sent, turn.quiet_s = text, 0.0
                yield f"event: {event}\ndata: {text}\n\n"

    async def _feed(
        self, read: Callable[[int], list[dict[str, Any]]], after: int, still: Still
    ) -> AsyncIterator[str]:
        turn = _Turn()
        async for changed in self._changes(still, self._version, turn):
            if not changed:
                yield ": still here\n\n"
                continue
            more = True
            while more:
                rows = await run_in_threadpool(read, after)
                for row in rows:
                    after, turn.quiet_s = row["number"], 0.0
                    yield f"id: {after}\nevent: log\ndata: {json.dumps(row)}\n\n"
                # As many as are given at once: others wait behind them.
                more = len(rows) >= FEED_MAX

    async def _changes(
        self, still: Still, watched: Callable[[], int], turn: _Turn
    ) -> AsyncIterator[bool]:
        """True when something may have changed, False when a sign of life is due."""
        own = watched is not self._version
        seen = -1
        asked_s = 0.0
        while not self.ended():
            if asked_s >= STILL_S:
                asked_s = 0.0
                if not await run_in_threadpool(still):
                    return
            version, whole = watched(), self._version()
            told = version != seen or turn.due(whole)
            if told:
                seen = version
                turn.read(whole)
                yield True
            # What was looked at and found as it was is no sign of life to whoever waits.
            if turn.quiet_s >= turn.beat_s:
                turn.quiet_s = 0.0
                yield False
            if own and not told:
                most_s = min(POLL_OWN_S, max(turn.in_s, PAUSE_OWN_S))
                passed_s = await self._pause(most_s, watched, seen)
            else:
                passed_s = PAUSE_OWN_S if own else POLL_S
                await asyncio.sleep(passed_s)
            turn.passed(passed_s)
            asked_s += passed_s


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
