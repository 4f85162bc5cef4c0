"""A task that runs as long as an application does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["alongside"]


@asynccontextmanager
async def alongside(
    run: Coroutine[Any, Any, None], close: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Runs a task meanwhile; at the end it is cancelled and waited for, then `close` is called."""
    task = asyncio.create_task(run)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await close()
