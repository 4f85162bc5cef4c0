"""Server-sent events: a state is sent when it changed, at most ten times a second.

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
HEARTBEAT_S = 10.0
STILL_S = 5.0
"""So long a stream may outlive the session it was asked with."""
Still = Callable[[], bool]


@dataclass(slots=True)
class _Turn:
    """In how many seconds a stream's state changes by itself."""

    in_s: float = math.inf


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
    ) -> StreamingResponse:
        """Sends what `read` returns whenever it differs from what was sent last. `turns_s` says in
        how many seconds a state becomes another one without anything happening; whoever asked gets
        it for as long as they `still` may."""
        return self._response(self._states(read, event, turns_s, still))

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
        return StreamingResponse(
            self._counted(chunks), media_type="text/event-stream", headers=headers
        )

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
    ) -> AsyncIterator[str]:
        sent = ""
        turn = _Turn()
        async for changed in self._changes(still, turn):
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
        async for changed in self._changes(still):
            if not changed:
                yield ": still here\n\n"
                continue
            for row in await run_in_threadpool(read, after):
                after = row["number"]
                yield f"id: {after}\nevent: log\ndata: {json.dumps(row)}\n\n"

    async def _changes(self, still: Still, turn: _Turn | None = None) -> AsyncIterator[bool]:
        """True when something may have changed, False when a sign of life is due."""
        seen = -1
        quiet_s = 0.0
        asked_s = 0.0
        while not self.ended():
            if asked_s >= STILL_S:
                asked_s = 0.0
                if not await run_in_threadpool(still):
                    return
            version = self._version()
            if version != seen or (turn is not None and turn.in_s <= 0.0):
                seen = version
                quiet_s = 0.0
                yield True
            elif quiet_s >= HEARTBEAT_S:
                quiet_s = 0.0
                yield False
            await asyncio.sleep(POLL_S)
            quiet_s += POLL_S
            if turn is not None:
                turn.in_s -= POLL_S
            asked_s += POLL_S
