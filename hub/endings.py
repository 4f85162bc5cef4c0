"""What lets the hub or others in and ends by itself: certificates for the broker, API keys.

    endings(settings, store, now_s)      # {"certificate": 1_000_000.0, "key:0a1b…": 86_400.0}
    warned(found)                        # sentences about what ends within thirty days

Values are seconds from now, negative once it is over. Nobody is named: /readyz is open to all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

from hub.accounts.store import AccountStore
from hub.errors import StoreError
from hub.settings import HubSettings

__all__ = ["SOON_S", "endings", "warned"]

SOON_S = 30 * 86_400.0
DAY_S = 86_400.0
_WORDS = {
    "certificate": ("the hub's certificate for the broker", "make a new one with sortie devices"),
    "authority": ("the authority of the broker's certificate", "make the broker's folder anew"),
    "key": ("an API key", "make a new one at /people"),
}


def endings(settings: HubSettings, store: AccountStore, now_s: float) -> dict[str, float]:
    """What ends when, by a short name; what cannot be read is not in it: /readyz and /metrics
    are asked just when the database is away."""
    found = {}
    files = {"certificate": settings.mqtt_tls_cert, "authority": settings.mqtt_tls_ca}
    for name, path in files.items():
        ends_s = None if path is None else _ends_s(path)
        if ends_s is not None:
            found[name] = ends_s - now_s
    try:
        keys = store.all_keys()
    except StoreError:
        keys = []
    for key in keys:
        if key.expires_us is not None and key.revoked_us is None:
            found[f"key:{key.key_id}"] = key.expires_us / 1e6 - now_s
    return found


def warned(found: Mapping[str, float]) -> list[str]:
    """What ends soon or is over; a key that is over is refused already and no news."""
    told = []
    for name, left_s in sorted(found.items(), key=lambda item: item[1]):
        kind = name.partition(":")[0]
        if left_s > SOON_S or (kind == "key" and left_s <= 0.0):
            continue
        what, mend = _WORDS[kind]
        days = int(left_s // DAY_S)
        when = "is over" if left_s <= 0.0 else f"ends in {days} day{'' if days == 1 else 's'}"
        told.append(f"{what} {when}; {mend}")
    return told


def _ends_s(path: Path) -> float | None:
    """The end of the first certificate of a file, in seconds since 1970."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    return certificate.not_valid_after_utc.timestamp()
