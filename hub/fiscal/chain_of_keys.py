"""Which key signs which entries of a fiscal journal, and how one key hands over to the next.

The first entry names the first key. A technical entry `key_changed`, signed by the key in force,
names the next one; every entry after it is signed by that. The new key proves that somebody has it
by a signature of its own over both keys:

    {"what": "key_changed", "public_key": NEW, "fingerprint": F, "proof": S, "reason": …}

F is the SHA-256 of the key's 32 bytes, S the new key's signature over "fiscal key OLD to NEW". A
hand-over that the key in force did not sign, or whose proof does not fit, is not followed: what
comes after it is of the wrong key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from hub.fiscal.model import Entry, Signer

__all__ = [
    "KEY_CHANGED",
    "KeyChain",
    "fingerprint",
    "handover",
    "names_key",
]

KEY_CHANGED, OPENED = "key_changed", "opened"
Valid = Callable[[str, str, str], bool]


def fingerprint(public_key: str) -> str:
    """SHA-256 of a public key, in hexadecimal; of "" where it is no key.

    >>> fingerprint("ab" * 32)[:12]
    '43dc8a5b0ec5'
    """
    try:
        return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()
    except ValueError:
        return hashlib.sha256().hexdigest()


def handover(old: str, new: Signer, reason: str) -> dict[str, Any]:
    """The body of the entry in which the key `old` hands over to a new one."""
    return {
        "what": KEY_CHANGED,
        "public_key": new.public_key,
        "fingerprint": fingerprint(new.public_key),
        "proof": new.sign(_words(old, new.public_key)),
        "reason": reason,
    }


def names_key(entry: Entry) -> bool:
    """Whether an entry names a key: the first one, or a hand-over."""
    return entry.kind == "technical" and entry.body.get("what") in (OPENED, KEY_CHANGED)


class KeyChain:
    """The key in force, as entries are followed in their order. `keys` are all of them so far, the
    first one first."""

    def __init__(self, valid: Valid, keys: Iterable[str] = ()) -> None:
        self._valid = valid
        self.keys = list(keys)

    @property
    def key(self) -> str:
        """The key in force; empty before the first."""
        return self.keys[-1] if self.keys else ""

    def begin(self, entry: Entry) -> None:
        """Before the first entry is followed: it names the key that it is signed with."""
        if not self.keys and entry.number == 1:
            self.keys.append(str(entry.body.get("public_key", "")))

    def follow(self, entry: Entry) -> tuple[str, ...]:
        """After an entry was followed: the next key, if it hands over to one. What is wrong with
        that, a sentence each."""
        if entry.kind != "technical" or entry.body.get("what") != KEY_CHANGED:
            return ()
        where = f"entry {entry.number} ({entry.source})"
        new = str(entry.body.get("public_key", ""))
        if not self._valid(self.key, entry.hash, entry.signature):
            return (f"{where}: hands over to another key without the signature of the one before",)
        if not self._valid(new, _words(self.key, new), str(entry.body.get("proof", ""))):
            return (f"{where}: nobody has proved to have the key that it names",)
        self.keys.append(new)
        if entry.body.get("fingerprint") != fingerprint(new):
            return (f"{where}: its fingerprint is of another key",)
        return ()


def _words(old: str, new: str) -> str:
    return f"fiscal key {old} to {new}"
