"""Where webhooks may go: https, to public addresses; the rest only where a setting says so.

Somebody who may make webhooks must not reach what only the hub's machine can (other services, a
cloud's metadata). The name is resolved at each delivery, and the connection goes to the very
address that was judged: a name that changes its mind in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.webhooks.errors import AddressRefusedError

__all__ = ["Resolve", "Target", "check_url", "target_of"]

URL_CHARS_MAX = 500
Resolve = Callable[[str, int], list[str]]
"""Addresses of a host, as text; OSError if there are none."""


@dataclass(frozen=True, slots=True)
class Target:
    """A judged destination: the URL with the address in place of the name, and the name."""

    url: str
    host: str
    host_header: str


def resolve(host: str, port: int) -> list[str]:
    """As the system knows it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def check_url(url: str, *, private: bool) -> None:
    """AddressRefusedError for what can be seen to be wrong without asking anybody."""
    _parts(url, private=private)


def target_of(url: str, *, private: bool, resolve: Resolve = resolve) -> Target:
    """Where to connect to. AddressRefusedError if any address of the host is not public;
    OSError if there is none."""
    scheme, host, port, rest = _parts(url, private=private)
    addresses = resolve(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        if not private and not _public(address):
            raise AddressRefusedError(
                f"expected {host} to have public addresses only, it has another; "
                "SORTIE_HUB_WEBHOOKS_PRIVATE=true allows it"
            )
    chosen = addresses[0]
    shown = f"[{chosen}]" if ":" in chosen else chosen
    usual = port == {"https": 443, "http": 80}[scheme]
    name = f"[{host}]" if ":" in host else host
    return Target(f"{scheme}://{shown}:{port}{rest}", host, name if usual else f"{name}:{port}")


def _parts(url: str, *, private: bool) -> tuple[str, str, int, str]:
    if len(url) > URL_CHARS_MAX or any(ord(char) <= 32 or ord(char) > 126 for char in url):
        raise AddressRefusedError(
            f"expected an URL of at most {URL_CHARS_MAX} plain characters, got another"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefusedError("expected an URL such as https://example.org/hook") from error
    host = parts.hostname or ""
    allowed = ("https", "http") if private else ("https",)
    if parts.scheme not in allowed or not host:
        raise AddressRefusedError(f"expected an URL with {' or '.join(allowed)} and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefusedError("expected an URL without a user, password or fragment")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    if literal is not None and not private and not _public(host):
        raise AddressRefusedError("expected a public address, got a private one")
    rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or {"https": 443, "http": 80}[parts.scheme], rest


def _public(address: str) -> bool:
    """Whether anybody on the internet could reach it too."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour
        if inside is not None:
            return _public(str(inside))
        if found.teredo is not None or found in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return found.is_global and not found.is_multicast
