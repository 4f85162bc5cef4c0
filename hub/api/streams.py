"""Server-sent events: a state is sent when it changed, at most ten times a second, that of one
visit at most twenty times.

Each stream is an async generator of text chunks; a comment every few seconds keeps proxies and
phones from giving up. When a client goes away the framework closes its generator.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

__all__ = ["STREAMS_MAX", "EventStream", "Streams"]

STREAMS_MAX = 500
POLL_S = 0.1
POLL_OWN_S = 0.05
"""Where a stream watches one thing only, so that looking costs next to nothing."""
HEARTBEAT_S = 10.0
STILL_S = 5.0
"""So long a stream may outlive the session it was asked with."""
AGAIN_S = 5.0
"""Who watches one thing only looks again so often while others change: what a moment makes of it,
as an opening hour does, is in nobody's version."""
Still = Callable[[], bool]


@dataclass(slots=True)
class _Turn:
    """In how many seconds a stream's state changes by itself; how long ago it was read, and what
    had happened in the whole hub by then."""

    in_s: float = math.inf
    read_s: float = 0.0
    whole: int = -1

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


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


class Streams:
    """Counts open streams and refuses more than STREAMS_MAX."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self.open = 0
        self.ended: Callable[[], bool] = lambda: False
        """Every stream ends when this says so: the process is about to stop."""

    def states(
        self,
        read: Callable[[], dict[str, Any]],
        *,
        event: str,
        turns_s: Callable[[dict[str, Any]], float] = lambda _state: math.inf,
        still: Still = lambda: True,
        version: Callable[[], int] | None = None,
    ) -> StreamingResponse:
        """Sends what `read` returns whenever it differs from what was sent last. `turns_s` says in
        how many seconds a state becomes another one without anything happening; whoever asked gets
        it for as long as they `still` may. `version` rises when what `read` looks at changes, the
        whole hub's if it is not given."""
        return self._response(self._states(read, event, turns_s, still, version or self._version))

    def feed(
        self,
        read: Callable[[int], list[dict[str, Any]]],
        after: int,
        *,
        still: Still = lambda: True,
    ) -> StreamingResponse:
        """Sends rows that have a `number`, each once, from `after` on."""
        return self._response(self._feed(read, after, still))

    def _response(self, chunks: AsyncIterator[str]) -> StreamingResponse:
        if self.open >= STREAMS_MAX:
            raise HTTPException(503, f"expected fewer than {STREAMS_MAX} open streams")
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
    ) -> AsyncIterator[str]:
        sent = ""
        turn = _Turn()
        async for changed in self._changes(still, version, turn):
            if not changed:
                yield ": still here\n\n"
                continue
            state = await run_in_threadpool(read)
            turn.in_s = turns_s(state)
            text = json.dumps(state)
            if text != sent:
                sent = text
                yield f"event: {event}\ndata: {text}\n\n"

    async def _feed(
        self, read: Callable[[int], list[dict[str, Any]]], after: int, still: Still
    ) -> AsyncIterator[str]:
        async for changed in self._changes(still, self._version, _Turn()):
            if not changed:
                yield ": still here\n\n"
                continue
            for row in await run_in_threadpool(read, after):
                after = row["number"]
                yield f"id: {after}\nevent: log\ndata: {json.dumps(row)}\n\n"

    async def _changes(
        self, still: Still, watched: Callable[[], int], turn: _Turn
    ) -> AsyncIterator[bool]:
        """True when something may have changed, False when a sign of life is due."""
        poll_s = POLL_S if watched is self._version else POLL_OWN_S
        seen = -1
        quiet_s = 0.0
        asked_s = 0.0
        while not self.ended():
            if asked_s >= STILL_S:
                asked_s = 0.0
                if not await run_in_threadpool(still):
                    return
            version, whole = watched(), self._version()
            if version != seen or turn.due(whole):
                seen = version
                turn.read(whole)
                quiet_s = 0.0
                yield True
            elif quiet_s >= HEARTBEAT_S:
                quiet_s = 0.0
                yield False
            await asyncio.sleep(poll_s)
            quiet_s += poll_s
            turn.passed(poll_s)
            asked_s += poll_s
