"""The store's own certificate authority: a root, the broker's certificate, and one a client.

Everything is made here, for machines that know each other; no name is registered anywhere. Keys
are elliptic (P-256), written readable by their owner alone, and replaced in one step, so that a
reader never sees half a file.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sortie.errors import UsageError

__all__ = ["Authority", "expires", "write_private"]

CA_DAYS = 3_650
LEAF_DAYS = 398
BEFORE = timedelta(minutes=5)
"""Clocks of a store's machines differ a little."""


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def expires(path: Path) -> datetime:
    """When a certificate ends. UsageError if it is none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise UsageError(f"expected a certificate at {path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Authority:
    """The root in a folder: `ca.key` and `ca.crt`. `now` is given."""

    folder: Path
    now: datetime

    @property
    def certificate(self) -> Path:
        """What every client trusts."""
        return self.folder / "ca.crt"

    @property
    def _key(self) -> Path:
        return self.folder / "ca.key"

    def make(self, store_id: str) -> None:
        """A new root, if there is none."""
        if self._key.exists() and self.certificate.exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Sortie {store_id}")
        builder = (
            self._begun(name, name, key, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
        )
        write_private(self._key, _pem(key))
        write_private(self.certificate, _text(builder.sign(key, hashes.SHA256())))

    def server(self, names: Sequence[str], *, days: int = LEAF_DAYS) -> None:
        """A new key and certificate of the broker: `server.key`, `server.crt`."""
        self._leaf("server", names[0], ExtendedKeyUsageOID.SERVER_AUTH, names, days)

    def client(self, name: str, *, days: int = LEAF_DAYS) -> tuple[Path, Path]:
        """A new certificate and key of one client, in `clients`."""
        (self.folder / "clients").mkdir(mode=0o700, exist_ok=True)
        stem = f"clients/{name}"
        self._leaf(stem, name, ExtendedKeyUsageOID.CLIENT_AUTH, (), days)
        return self.folder / f"{stem}.crt", self.folder / f"{stem}.key"

    def _leaf(
        self, stem: str, common: str, use: x509.ObjectIdentifier, names: Sequence[str], days: int
    ) -> None:
        issuer = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self._key.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise UsageError(f"expected an elliptic key at {self._key}; make the folder anew")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._begun(_name(common), issuer.subject, key, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative(one) for one in names]), critical=False
            )
        write_private(self.folder / f"{stem}.key", _pem(key))
        signed = builder.sign(signer, hashes.SHA256())
        write_private(self.folder / f"{stem}.crt", _text(signed))

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        """What all certificates say; one with negative `days` is over already."""
        end = self.now + timedelta(days=days)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(self.now, end) - BEFORE)
            .not_valid_after(end)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _text(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
