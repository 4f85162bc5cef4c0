"""The words of one line of a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from store_sim.errors import ScenarioError
from store_sim.scenarios.casting import Part

__all__ = ["Words"]


class Words:
    """The words of one line, one after another; `where` is "file:line"."""

    def __init__(self, where: str, words: Sequence[str]) -> None:
        self.where = where
        self._words = tuple(words)
        self._used: set[int] = set()
        self._at = 0

    @property
    def left(self) -> int:
        """How many words are left, NAME=VALUE ones apart."""
        return sum(1 for k in range(self._at, len(self._words)) if k not in self._used)

    def fail(self, reason: str) -> NoReturn:
        """Refuses the line."""
        raise ScenarioError(f"{self.where}: {reason}")

    def restart(self) -> None:
        """Reads the line from its beginning again."""
        self._at = 0
        self._used.clear()

    def back(self) -> None:
        """Unreads the last word."""
        self._at -= 1

    def peek(self) -> str | None:
        """The next word, None at the end."""
        self._skip()
        return self._words[self._at] if self._at < len(self._words) else None

    def next(self, what: str) -> str:
        """The next word; `what` says in the message what is missing."""
        self._skip()
        if self._at >= len(self._words):
            self.fail(f"expected {what} at the end of the line, got nothing")
        self._at += 1
        return self._words[self._at - 1]

    def end(self) -> None:
        """Refuses words that nobody asked for."""
        if self.peek() is not None:
            self.fail(f"expected the end of the line, got {self.peek()!r}")

    def until(self, sign: str) -> list[str]:
        """The words before a sign, which is eaten too."""
        found = []
        while (word := self.next(sign)) != sign:
            found.append(word)
        if not found:
            self.fail(f"expected names before {sign!r}, got none")
        return found

    def one_of(self, what: str, known: Sequence[str]) -> str:
        """The next word, one of those known."""
        word = self.next(what)
        if word not in known:
            self.fail(f"expected {what}, one of {', '.join(known)}; got {word!r}")
        return word

    def number(self, what: str) -> float:
        """The next word as a number from 0 on."""
        return self._number(what, self.next(what))

    def whole(self, what: str, low: int, high: int) -> int:
        """The next word as a whole number in a range."""
        return self._whole(what, self.next(what), low, high)

    def optional(self, what: str, default: float) -> float:
        """The next word as a number, or the default at the end of the line."""
        return default if self.peek() is None else self.number(what)

    def named(self, name: str) -> str | None:
        """The value of NAME=VALUE anywhere on the line."""
        for k, word in enumerate(self._words):
            if word.startswith(name + "=") and k not in self._used:
                self._used.add(k)
                return word.partition("=")[2]
        return None

    def named_number(self, name: str, default: float | None) -> float | None:
        """NAME=VALUE as a number."""
        value = self.named(name)
        return default if value is None else self._number(name, value)

    def named_whole(self, name: str, default: int, low: int, high: int) -> int:
        """NAME=VALUE as a whole number."""
        value = self.named(name)
        return default if value is None else self._whole(name, value, low, high)

    def mentions(self, word: str, after: str) -> bool:
        """Whether the two words stand side by side on the line."""
        return any(self._words[k : k + 2] == (word, after) for k in range(len(self._words) - 1))

    def part(self, parts: Mapping[str, Part]) -> Part:
        """The next word as a part that was cast."""
        word = self.next("a part")
        found = parts.get(word)
        if found is None:
            self.fail(f"expected a part ({', '.join(parts) or 'none is cast'}), got {word!r}")
        return found

    def place(self, places: Mapping[str, int]) -> int:
        """The next word as a shopper's place."""
        word = self.next("a shopper")
        if word not in places:
            self.fail(f"expected a shopper ({', '.join(places)}), got {word!r}")
        return places[word]

    def _skip(self) -> None:
        while self._at in self._used:
            self._at += 1

    def _number(self, what: str, word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1e9:
            self.fail(f"expected {what} as a number from 0 on, got {word!r}")
        return value

    def _whole(self, what: str, word: str, low: int, high: int) -> int:
        if not word.isdigit() or not low <= int(word) <= high:
            self.fail(f"expected {what} as a whole number from {low} to {high}, got {word!r}")
        return int(word)
