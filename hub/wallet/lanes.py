"""Questions on their way to the gateway: several at once, never two about one hold.

A gateway far away answers in a second or so, and twenty who leave together are not to wait for one
another; what is asked about one hold keeps its order. One that answers at once is asked by one
thread alone, which costs less than waking many.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from hub.wallet.gateway import GatewayRequest

__all__ = ["Lane"]

QUICK_S = 0.01
"""A gateway that usually answers within this is asked one question after the other."""
NEWEST_SHARE = 0.2
"""How much the newest answer counts in what is usual."""


class Lane:
    """What waits to be asked, in order. Safe from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._news = threading.Condition()
        self._waiting: OrderedDict[str, GatewayRequest] = OrderedDict()
        self._asked: dict[str, tuple[str, float]] = {}
        """By hold: the key that is asked about it right now, and since when."""
        self._usual_s = QUICK_S * 2

    @property
    def slow(self) -> bool:
        """Whether it is worth waking another who asks for what waits; else they come by and by."""
        return self._usual_s > QUICK_S

    def put(self, requests: Iterable[GatewayRequest]) -> None:
        """Lets questions wait for their turn; those that wait already, or are being asked, are
        left out."""
        with self._news:
            for request in requests:
                if self._asked.get(request.hold_key, ("", 0.0))[0] != request.key:
                    self._waiting.setdefault(request.key, request)
            self._news.notify()

    def take(self, wait_s: float) -> GatewayRequest | None:
        """The oldest question about a hold that nobody asks about now; None if there is none
        within `wait_s`. Whoever takes one says `done`."""
        with self._news:
            request = self._first()
            if request is None:
                self._news.wait(wait_s)
                request = self._first()
            if request is None:
                return None
            del self._waiting[request.key]
            self._asked[request.hold_key] = (request.key, self._clock())
            if self._waiting and self.slow:
                self._news.notify()
            return request

    def done(self, request: GatewayRequest) -> None:
        """It was answered, or there was no answer: the next one about its hold may be asked."""
        with self._news:
            _key, since_s = self._asked.pop(request.hold_key)
            self._usual_s += NEWEST_SHARE * (self._clock() - since_s - self._usual_s)

    def clear(self) -> list[GatewayRequest]:
        """Takes all that nobody has begun with."""
        with self._news:
            left = list(self._waiting.values())
            self._waiting.clear()
            return left

    def wake(self) -> None:
        """Lets everybody look again."""
        with self._news:
            self._news.notify_all()

    def _first(self) -> GatewayRequest | None:
        waiting = self._waiting.values()
        return next((one for one in waiting if one.hold_key not in self._asked), None)
