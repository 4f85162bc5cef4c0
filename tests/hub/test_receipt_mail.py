"""Receipts by e-mail, against a real SMTP server: retried, bounded, and the address is erased."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from structlog.testing import capture_logs

from hub.errors import RejectedError, StoreWriteError
from hub.receipts import outbox
from hub.receipts.mail import SmtpSender
from hub.receipts.tables import mails
from hub.store.copies import backup
from sortie.supervisor import free_port
from tests.hub.after_kit import COLA, Place
from tests.hub.bearing import bearing

MAILS = "/api/v1/phones/me/receipt/mails"

ADDRESS = "canary.shopper@example.org"


class Letters:
    """Takes mails, refuses whom it is told to, and can be told to stumble."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.answer_rcpt = "250 OK"
        self.answer_data = "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str,
                          _options: Any) -> str:  # fmt: skip
        if self.answer_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer_rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answer_data.startswith("250"):
            self.taken.append((list(envelope.rcpt_tos), envelope.content))
        return self.answer_data


@pytest.fixture(autouse=True)
def logged() -> Iterator[None]:
    """What is logged never has an address in it."""
    with capture_logs() as entries:
        yield
    assert "canary" not in str(entries)


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def server(letters: Letters) -> Iterator[Controller]:
    made = Controller(letters, hostname="127.0.0.1", port=free_port())
    made.start()
    yield made
    if made.server is not None:
        made.stop()


def port_of(server: Controller) -> int:
    return int(server.server.sockets[0].getsockname()[1])  # type: ignore[union-attr]


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path, server: Controller) -> Place:
    return Place(
        make_shop("hub.db"),
        tmp_path,
        smtp_host="127.0.0.1",
        smtp_port=port_of(server),
        smtp_tls="none",
        smtp_sender="Corner Shop <shop@example.org>",
    )


def wish(place: Place, token: str, address: str = ADDRESS, **more: Any) -> Any:
    wanted = {"address": address, **more}
    return place.http.post(MAILS, wanted, headers=bearing(token))


def states(place: Place, token: str) -> list[str]:
    rows = place.http.get(MAILS, headers=bearing(token)).json()
    assert ADDRESS not in str(rows)
    assert rows["available"]
    return [row["state"] for row in rows["mails"]]


def nowhere(place: Place, tmp_path: Path) -> bool:
    """Whether the address is in no row, no journal entry, no event and no byte of the file."""
    hub = place.shop.hub
    texts = [str(hub.export_json()), str(hub.core.dump())]
    texts += [entry.payload for entry in hub.store.journal(0)]
    connection = hub.store.connect()
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    return not any("canary.shopper" in one for one in texts) and b"canary.shopper" not in raw


def test_a_receipt_is_sent_once_with_its_pdf(
    place: Place, day: Any, letters: Letters, tmp_path: Path
) -> None:
    opened = place.bought(day, [(COLA, True)])
    answer = wish(place, opened["token"], mail_id="tapped-once")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert wish(place, opened["token"], mail_id="tapped-once").status_code == 202
    assert states(place, opened["token"]) == ["waiting"]
    place.errands.step()
    place.errands.step()
    assert len(letters.taken) == 1
    to, content = letters.taken[0]
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert to == [ADDRESS]
    assert "receipt 1" in message["Subject"]
    assert message["Message-ID"].endswith("@example.org>")
    attached = next(message.iter_attachments())
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content().startswith(b"%PDF")
    body = message.get_body()
    assert body is not None
    assert "1 item, EUR 1.19" in body.get_content()
    assert states(place, opened["token"]) == ["sent"]
    assert nowhere(place, tmp_path)


def test_one_whose_end_cannot_be_stored_is_sent_once_all_the_same(
    place: Place, day: Any, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk can be read: what waits is found again each second."""
    opened = place.bought(day, [(COLA, True)])
    wish(place, opened["token"])
    settle = outbox.settle

    def full(*_: Any) -> None:
        raise StoreWriteError("nothing was stored: the disk is full")

    monkeypatch.setattr(outbox, "settle", full)
    for _ in range(3):
        with pytest.raises(StoreWriteError):
            place.errands.step()
        place.now_s += 1.0
    assert len(letters.taken) == 1
    monkeypatch.setattr(outbox, "settle", settle)
    place.errands.step()
    assert (len(letters.taken), states(place, opened["token"])) == (1, ["sent"])
    assert place.errands.counts == {"mails_sent": 1}


def test_a_server_that_is_down_is_tried_again(
    place: Place, day: Any, server: Controller, letters: Letters
) -> None:
    opened = place.bought(day, [(COLA, True)])
    port = port_of(server)
    server.stop()
    wish(place, opened["token"])
    for _ in range(3):
        place.errands.step()
        place.now_s += 10.0
    assert place.errands.counts == {"mails_later": 1}, "it waits before it tries again"
    place.now_s += 30.0
    place.errands.step()
    assert place.errands.counts == {"mails_later": 2}
    back = Controller(letters, hostname="127.0.0.1", port=port)
    back.start()
    try:
        place.now_s += 120.0
        place.errands.step()
    finally:
        back.stop()
    assert len(letters.taken) == 1
    assert states(place, opened["token"]) == ["sent"]


def test_a_refused_recipient_ends_it_and_is_forgotten(
    place: Place, day: Any, letters: Letters, tmp_path: Path
) -> None:
    opened = place.bought(day, [(COLA, True)])
    letters.answer_rcpt = "550 canary.shopper@example.org unknown"
    wish(place, opened["token"])
    place.errands.step()
    assert states(place, opened["token"]) == ["refused"]
    place.now_s += 7200.0
    place.errands.step()
    assert place.errands.counts == {"mails_refused": 1}
    assert nowhere(place, tmp_path)


@pytest.mark.parametrize(("rcpt", "data"), [("451 later", "250 OK"), ("250 OK", "452 full")])
def test_a_server_that_says_later_is_asked_later(
    place: Place, day: Any, letters: Letters, rcpt: str, data: str
) -> None:
    opened = place.bought(day, [(COLA, True)])
    letters.answer_rcpt, letters.answer_data = rcpt, data
    wish(place, opened["token"])
    place.errands.step()
    assert states(place, opened["token"]) == ["waiting"]
    letters.answer_rcpt = letters.answer_data = "250 OK"
    place.now_s += 31.0
    place.errands.step()
    assert states(place, opened["token"]) == ["sent"]


def test_what_cannot_be_sent_for_a_day_is_given_up(
    place: Place, day: Any, server: Controller, tmp_path: Path
) -> None:
    opened = place.bought(day, [(COLA, True)])
    server.stop()
    wish(place, opened["token"])
    for _ in range(26):
        place.errands.step()
        place.now_s += 3600.0
    place.errands.step()
    assert states(place, opened["token"]) == ["expired"]
    assert nowhere(place, tmp_path)
    place.now_s += 90_000.0
    place.errands.step()
    assert states(place, opened["token"]) == []


def test_a_restart_sends_what_waited(
    make_shop: Callable[..., Any], place: Place, day: Any, letters: Letters, tmp_path: Path
) -> None:
    opened = place.bought(day, [(COLA, True)])
    wish(place, opened["token"])
    gateway = place.shop.hub.gateway
    place.shop.hub.close()
    settings = {
        name: getattr(place.settings, name)
        for name in ("smtp_host", "smtp_port", "smtp_tls", "smtp_sender")
    }
    again = Place(make_shop("hub.db", gateway=gateway), tmp_path, **settings)
    again.now_s = place.now_s
    again.errands.step()
    assert len(letters.taken) == 1


def test_bounds_and_bad_addresses(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    for bad in ("", "nobody", "a@b", "a b@c.de", "a@b.de, c@d.de", "a@b.de\nBcc: x@y.de", "@b.de",
                "a..b@c.de", "x" * 65 + "@c.de"):  # fmt: skip
        answer = wish(place, opened["token"], bad)
        assert answer.status_code == 422, bad
        assert not bad or bad not in answer.text, "what came is not repeated"
    for number in range(outbox.A_VISIT_MAX):
        assert wish(place, opened["token"], mail_id=f"wish-number-{number}").status_code == 202
    assert wish(place, opened["token"]).status_code == 422
    for _ in range(20):
        answer = wish(place, opened["token"])
    assert answer.status_code == 429
    assert wish(place, place.opened()["token"]).status_code in (422, 429)


def test_the_queue_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "WAITING_MAX", 2)
    store = place.shop.hub.store
    for number in range(2):
        outbox.enqueue(store, f"m{number}", f"v{number}", ADDRESS, 1.0)
    with pytest.raises(RejectedError, match="too many"):
        outbox.enqueue(store, "m9", "v9", ADDRESS, 1.0)
    letter = outbox.due(store, 2.0, 1)[0]
    assert ADDRESS not in repr(letter)


def test_a_store_without_a_server_says_so(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop(), tmp_path)
    opened = place.bought(day, [(COLA, True)])
    answer = wish(place, opened["token"])
    assert answer.status_code == 409
    mine = bearing(opened["token"])
    assert place.http.get(MAILS, headers=mine).json() == {
        "available": False,
        "mails": [],
    }
    assert "PDF" in answer.json()["detail"]
    with pytest.raises(ValueError, match="smtp_host"):
        SmtpSender(place.settings)


def test_a_backup_has_no_address(place: Place, day: Any, tmp_path: Path) -> None:
    opened = place.bought(day, [(COLA, True)])
    wish(place, opened["token"])
    place.dispute(opened["token"], words="canary.shopper was here")
    backup(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path / "copy.sqlite")
    assert b"canary.shopper" not in (tmp_path / "copy.sqlite").read_bytes()


TWO_LINES = "=?utf-8?q?canary.shopper=0Ax?=@example.org"


def test_an_address_of_which_no_mail_can_be_made_keeps_nobody_waiting(
    place: Place, day: Any, letters: Letters, tmp_path: Path
) -> None:
    opened = place.bought(day, [(COLA, True)])
    for bad in (TWO_LINES, "=?utf-8?q?a?=@b.de", "a@b\x00.de", "a@b.de\x7f"):
        answer = wish(place, opened["token"], bad)
        assert (answer.status_code, "example" in answer.text) == (422, True), bad
    # What an older hub took in stands first in the queue.
    place.shop.hub.store.run(
        mails.insert().values(
            mail_id="old-1", visit_id=opened["visit_id"], address=TWO_LINES, state="waiting",
            tries=0, next_us=0, expires_us=round((place.now_s + 3600.0) * 1e6),
        )
    )  # fmt: skip
    wish(place, opened["token"])
    place.errands.step()
    assert states(place, opened["token"]) == ["refused", "sent"]
    assert len(letters.taken) == 1
    assert nowhere(place, tmp_path)
