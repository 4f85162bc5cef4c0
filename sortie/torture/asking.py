"""Asks the hub for things, each until it is answered; much of it is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from hub.command import Command, Reply
from hub.errors import RejectedError
from sortie.torture.hubside import AwayError, HubSide

__all__ = ["Asking", "Asks"]

TWICE_SHARE = 0.5


class Asks(Protocol):
    """Asks for something until it is answered; `then` hears whether it was done."""

    def __call__(
        self,
        name: str,
        command: Command,
        *,
        once: bool = False,
        then: Callable[[bool], None] | None = None,
    ) -> bool: ...


@dataclass(slots=True)
class _Wish:
    """Something that was asked for. `once`: the same again must be told to be the same again.
    `then` hears whether it was done."""

    name: str
    command: Command
    once: bool
    then: Callable[[bool], None] | None = None


class Asking:
    """What was asked for and not answered yet; `told` counts what was done by name."""

    def __init__(self, random: Random, side: HubSide, *, told: Callable[[str], None]) -> None:
        self._random = random
        self._side = side
        self._told = told
        self._wishes: list[_Wish] = []

    @property
    def waiting(self) -> int:
        """What nobody has answered yet."""
        return len(self._wishes)

    def step(self) -> None:
        """Asks again what nobody answered."""
        for wish in list(self._wishes):
            self._say(wish)

    def ask(
        self,
        name: str,
        command: Command,
        *,
        once: bool = False,
        then: Callable[[bool], None] | None = None,
    ) -> bool:
        """Whether it was done at once."""
        wish = _Wish(name, command, once, then)
        self._wishes.append(wish)
        return self._say(wish)

    def _say(self, wish: _Wish) -> bool:
        try:
            reply = self._side.command(wish.command)
        except AwayError:
            return False
        except RejectedError:
            self._wishes.remove(wish)
            self._told(f"{wish.name}_refused")
            if wish.then is not None:
                wish.then(False)
            return False
        self._wishes.remove(wish)
        if wish.then is not None:
            wish.then(True)
        self._told(f"{wish.name}_repeated" if reply.repeated else wish.name)
        if wish.once and self._random.random() < TWICE_SHARE:
            self._again(wish)
        return True

    def _again(self, wish: _Wish) -> None:
        """The same once more: it is told to be the same, or refused as done."""
        try:
            again: Reply = self._side.command(wish.command)
        except (AwayError, RejectedError):
            return
        if not again.repeated:
            raise AssertionError(f"{wish.name} was done twice: {wish.command}")
        self._told(f"{wish.name}_twice")
