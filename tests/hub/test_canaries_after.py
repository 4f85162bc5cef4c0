"""Canaries at the entrances that came with wallets, receipts, disputes, staff and webhooks.

Mail addresses, a shopper's words, cards, gift cards, secrets and pictures are planted in a hub with
all of it switched on. None is in a log line, an answer that refuses, a webhook or the export;
secrets are in no byte of the database; what is personal there goes when its time is up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiosmtpd.controller import Controller
from structlog.testing import capture_logs

from hub.accounts.store import AccountStore
from hub.api.webhooks import make_sender
from hub.retention.run import retain
from hub.retention.settings import Retention
from hub.store.copies import backup
from hub.wallet.book import Card, SqlBook
from hub.webhooks.store import WebhookStore
from sortie.supervisor import free_port
from tests.hub.after_kit import Place
from tests.hub.bearing import bearing
from tests.hub.doors import Browser
from tests.hub.test_evidence import STRIP, WAIT, send_strip, sure_with_strip
from tests.hub.test_receipt_mail import Letters, port_of
from tests.hub.webhooks.test_webhooks import HOOK, Receiver

PAYER = "canary.ada.lovelace"
MAIL = "canary.mail@example.org"
WORDS = "canary words: my neighbour took it"
STAFF_WORDS = "canary staff words"
TAPPED = "tok_canary_card_of_ada"
CUSTOMER, METHOD = "cus_canary0001", "pm_canary0001"
BIRTH = "canary born 1990-02-03"
OWN = "canary lantern gravel otters"
GUESS = "canary-guessed-password"
DAY_S = 86_400.0


@dataclass
class Planted:
    """What was planted: secrets that are never kept as they are, and what is personal."""

    place: Place
    receiver: Receiver
    refused: str = ""
    secrets: list[str] = field(default_factory=list)
    personal: list[str] = field(default_factory=list)


def database_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("hub.db*") if "gate" not in path.name)


def refusals(place: Place, told: dict[str, Any]) -> str:
    """Answers to requests that are wrong and have canaries in them."""
    post, phone, mine = place.http.post, "/api/v1/phones/me", bearing(told["token"])
    proof = {"visit_id": told["visit_id"], "approve": True, "role": "clerk", "birth": BIRTH}
    answers = [
        post(f"{phone}/receipt/mails", {"address": f"{MAIL}\r\nBcc: {MAIL}"}, headers=mine),
        post(f"{phone}/receipt/mails", {"address": MAIL, "cc": MAIL}, headers=mine),
        post(f"{phone}/disputes", {"dispute_id": "x", "line": 1, "words": WORDS}, headers=mine),
        post("/api/v1/staff/age-proofs", proof),
        post(f"{phone}/card", {"code": GUESS}, headers=mine),
        place.http.get(f"/api/v1/phones/{told['token']}/receipt"),
        place.http.get(f"/receipt/{told['token']}"),
        post("/api/v1/staff/login", {"name": GUESS, "password": GUESS}),
        post("/api/v1/staff/login", {"password": [GUESS]}),
        post("/api/v1/phones/visits", {"payer": MAIL}),
        place.http.put("/api/v1/staff/payers/ada/card", json={"method_id": METHOD}),
        place.http.get("/api/v1/visits", headers={"Authorization": f"Bearer sk_{GUESS}"}),
    ]
    assert all(answer.status_code >= 400 for answer in answers), answers
    return "".join(answer.text for answer in answers)


def shopper(planted: Planted, day: Any) -> None:
    """A webhook for all of it; a visit, its receipt by e-mail, a dispute with words and a picture,
    a tapped card."""
    place = planted.place
    hook = place.http.post("/api/v1/webhooks", {"url": HOOK, "kinds": ["*"]})
    planted.secrets += [hook.json()["secret"]]
    place.opened = lambda: place.http.post("/api/v1/phones/visits", {"payer": PAYER}).json()  # type: ignore[method-assign]
    told = sure_with_strip(place, day)
    url, mine = "/api/v1/phones/me/receipt/mails", bearing(told["token"])
    assert place.http.post(url, {"address": MAIL}, headers=mine).status_code == 202
    assert place.dispute(told["token"], words=WORDS).status_code == 201
    place.errands.step()
    assert send_strip(place).status_code < 300
    decided = {"dispute_id": f"{told['visit_id']}.dispute-one", "visit_id": told["visit_id"],
               "uphold": False, "reason": STAFF_WORDS}  # fmt: skip
    assert place.http.post("/api/v1/staff/disputes/decide", decided).status_code == 200
    tap = {"tap_id": "tap-1", "gate_id": "entry", "card": TAPPED}
    node = {"Authorization": "Bearer other"}
    answer = place.http.post("/api/v1/terminals/node-floor/taps", tap, headers=node)
    assert answer.status_code == 200, answer.text
    planted.refused = refusals(place, told)
    planted.secrets += [told["token"], told["code"], GUESS]


def staff(planted: Planted) -> None:
    """A gift card, a wallet, a key, and a person with a second factor."""
    place, post = planted.place, planted.place.http.post
    card = post("/api/v1/staff/gift-cards", {"amount_minor": 500, "how": "given"})
    assert card.status_code == 201, card.text
    wallet = post("/api/v1/wallets").json()["token"]
    code = card.json()["code"]
    taken = post("/api/v1/wallets/me/cards", {"code": code}, headers=bearing(wallet))
    assert taken.status_code == 200
    key = post("/api/v1/staff/keys", {"label": "till", "scopes": ["metrics"]}).json()["key"]
    made = post("/api/v1/staff/people", {"name": "boss", "role": "admin"}).json()["password"]
    boss = Browser(place.app)
    assert boss.login("boss", made).status_code == 204
    body = {"old": made, "new": OWN}
    assert boss.post("/api/v1/staff/me/password", json=body).status_code == 204
    totp = boss.post("/api/v1/staff/me/totp", json={"password": OWN}).json()["secret"]
    confirm = {"code": pyotp.TOTP(totp).at(int(place.now_s))}
    fresh = boss.post("/api/v1/staff/me/totp/confirm", json=confirm).json()["recovery_codes"]
    session = next(iter(boss.cookies.values()))
    planted.secrets += [code, code.replace("-", ""), wallet, key.split("_", 2)[2], made, OWN]
    planted.secrets += [totp, *fresh, session]


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def server(letters: Letters) -> Iterator[Controller]:
    made = Controller(letters, hostname="127.0.0.1", port=free_port())
    made.start()
    yield made
    made.stop()


def test_each_canary_is_only_where_it_may_be_and_goes_in_time(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any, letters: Letters, server: Controller
) -> None:
    place = Place(
        make_shop("hub.db", pseudonyms=True, rules=WAIT), tmp_path, smtp_host="127.0.0.1",
        smtp_port=port_of(server), smtp_tls="none", smtp_sender="shop@example.org",
    )  # fmt: skip
    planted = Planted(place, Receiver(), personal=[PAYER, MAIL, WORDS, TAPPED, CUSTOMER, METHOD])
    hub = place.shop.hub
    with capture_logs() as lines:
        shopper(planted, day)
        book = SqlBook(hub.store.url)
        book.save_card(PAYER, Card(CUSTOMER, METHOD))
        book.close()
        # A second factor's first step is after the beginning of time.
        place.now_s += 90.0
        staff(planted)
        accounts = AccountStore(hub.store.url)
        hooks = WebhookStore(accounts, lambda: place.app.state.accounts.seals)
        sender = make_sender(place.driver, hooks, place.settings)
        sender._post = planted.receiver
        while sender.step():
            pass
        accounts.close()
    assert len(letters.taken) == 1, "the mail went to whom it was for"
    export = json.dumps(hub.export_json())
    sent = b"".join(body for _, body in planted.receiver.got).decode()
    assert "dispute.rejected" in sent
    assert "gift.redeemed" in sent
    everything = [*planted.secrets, *planted.personal, BIRTH]
    everything += [STRIP[5:].decode()]
    for canary in everything:
        assert canary not in str(lines)
        assert canary not in planted.refused
        assert canary not in sent
        assert canary not in export
    assert STAFF_WORDS not in sent
    assert STAFF_WORDS in export, "why staff decided is for the auditor"
    hub.store.scrub()
    before = database_bytes(tmp_path)
    for canary in [*planted.secrets, BIRTH, MAIL, STRIP[5:].decode()]:
        assert canary.encode() not in before, canary
    for canary in (PAYER, WORDS, TAPPED, CUSTOMER, METHOD):
        assert canary.encode() in before, "the canary sings, or the test shows nothing"
    backup(hub.store.url, tmp_path / "copy.sqlite")
    copied = (tmp_path / "copy.sqlite").read_bytes()
    assert not any(one.encode() in copied for one in (*planted.secrets, MAIL, BIRTH))

    place.now_s += 401 * DAY_S
    place.driver.step()
    place.errands.step()
    retain(hub, Retention(), place.now_s)
    after = database_bytes(tmp_path)
    for canary in [*planted.secrets, *planted.personal, BIRTH]:
        assert canary.encode() not in after, canary
