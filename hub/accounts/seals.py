"""Secrets that must be known to be checked, encrypted with a key that is not in the database.

    seals = load_seals(Path("hub.account-keys.json"))
    kept = seals.seal("anna", "JBSWY3DPEHPK3PXP…")      # 64 characters, for the database
    seals.opened("anna", kept)                          # "JBSWY3DPEHPK3PXP…"

The secrets of one-time passwords are 160 bits in base 32. Sealed they are AES-256-GCM under the
first key of the file, bound to the account's name: 12 bytes of nonce, 20 of the secret, 16 of tag,
in base64. That is twice as long as the plain text, which is how the two are told apart: what an
older hub left in the plain still works, and is sealed when it is next used. Other secrets of any
length are sealed by `wrap` and say so by their first letters.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import SettingsError
from hub.keyfile import beside

__all__ = ["Seals", "load_seals"]

KEY_BYTES, NONCE_BYTES = 32, 12
SEALED_LENGTH = 64
KEYS_MAX = 8
WRAPPED = "sealed:"


class Seals:
    """Keys: the first seals, all of them open, so that a key can be replaced."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not 0 < len(keys) <= KEYS_MAX or any(len(key) != KEY_BYTES for key in keys):
            raise SettingsError(f"expected 1 to {KEYS_MAX} account keys of {KEY_BYTES} bytes")
        self._keys = [AESGCM(key) for key in keys]

    @classmethod
    def fresh(cls) -> Seals:
        """One random key, for a database that ends with the process."""
        return cls([secrets.token_bytes(KEY_BYTES)])

    def seal(self, name: str, secret: str) -> str:
        """What to keep of an account's secret; ValueError if it is not 160 bits in base 32."""
        plain = base64.b32decode(secret)
        if len(plain) != 20:
            raise ValueError(f"expected a secret of 20 bytes, got {len(plain)}")
        return self._encrypted(plain, _bound(name))

    def opened(self, name: str, kept: str) -> str | None:
        """The secret; None if no key fits, because the key file was lost or the row is another
        account's."""
        if len(kept) != SEALED_LENGTH:
            return kept
        plain, _key = self._decrypted(kept, _bound(name))
        return None if plain is None else base64.b32encode(plain).decode()

    def stale(self, name: str, kept: str) -> bool:
        """Whether what is kept is plain, or sealed with a key that is not the first any more."""
        return len(kept) != SEALED_LENGTH or self._decrypted(kept, _bound(name))[1] != 0

    def wrap(self, bound: str, secret: str) -> str:
        """What to keep of any secret, good only where it is `bound` to."""
        return WRAPPED + self._encrypted(secret.encode(), bound.encode())

    def unwrap(self, bound: str, kept: str) -> str | None:
        """The secret; None if no key fits. What is not wrapped is the secret itself."""
        if not kept.startswith(WRAPPED):
            return kept
        plain, _key = self._decrypted(kept.removeprefix(WRAPPED), bound.encode())
        return None if plain is None else plain.decode()

    def loose(self, bound: str, kept: str) -> bool:
        """Whether what is kept is plain, or wrapped with a key that is not the first any more."""
        if not kept.startswith(WRAPPED):
            return True
        return self._decrypted(kept.removeprefix(WRAPPED), bound.encode())[1] > 0

    def _encrypted(self, plain: bytes, bound: bytes) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.b64encode(nonce + self._keys[0].encrypt(nonce, plain, bound)).decode()

    def _decrypted(self, kept: str, bound: bytes) -> tuple[bytes | None, int]:
        """What was sealed and by which key; None and -1 if no key fits."""
        raw = base64.b64decode(kept)
        for number, key in enumerate(self._keys):
            with suppress(InvalidTag):
                return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound), number
        return None, -1


def load_seals(path: Path) -> Seals:
    """The keys of a file, which is made if it is missing; only the hub's own user may read it.

    SettingsError if it cannot be read or written.
    """
    try:
        if not path.exists():
            _make(path)
        document = json.loads(path.read_text(encoding="utf-8"))
        return Seals([bytes.fromhex(key) for key in document["keys"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"expected a file of account keys at {path}, got {type(error).__name__}; put the copy "
            "back that was made of it, or move it away: a new one is made, and who has a second "
            "factor signs in with a recovery code or is given a new first password, and webhooks "
            "need new secrets"
        ) from error


def _bound(name: str) -> bytes:
    return f"sortie totp {name}".encode()


def _make(path: Path) -> None:
    """Two hubs that start at once make one file: the later one finds the name taken."""
    text = json.dumps({"keys": [secrets.token_hex(KEY_BYTES)]})
    with beside(path, text.encode()) as part, suppress(FileExistsError):
        os.link(part, path)
