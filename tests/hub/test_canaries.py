"""Canaries: names, cards, codes, tokens and passwords are planted at every entrance of a real hub.

None of them is in the logs or the export; secrets are nowhere in the database; what is personal
there is gone from the very bytes of its file when its time is up.
"""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from hub.attribution.engine import Engine
from hub.logs import configure_logs, redact, scrubbed
from hub.retention.offline import retain_offline
from hub.rules import Rules
from sortie.broker import broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port
from tests.hub.bearing import bearing
from tests.hub.process_kit import DEADLINE_S, Process, Wire, environment_of, until

PAYER = "canary.ada.lovelace"
MAIL = "canary.ada@example.org"
CARD = "4111111111111111"
SPACED = "4111 1111 1111 1111"
SCANNED = "SORTIE:CANARY0CANARY0CANARY0"
STAFF = "canary-staff-password"
NODE_TOKEN = "canary-node-token-canary"
GUESS = "canary-guessed-password"
SECRETS = (STAFF, NODE_TOKEN, GUESS)
PERSONAL = (PAYER, MAIL, CARD, SPACED, SCANNED)


@dataclass
class Left:
    """What a hub left behind."""

    log: str
    export: str
    database: Path
    tokens: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


def _bytes(database: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(database.parent.glob("hub.sqlite*")))


def _plant(site: httpx.Client, wire: Wire, day: Any) -> tuple[list[str], list[str]]:
    """Plants at HTTP and at the broker; the tokens and codes that the hub gave out."""
    tokens, codes = [], []
    for payer in (PAYER, PAYER):
        opened = site.post("/api/v1/phones/visits", json={"payer": payer}).json()
        tokens.append(opened["token"])
        codes.append(opened["code"])
        site.get("/api/v1/phones/me", headers=bearing(opened["token"]))
    for bad in (MAIL, SPACED, f"{CARD}@"):
        site.post("/api/v1/phones/visits", json={"payer": bad})
        site.post("/api/v1/phones/visits", content=f'{{"payer": "{bad}')
        site.get(f"/api/v1/staff/state?q={bad}")
    site.post("/api/v1/staff/login", json={"password": GUESS})
    site.get("/api/v1/staff/state", headers={"Authorization": f"Bearer {GUESS}"})
    site.get("/api/v1/phones/me", headers=bearing(f"{'x' * 10}{GUESS}"))
    day.scan(1.0, SCANNED)
    wire.send(day.script)
    name = day.script[0][1]
    for words in (MAIL, SPACED, CARD, PAYER):
        wire.client.publish(name, f'{{"specversion": "{words}"}}'.encode(), 1)
        wire.client.publish(name.replace("events", "pong"), words.encode(), 1)
    wire.wait(lambda: wire.acked("node-floor") >= day.floor.sequence - 1)
    return tokens, codes


@pytest.fixture
def left(tmp_path: Path, store_text: str, day: Any) -> Left:
    port, http = free_port(), free_port()
    files = write_broker_files(
        tmp_path / "broker", store_id="tiny", node_ids=["node-shelf", "node-floor"], port=port
    )
    broker = subprocess.Popen(broker_command(files), stderr=subprocess.DEVNULL)
    until(wait_for_port(port))
    environment = environment_of(
        tmp_path,
        store_text,
        port=http,
        staff_password=STAFF,
        node_tokens=json.dumps({"node-shelf": NODE_TOKEN}),
        payer_numbers="true",
        log_format="json",
        mqtt_port=port,
        mqtt_username="hub",
        mqtt_password=files.passwords["hub"],
        rules__clock_wait_s=0,
    )
    hub = Process(environment, tmp_path / "log")
    hub.until_logged("hub.listening")
    wire = Wire(port, files.passwords["hub"])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=20.0) as site:
            tokens, codes = _plant(site, wire, day)
            staff = {"Authorization": f"Bearer {STAFF}"}
            export = site.get("/api/v1/audit/export", headers=staff).text
            metrics = site.get("/metrics", headers=staff).text
    finally:
        wire.close()
        hub.end(signal.SIGTERM)
        broker.terminate()
        broker.wait(DEADLINE_S)
    return Left(hub.log.read_text() + metrics, export, tmp_path / "hub.sqlite", tokens, codes)


def test_no_canary_is_found_where_it_must_not_be_and_all_are_erased_on_schedule(
    left: Left,
) -> None:
    assert "visit.opened" in left.export, "the hub was there to be asked"
    _lines_are_json(left)
    secrets = [*SECRETS, *left.tokens]
    for canary in (*secrets, *PERSONAL, *left.codes):
        assert canary not in left.log
        assert canary not in left.export
    before = _bytes(left.database)
    for secret in secrets:
        assert secret.encode() not in before, "a secret is kept as its hash, or not at all"
    assert PAYER.encode() in before, "the canary sings, or the test shows nothing"
    assert CARD.encode() in before, "a refused message is kept for a while"
    last_s = json.loads(left.export)["events"][-1]["at_us"] / 1e6
    retain_offline(
        f"sqlite:///{left.database}",
        Engine,
        now_s=last_s + 401 * 86_400,
        rules=Rules(clock_wait_s=0),
    )
    after = _bytes(left.database)
    for canary in (*secrets, *PERSONAL, *left.codes):
        assert canary.encode() not in after


def _lines_are_json(left: Left) -> None:
    lines = [json.loads(line) for line in left.log.splitlines() if line.startswith("{")]
    assert {"event", "level", "timestamp"} <= set(lines[0])
    assert "hub.listening" in {line["event"] for line in lines}


def test_the_net_under_the_logs(capsys: pytest.CaptureFixture[str]) -> None:
    line = {
        "event": f"paid by {MAIL} with {SPACED}",
        "payer": PAYER,
        "password": GUESS,
        "inner": {"token": GUESS, "rows": [SCANNED, 7, None], "status_code": 200},
        "url": "postgresql://hub:hidden@db/hub",
        "headers": "Authorization: Bearer abcdef123456",
        "count": 3,
    }
    clean = redact(None, "info", dict(line))
    said = json.dumps(clean)
    for canary in (*PERSONAL, GUESS, "hidden", "abcdef123456"):
        assert canary not in said
    assert clean["count"] == 3
    assert clean["inner"]["status_code"] == 200
    assert scrubbed("event 1795665902199215, GTIN 4006381333931") == (
        "event 1795665902199215, GTIN 4006381333931"
    )
    assert scrubbed("refused SORTIE-STAFF:7Q2KX9ZP4M") == "refused [code]"
    try:
        configure_logs("json")
        try:
            raise ValueError(f"bad payer {MAIL}")
        except ValueError:
            structlog.get_logger().exception("it.broke", code="secret-code")
        said = capsys.readouterr().err
        assert json.loads(said)["code"] == "[redacted]"
        assert "bad payer [e-mail]" in said
    finally:
        structlog.reset_defaults()
