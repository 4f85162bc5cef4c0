"""Webhooks: at least once and in order, signed, over restarts, and never where they must not go."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
import structlog

from hub.api.webhooks import OVERLAP_S, make_sender
from hub.webhooks.addresses import check_url, target_of
from hub.webhooks.errors import AddressRefusedError
from hub.webhooks.model import Answer, Subscription, answered, wants
from hub.webhooks.sender import HttpPost, Sender
from hub.webhooks.sign import new_secret, signature, verified
from hub.webhooks.store import WebhookStore
from tests.hub.doors import COLA, Door

HOOK = "https://receiver.example/hook"
PUBLIC = "93.184.216.34"


class Receiver:
    """What another system would be; `says` is its next answers."""

    def __init__(self) -> None:
        self.says: list[int | None] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status = self.says.pop(0) if self.says else 200
        if status is None:
            return Answer(None, "ConnectTimeout")
        self.got.append((dict(headers), body))
        return Answer(status)

    def numbers(self) -> list[int]:
        return [json.loads(body)["data"]["number"] for _, body in self.got]


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


def hooks(door: Door) -> WebhookStore:
    return WebhookStore(door.accounts.store, lambda: door.accounts.seals)


def sender_of(door: Door, receiver: Receiver, share: float = 0.5) -> Sender:
    made = make_sender(door.driver, hooks(door), door.settings)
    made._post = receiver
    made._share = lambda: share
    return made


def subscribe(door: Door, **more: Any) -> dict[str, Any]:
    answer = door.key("webhooks").post("/api/v1/webhooks", json={"url": HOOK, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def prices(door: Door, count: int) -> None:
    """So many events."""
    for n in range(count):
        door.now_s += 1.0
        body = {"gtin": COLA, "price_minor": 100 + n}
        assert door.known("admin").post("/api/v1/staff/prices", json=body).status_code == 200


def drain(sender: Sender) -> None:
    while sender.step():
        pass


def test_events_arrive_signed_in_order_and_once(door: Door) -> None:
    made, receiver = subscribe(door), Receiver()
    sender = sender_of(door, receiver)
    prices(door, 120)
    drain(sender)
    drain(sender)
    assert receiver.numbers() == list(range(1, 121))
    headers, body = receiver.got[0]
    assert verified(made["secret"], headers, body, door.now_s)
    assert not verified(new_secret(), headers, body, door.now_s)
    assert not verified(made["secret"], headers, body + b" ", door.now_s)
    assert not verified(made["secret"], headers, body, door.now_s + 3_600)
    told = json.loads(body)
    assert told["type"] == "price.changed"
    assert told["timestamp"].endswith("Z")
    assert told["data"]["gtin"] == COLA
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 120


def test_the_signature_is_as_the_standard_says() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_nothing_personal_is_sent(door: Door) -> None:
    subscribe(door)
    receiver = Receiver()
    door.browser().post("/api/v1/phones/visits", json={"payer": "anna"})
    drain(sender_of(door, receiver))
    _, body = receiver.got[0]
    assert json.loads(body)["data"]["visit_id"].startswith("v")
    assert b"anna" not in body
    assert b"payer" not in body


def test_after_a_failure_it_waits_longer_each_time_and_keeps_the_order(door: Door) -> None:
    subscribe(door)
    receiver = Receiver()
    receiver.says = [500, None, 302]
    sender = sender_of(door, receiver)
    prices(door, 3)
    waits = []
    for _ in range(3):
        assert sender.step()
        assert not sender.step()
        row = hooks(door).all()[0]
        waits.append(round(row.next_try_us / 1e6 - door.now_s))
        door.now_s += waits[-1]
    assert waits == [5, 10, 20]
    drain(sender)
    assert receiver.numbers()[-3:] == [1, 2, 3]
    ids = [headers["webhook-id"] for headers, body in receiver.got if b'"number":1,' in body]
    assert len(set(ids)) == 1
    page = door.known("admin").get(f"/api/v1/webhooks/{row.subscription_id}/deliveries?limit=2")
    assert [item["event_number"] for item in page.json()["items"]] == [3, 2]
    rest = door.known("admin").get(
        f"/api/v1/webhooks/{row.subscription_id}/deliveries?cursor={page.json()['next']}"
    )
    assert [(item["status"], item["attempt"]) for item in rest.json()["items"]] == [
        (200, 4), (302, 3), (None, 2), (500, 1),
    ]  # fmt: skip
    assert rest.json()["items"][2]["fault"] == "ConnectTimeout"


def test_another_receiver_is_not_held_up(door: Door) -> None:
    subscribe(door), subscribe(door)
    receiver = Receiver()
    receiver.says = [500]
    prices(door, 2)
    assert sender_of(door, receiver).step()
    assert receiver.numbers() == [1, 1, 2]


def test_a_restart_goes_on_where_it_was(make_shop: Callable[..., Any]) -> None:
    shop = make_shop("hub.sqlite")
    door = Door(shop, staff_accounts=True)
    door.staff()
    subscribe(door)
    receiver = Receiver()
    prices(door, 3)
    receiver.says = [200, 200, None]
    drain(sender_of(door, receiver))
    door.accounts.store.close()
    shop.hub.close()
    again = Door(make_shop("hub.sqlite"), staff_accounts=True)
    again.now_s = door.now_s + 60.0
    drain(sender_of(again, receiver))
    assert [number for number in receiver.numbers() if number <= 3] == [1, 2, 3]
    again.accounts.store.close()


def test_kinds_are_chosen(door: Door) -> None:
    made = subscribe(door, kinds=["stock.*", "visit.opened"])
    receiver = Receiver()
    prices(door, 3)
    stock = {"slot_id": "s1", "gtin": COLA, "quantity": 1}
    door.known("admin").post("/api/v1/staff/stock", json=stock)
    drain(sender_of(door, receiver))
    assert [json.loads(body)["type"] for _, body in receiver.got] == ["stock.restocked"]
    shown = door.known("admin").get(f"/api/v1/webhooks/{made['webhook_id']}").json()
    assert (shown["waiting"], shown["position"]) == (0, 4)
    one = hooks(door).all()[0]
    assert wants(one, "visit.opened")
    assert not wants(one, "visit.openedx")
    assert not wants(one, "stocks.x")
    assert wants(replace(one, kinds=("*",)), "anything.at.all")


def test_a_receiver_that_is_gone_for_days_is_switched_off(door: Door) -> None:
    made, receiver = subscribe(door), Receiver()
    sender = sender_of(door, receiver)
    prices(door, 1)
    store = hooks(door)
    with structlog.testing.capture_logs() as said:
        for _ in range(300):
            receiver.says = [None]
            sender.step()
            row = store.all()[0]
            if row.state == "disabled":
                break
            door.now_s = max(door.now_s, row.next_try_us / 1e6)
    assert row.state == "disabled"
    assert [entry["event"] for entry in said] == ["webhook.disabled"]
    assert door.driver.staff()["counters"]["webhooks_disabled"] == 1
    # Waits stop growing at an hour, a little more or less.
    assert 100 < row.tries < 200
    assert not sender.step()
    url = f"/api/v1/webhooks/{made['webhook_id']}"
    hand = door.known("admin")
    hand.login("admin")
    assert hand.ask("PATCH", url, json={"state": "disabled"}).status_code == 422
    assert hand.ask("PATCH", url, json={"state": "active"}).json()["tries"] == 0
    drain(sender)
    assert receiver.numbers() == [1]


def test_gone_means_gone() -> None:
    before = Subscription(
        "wh", HOOK, ("*",), new_secret(), None, None, "active", 0, 0, 0, None, 0
    )  # fmt: skip
    assert answered(before, 1, Answer(410), 5, share=0.5, give_up_us=10**12).state == "disabled"
    assert answered(before, 1, Answer(500), 5, share=0.5, give_up_us=10**12).state == "active"
    early, late = (
        answered(before, 1, Answer(500), 0, share=share, give_up_us=10**12).next_try_us
        for share in (0.0, 1.0)
    )
    assert (early, late) == (4_000_000, 6_000_000)


def test_a_new_secret_and_the_old_one_are_good_for_a_day(door: Door) -> None:
    made, receiver = subscribe(door), Receiver()
    url = f"/api/v1/webhooks/{made['webhook_id']}"
    fresh = door.known("admin").post(f"{url}/secret").json()["secret"]
    assert fresh != made["secret"]
    prices(door, 1)
    sender = sender_of(door, receiver)
    drain(sender)
    headers, body = receiver.got[-1]
    assert all(verified(one, headers, body, door.now_s) for one in (fresh, made["secret"]))
    door.now_s += OVERLAP_S + 1.0
    door.known("admin").login("admin")
    prices(door, 1)
    drain(sender)
    headers, body = receiver.got[-1]
    assert verified(fresh, headers, body, door.now_s)
    assert not verified(made["secret"], headers, body, door.now_s)
    assert fresh not in door.known("admin").get(url).text


def test_a_replay_asked_for_during_a_round_is_not_passed_over(door: Door) -> None:
    made = subscribe(door, kinds=["visit.*"])
    sender, store = sender_of(door, Receiver()), hooks(door)
    prices(door, 3)
    drain(sender)
    assert store.all()[0].position == 3
    prices(door, 1)
    events = sender._events

    def meanwhile(after: int, most: int) -> list[dict[str, Any]]:
        rows = events(after, most)
        if rows:
            store.change(made["webhook_id"], position=1)
        return rows

    sender._events = meanwhile
    sender.step()
    assert store.all()[0].position == 1


def test_a_replay_sends_again_under_the_same_ids(door: Door) -> None:
    made, receiver = subscribe(door), Receiver()
    sender = sender_of(door, receiver)
    prices(door, 3)
    drain(sender)
    url = f"/api/v1/webhooks/{made['webhook_id']}"
    assert door.known("admin").post(f"{url}/replay", json={"after": 1}).json()["waiting"] == 2
    drain(sender)
    assert receiver.numbers() == [1, 2, 3, 2, 3]
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[1:3] == ids[3:5]
    assert door.known("admin").ask("DELETE", url).status_code == 204
    assert door.known("admin").get(url).status_code == 404
    assert not sender.step()


# ---------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "https:///x", "file:///etc/passwd",
        "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://169.254.169.254/x",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://0.0.0.0/",
        "https://user:pw@example.org/", "https://example.org/#x", "https://example.org:99999/",
        "https://exa mple.org/", "https://224.0.0.1/", "https://[fe80::1]/", "https://100.64.0.1/",
        "https://example.org/" + "x" * 600, "https://ex\u00e4mple.org/",
    ],
)  # fmt: skip
def test_urls_that_lead_inside_are_refused(door: Door, url: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_url(url, private=False)
    answer = door.known("admin").post("/api/v1/webhooks", json={"url": url})
    assert answer.status_code == 422
    assert hooks(door).all() == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_inside_is_refused_at_each_delivery(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        target_of(HOOK, private=False, resolve=lambda _h, _p: [PUBLIC, address])
    post = HttpPost(private=False, resolve=lambda _h, _p: [address])
    answer = post(HOOK, {}, b"{}")
    assert (answer.good, "public" in answer.fault) == (False, True)
    post.close()


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    asked: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/inside"})

    names = iter([[PUBLIC], ["127.0.0.1"]])
    post = HttpPost(
        private=False, resolve=lambda _h, _p: next(names), transport=httpx.MockTransport(receive)
    )
    assert post(f"{HOOK}?a=b", {"webhook-id": "x"}, b"{}") == Answer(302)
    post.close()
    assert len(asked) == 1
    assert str(asked[0].url) == f"https://{PUBLIC}/hook?a=b"
    assert asked[0].headers["host"] == "receiver.example"
    assert asked[0].extensions["sni_hostname"] == "receiver.example"


class _Handler(BaseHTTPRequestHandler):
    got: list[tuple[dict[str, str], bytes]] = []  # noqa: RUF012 - set anew by the fixture

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.got.append((headers, self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    _Handler.got = []
    made = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_over_a_real_socket_with_the_thread(
    make_shop: Callable[..., Any], server: HTTPServer
) -> None:
    door = Door(make_shop("hub.sqlite"), staff_accounts=True, webhooks_private=True)
    door.staff()
    made = subscribe(door, url=f"http://127.0.0.1:{server.server_port}/hook")
    tested = door.known("admin").post(f"/api/v1/webhooks/{made['webhook_id']}/test").json()
    assert tested == {"delivered": True, "status": 204, "fault": ""}
    prices(door, 3)
    sender: Sender = door.app.state.sender
    drain(sender)
    sender.start()
    sender.stop()
    assert [json.loads(body)["data"]["number"] for _, body in _Handler.got] == [0, 1, 2, 3]
    assert all(verified(made["secret"], head, body, door.now_s) for head, body in _Handler.got)
    sender._post.close()  # type: ignore[attr-defined]
    door.accounts.store.close()
