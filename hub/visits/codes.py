"""Entry codes: short, signed, rotating, for one store, one visit and one entry.

    ring = KeyRing.fresh()
    code = make_code(ring, "tiny", EntryPass("v-0123456789abcdef0123", 0, until_s=35))
    judge(ring, "tiny", code).verdict            # "good"

A code is "SORTIE:" and 53 characters of base32, all in the QR code's alphanumeric alphabet (version
3 at error correction M). Its 33 bytes are: format and key number (4 bits each), 2 bytes of the
store id's SHA-256, the visit's 10 random bytes, the number of the entry, the second it ends (4
bytes), and the first 15 bytes of an HMAC-SHA256 over all of that and the whole store id. There is
one format and one algorithm: nothing in a code chooses how it is checked. The key never comes into
the core, the journal or the database; see docs/decisions/0007-entry-codes.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.errors import SettingsError
from hub.keyfile import beside
from hub.rules import Rules
from hub.visits.commands import Verdict

__all__ = [
    "BADGE_PREFIX",
    "CODE_PREFIX",
    "HASHED_PREFIX",
    "EntryPass",
    "Judged",
    "KeyRing",
    "claim_code",
    "claim_codes",
    "code_digest",
    "code_times",
    "is_signed",
    "judge",
    "load_keys",
    "make_code",
    "new_badge",
]

CODE_PREFIX = "SORTIE:"
"""Capitals and digits only: the QR code stays small and scans from far."""
BADGE_PREFIX = "SORTIE-STAFF:"
HASHED_PREFIX = "sha256:"
CODE_FORMAT = 1
BODY_BYTES, TAG_BYTES = 18, 15
TEXT_LENGTH = 53
KEYS_MAX = 16
KEY_BYTES = 32
KEY_AGE_S_MAX = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class EntryPass:
    """What a code says: the `entry`-th person of a visit may come in until `until_s`."""

    visit_id: str
    entry: int
    until_s: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a scanned code is worth; `entry_pass` only where the signature is good."""

    verdict: Verdict
    entry_pass: EntryPass | None = None


class KeyRing:
    """Keys by their number from 0 to 15, and which of them signs."""

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        if current not in keys or any(not 0 <= number < KEYS_MAX for number in keys):
            raise SettingsError(
                f"expected keys 0 to {KEYS_MAX - 1} with the current one, {current}"
            )
        if any(len(key) < KEY_BYTES for key in keys.values()):
            raise SettingsError(f"expected entry keys of at least {KEY_BYTES} bytes")
        self._keys = dict(keys)
        self.current = current

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current})"

    @classmethod
    def fresh(cls) -> KeyRing:
        """One random key, for a hub whose codes need not outlive it."""
        return cls({0: secrets.token_bytes(KEY_BYTES)}, 0)

    @classmethod
    def derived(cls, text: str) -> KeyRing:
        """A key that follows from a text, for simulated days that must repeat."""
        return cls({0: hashlib.sha256(f"entry key {text}".encode()).digest()}, 0)

    def key(self, number: int) -> bytes | None:
        """A key, None if there is none of that number (any more)."""
        return self._keys.get(number)

    def numbers(self) -> list[int]:
        """The numbers of all keys, the current one first."""
        return sorted(self._keys, key=lambda number: (number != self.current, number))

    def turned(self) -> KeyRing:
        """The ring with a new current key; the one before still judges, older ones are gone."""
        number = (self.current + 1) % KEYS_MAX
        kept = {self.current: self._keys[self.current]}
        return KeyRing({**kept, number: secrets.token_bytes(KEY_BYTES)}, number)

    def to_json(self, made_s: float) -> str:
        """The file that `load_keys` reads."""
        keys = {str(number): key.hex() for number, key in sorted(self._keys.items())}
        return json.dumps({"current": self.current, "made_s": made_s, "keys": keys})


def load_keys(path: Path, now_s: float) -> KeyRing:
    """The keys of a file, which is made if it is missing and turned every thirty days.

    Only the hub's own user may read it. SettingsError if it cannot be read or written.
    """
    try:
        if not path.exists():
            ring = KeyRing.fresh()
            _write(path, ring, now_s)
            return ring
        document = json.loads(path.read_text(encoding="utf-8"))
        keys = {int(number): bytes.fromhex(key) for number, key in document["keys"].items()}
        ring = KeyRing(keys, int(document["current"]))
        if now_s - float(document["made_s"]) > KEY_AGE_S_MAX:
            ring = ring.turned()
            _write(path, ring, now_s)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"expected a file of entry keys at {path}, got {type(error).__name__}; move it away "
            "and a new one is made (codes on phones are then refused for some seconds)"
        ) from error
    return ring


def make_code(ring: KeyRing, store_id: str, entry_pass: EntryPass) -> str:
    """The code that a phone shows; ValueError if the visit has no random bytes in its name."""
    visit = bytes.fromhex(entry_pass.visit_id.removeprefix("v-"))
    if len(visit) != 10:
        raise ValueError(f"expected a visit named v- and 20 digits, got {entry_pass.visit_id}")
    body = bytes(
        (
            CODE_FORMAT << 4 | ring.current,
            *_audience(store_id),
            *visit,
            entry_pass.entry,
            *entry_pass.until_s.to_bytes(4, "big"),
        )
    )
    key = ring.key(ring.current) or b""
    return CODE_PREFIX + _text(body + _tag(key, store_id, body))


def is_signed(code: str) -> bool:
    """Whether a code claims to be one of ours."""
    return code.startswith(CODE_PREFIX) and len(code) > len(CODE_PREFIX) + 20


def judge(ring: KeyRing, store_id: str, code: str) -> Judged:
    """What a signed code is worth. Whatever is not exactly as `make_code` writes it is forged."""
    text = code.removeprefix(CODE_PREFIX)
    if len(text) != TEXT_LENGTH:
        return Judged("forged")
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        # Letters beyond ASCII are no binascii.Error, which is one of these.
        return Judged("forged")
    body, tag = raw[:BODY_BYTES], raw[BODY_BYTES:]
    key = ring.key(body[0] & 0x0F)
    if _text(raw) != text or body[0] >> 4 != CODE_FORMAT:
        return Judged("forged")
    if body[1:3] != _audience(store_id):
        # Another store's key is not here, so that nobody can say more than whose it claims to be.
        return Judged("other_store")
    if key is None or not hmac.compare_digest(tag, _tag(key, store_id, body)):
        return Judged("forged")
    visit_id = "v-" + body[3:13].hex()
    return Judged("good", EntryPass(visit_id, body[13], int.from_bytes(body[14:18], "big")))


def code_times(rules: Rules, now_s: float) -> tuple[float, int]:
    """When a code that a phone shows now turns into another, and when it ends."""
    turns_s = (math.floor(now_s / rules.code_rotate_s) + 1) * rules.code_rotate_s
    return turns_s, math.ceil(turns_s + rules.code_overlap_s)


def code_digest(code: str) -> str:
    """The SHA-256 of a code, from the code or from what stands for it in a journal."""
    if code.startswith(HASHED_PREFIX):
        return code.removeprefix(HASHED_PREFIX)
    return hashlib.sha256(code.encode()).hexdigest()


def claim_code(ring: KeyRing, number: int, visit_id: str) -> str:
    """The token of a visit without a phone: who has it sees the cart and the receipt."""
    key = ring.key(number) or b""
    digest = hmac.new(key, f"claim {visit_id}".encode(), hashlib.sha256).digest()
    return _text(digest)[:20]


def claim_codes(ring: KeyRing, name: str) -> list[str]:
    """What `claim_code` gives under each key of a ring, the current one's first: what was made of
    the same name before the keys were turned is among them."""
    return [claim_code(ring, number, name) for number in ring.numbers()]


def new_badge() -> str:
    """A code for a staff badge, to be printed once; the hub keeps its SHA-256 only."""
    return BADGE_PREFIX + _text(secrets.token_bytes(20))


def _audience(store_id: str) -> bytes:
    return hashlib.sha256(store_id.encode()).digest()[:2]


def _tag(key: bytes, store_id: str, body: bytes) -> bytes:
    return hmac.new(key, body + store_id.encode(), hashlib.sha256).digest()[:TAG_BYTES]


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")


def _write(path: Path, ring: KeyRing, now_s: float) -> None:
    with beside(path, ring.to_json(now_s).encode()) as part:
        os.replace(part, path)
