"""The hub's lock goes to whoever has waited longest."""

from __future__ import annotations

import threading
import time

from hub.turns import Turns

WAIT_S = 20.0


def _queued(turns: Turns, count: int) -> None:
    """Waits until so many stand in line."""
    deadline_s = time.monotonic() + WAIT_S
    while turns.waiting < count and time.monotonic() < deadline_s:
        time.sleep(0.001)
    assert turns.waiting == count


def test_waiters_get_it_in_the_order_in_which_they_came() -> None:
    turns = Turns()
    order: list[int] = []

    def take(number: int) -> None:
        with turns:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turns:
        for count, thread in enumerate(threads, 1):
            thread.start()
            _queued(turns, count)
    for thread in threads:
        thread.join(WAIT_S)
    assert order == [0, 1, 2, 3, 4]


def test_who_lets_go_and_comes_back_at_once_stands_behind_who_waits() -> None:
    turns = Turns()
    order: list[str] = []

    def take() -> None:
        with turns:
            order.append("waiter")

    for _ in range(50):
        order.clear()
        thread = threading.Thread(target=take)
        with turns:
            thread.start()
            _queued(turns, 1)
        with turns:
            order.append("owner")
        thread.join(WAIT_S)
        assert order == ["waiter", "owner"]


def test_its_owner_may_take_it_again_and_keeps_it_until_the_outermost_end() -> None:
    turns = Turns()
    order: list[str] = []

    def take() -> None:
        with turns:
            order.append("waiter")

    thread = threading.Thread(target=take)
    with turns:
        thread.start()
        _queued(turns, 1)
        with turns, turns:
            order.append("inside")
        order.append("after")
    thread.join(WAIT_S)
    assert order == ["inside", "after", "waiter"]
    with turns:
        order.append("free again")
    assert order[-1] == "free again"


def test_many_threads_never_hold_it_together() -> None:
    turns = Turns()
    inside = 0
    most = 0
    total = 0

    def work() -> None:
        nonlocal inside, most, total
        for _ in range(200):
            with turns:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                total += 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert (most, total, turns.waiting) == (1, 1200, 0)
