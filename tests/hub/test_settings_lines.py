"""A hub speaks TLS with a database and a broker on another machine, or does not start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.errors import SettingsError
from hub.settings import load_settings


def load(tmp_path: Path, url: str, *, plain: bool = False) -> str:
    path = tmp_path / "hub.yaml"
    values = {"store_file": "x.yaml", "database_url": url, "database_plain": plain}
    path.write_text(json.dumps(values))
    return load_settings(path).database_url


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///hub.sqlite",
        "postgresql+psycopg://hub@127.0.0.1/store",
        "postgresql+psycopg://hub:a-secret@localhost:5433/store",
        "postgresql+psycopg://hub@[::1]:5432/store",
        "postgresql+psycopg:///store?host=/run/postgresql",
        "postgresql+psycopg://hub@/store?host=/a&host=/b",
        "postgresql+psycopg://hub@db/store?sslmode=verify-full",
        "postgresql+psycopg://hub@a,b:5433/store?sslmode=verify-ca&sslrootcert=/ca.crt",
    ],
)
def test_what_nobody_can_listen_to_is_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, url) == url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql+psycopg://hub:a-secret@db.lan/store", "db.lan"),
        ("postgresql+psycopg://hub:a-secret@10.0.0.5:5433/store?sslmode=require", "10.0.0.5"),
        ("postgresql://hub:a-secret@db/store?sslmode=prefer", "db"),
        ("postgresql+psycopg://hub:a-secret@127.0.0.1:1,db:2/store", "db"),
        ("postgresql+psycopg://hub:a-secret@/store?host=db", "db"),
        ("postgresql+psycopg://hub:a-secret@[fd00::1]/store", "fd00::1"),
    ],
)
def test_a_hub_does_not_start_with_a_line_that_others_can_read(
    tmp_path: Path, url: str, host: str
) -> None:
    with pytest.raises(SettingsError, match="verify-full") as told:
        load(tmp_path, url)
    assert f"PostgreSQL at {host}," in str(told.value)
    assert "a-secret" not in str(told.value)
    assert load(tmp_path, url, plain=True) == url


def test_so_it_is_with_the_broker(tmp_path: Path) -> None:
    path = tmp_path / "hub.yaml"

    def load_with(**values: object) -> str:
        path.write_text(json.dumps({"store_file": "x.yaml", **values}))
        return load_settings(path).mqtt_host

    for fine in (
        {"mqtt_host": "localhost"},
        {"mqtt_host": "broker.lan", "mqtt_tls_ca": "ca.crt"},
        {"mqtt_host": "broker.lan", "mqtt_plain": True},
    ):
        assert load_with(**fine) == fine["mqtt_host"]
    with pytest.raises(SettingsError, match=r"broker\.lan.*MQTT_TLS_CA"):
        load_with(mqtt_host="broker.lan")


@pytest.mark.parametrize("how", ["file", "environment"])
def test_the_time_zone_stands_in_the_store_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "hub.yaml"
    said = {"time_zone": "Europe/Berlin"} if how == "file" else {}
    path.write_text(json.dumps({"store_file": "x.yaml", **said}))
    if how == "environment":
        monkeypatch.setenv("SORTIE_HUB_TIME_ZONE", "Europe/Berlin")
    with pytest.raises(SettingsError, match="store file"):
        load_settings(path)
