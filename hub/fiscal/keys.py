"""The journal's key: Ed25519, in a file of its own that only the hub's user can read."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from hub.errors import FiscalError
from hub.keyfile import write_new

__all__ = ["FiscalKey", "load_key", "make_key", "valid_signature"]


class FiscalKey:
    """Signs entries; `public_key` is 64 hexadecimal characters."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw().hex()

    def sign(self, text: str) -> str:
        """The signature of a text."""
        return self._private.sign(text.encode()).hex()


def make_key(path: Path) -> FiscalKey:
    """Makes a key and writes it, readable by its owner only; FiscalError if the file exists."""
    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        write_new(path, data)
    except FileExistsError as error:
        raise FiscalError(
            f"expected a new file, {path} exists; to change a journal's key use `sortie hub "
            "fiscal change-key`"
        ) from error
    except OSError as error:
        raise FiscalError(f"expected a place to write the key to: {path}, {error.strerror}") from (
            error
        )
    return FiscalKey(private)


def load_key(path: Path) -> FiscalKey:
    """Reads a key; FiscalError if it is none, or if others may read it."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise FiscalError(f"expected {path} to be its owner's only; run: chmod 600 {path}")
        data = path.read_bytes()
    except OSError as error:
        raise FiscalError(
            f"expected the journal's key at {path}, {error.strerror}; `sortie hub fiscal init "
            "FILE` makes one"
        ) from error
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise FiscalError(f"expected an Ed25519 key in {path}, it cannot be read as one") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise FiscalError(f"expected an Ed25519 key in {path}, got {type(private).__name__}")
    return FiscalKey(private)


def valid_signature(public_key: str, text: str, signature: str) -> bool:
    """Whether a signature fits a text; False for anything that is no key or no signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True
