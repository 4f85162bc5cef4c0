"""What `sortie doctor` says of PostgreSQL, certificates and entry keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sortie import doctor
from sortie.certificates import Authority


def finding(subject: str) -> doctor.Finding:
    """One line of the report."""
    return next(check for check in doctor.examine() if check.subject == subject)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "_module", lambda name, _otherwise, _mend: doctor.Finding(name, "ok", "1")
    )
    for name in (*doctor.TLS_SETTINGS, "SORTIE_HUB_ENTRY_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_not_set_is_no_fault() -> None:
    assert finding("TLS files").state == "ok"
    assert finding("entry keys").state == "ok"


def test_postgresql_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor,
        "_module",
        lambda name, otherwise, mend: doctor.Finding(name, otherwise, "No module", mend),
    )
    found = finding("PostgreSQL")
    assert (found.state, found.mend) == ("limited", "make install")


@pytest.mark.parametrize(
    ("days", "state", "said"),
    [(200, "ok", "good for"), (10, "limited", "end in"), (-3, "missing", "days ago")],
)
def test_certificates_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, state: str, said: str
) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    authority.make("demo")
    certificate, key = authority.client("hub", days=days)
    for name, path in zip(
        doctor.TLS_SETTINGS, (authority.certificate, certificate, key), strict=True
    ):
        monkeypatch.setenv(name, str(path))
    found = finding("TLS files")
    assert (found.state, said in found.found) == (state, True), found
    key.chmod(0o644)
    assert finding("TLS files").mend == f"chmod 600 {key}"


def test_certificates_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.crt"
    monkeypatch.setenv("SORTIE_HUB_MQTT_TLS_CA", str(path))
    assert finding("TLS files").state == "missing"
    path.write_text("no certificate")
    assert finding("TLS files").state == "missing"


def test_entry_keys_are_for_the_hub_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    monkeypatch.setenv("SORTIE_HUB_ENTRY_KEYS_FILE", str(path))
    assert "will make" in finding("entry keys").found
    path.write_text("{}")
    path.chmod(0o644)
    assert finding("entry keys").mend == f"chmod 600 {path}"
    path.chmod(0o600)
    assert finding("entry keys").state == "ok"
