"""Tasks over the cores: processes that may die, and an end within a second when told to stop.

    with closing(in_parallel(work, tasks, jobs=4, died=told)) as results:
        for result in results: ...

At most `jobs` tasks are out at a time. When a process dies (killed for memory, a crash in native
code), the tasks that were out are tried again one by one, so that the one at fault is found and
the others are not lost.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["in_parallel"]

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    work: Callable[[T], R], tasks: Sequence[T], *, jobs: int, died: Callable[[T], R]
) -> Generator[R, None, None]:
    """Results in the order in which they are ready. `died(task)` makes the result of a task whose
    process died. One job works in this process; closing the generator stops the others."""
    if jobs <= 1:
        for task in tasks:
            yield work(task)
        return
    crew = _Crew(work, min(jobs, max(1, len(tasks))))
    waiting, suspects = deque(tasks), deque[T]()
    try:
        while waiting or suspects or crew.out:
            if suspects:
                # Alone now: if the process dies again, it was this one.
                crew.give(suspects.popleft())
                results, lost = crew.collect()
                yield from [*results, *(died(task) for task in lost)]
                continue
            while waiting and crew.has_room:
                crew.give(waiting.popleft())
            results, lost = crew.collect()
            suspects.extend(lost)
            yield from results
    finally:
        crew.stop()


class _Crew(Generic[T, R]):
    """Worker processes; a new set when one of them has died."""

    def __init__(self, work: Callable[[T], R], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._strangers = {child.pid for child in multiprocessing.active_children()}
        self.out: dict[Future[R], T] = {}

    @property
    def has_room(self) -> bool:
        """Whether another task may go out."""
        return len(self.out) < self._jobs

    def give(self, task: T) -> None:
        """Hands a task to a worker."""
        if self._pool is None:
            # Fork would copy the threads of numeric libraries half.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._jobs, mp_context=context)
        with _deaf_children():
            self.out[self._pool.submit(self._work, task)] = task

    def collect(self) -> tuple[list[R], list[T]]:
        """Waits for a worker: results that are ready, and tasks that were out when one died."""
        done, _ = wait(self.out, return_when=FIRST_COMPLETED)
        results, lost = [], []
        for future in done:
            task = self.out.pop(future)
            try:
                results.append(future.result())
            except BrokenProcessPool:
                lost.append(task)
        if lost:
            lost.extend(self.out.values())
            self.stop()
        return results, lost

    def stop(self) -> None:
        """Ends all workers now; nothing they were at is waited for."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child.pid not in self._strangers:
                child.terminate()
        self._pool = None
        self.out.clear()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started here do not hear Ctrl-C: whoever started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
