"""Orders, parcels and walls over HTTP: what is answered, who may ask, and what nobody else sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from hub.api.streams import Streams
from hub.pages.walls_office import parcel_path
from hub.parcels.codes import digest_of
from hub.parcels.stored import contact_of, keep_contact
from tests.hub.doors import NOW_S, Browser, Door
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha, sscc

TOKEN = "phone-token-of-anna-0123456789"
API = "/api/v1"


class Wires:
    """A broker that is there and keeps what is published."""

    connected, dropped, sessions = True, 0, 0

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def publish(self, outgoing: Any) -> None:
        self.sent += outgoing


class Scene:
    """A bench, its door and a staff browser of each role."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.now_s = NOW_S
        self.door = Door(bench, screen_tokens={"wall-1": SecretStr("kiosk-token-wall-1")})
        self.door.staff()
        self.wires = Wires()
        self.door.driver.bus = self.wires  # type: ignore[assignment]
        self.kiosk = Browser(self.door.app, own=False)
        self.kiosk.headers["Authorization"] = "Bearer kiosk-token-wall-1"

    def at(self, seconds: float = 0.0) -> None:
        if seconds:
            self.bench.wait(seconds)
        self.door.now_s = self.bench.now_s

    def ask(self, who: Any, method: str, path: str, **more: Any) -> Any:
        self.at()
        return self.door.known(who).ask(method, API + path, **more)

    def order(self, order_id: str = "o1", *numbers: int, **more: Any) -> Any:
        body = {
            "order_id": order_id,
            "parcels": [{"label": sscc(number)} for number in numbers or (1,)],
            **more,
        }
        return self.ask("clerk", "POST", "/orders", json=body)

    def phone(self, token: str = TOKEN) -> Browser:
        made = Browser(self.door.app)
        made.headers["Authorization"] = f"Bearer {token}"
        self.at()
        return made

    def scan(self, code: str) -> Any:
        self.at()
        return self.kiosk.post(f"{API}/walls/wall-1/scans", json={"code": code})


@pytest.fixture
def scene(make_bench: Callable[..., Bench]) -> Scene:
    return Scene(make_bench())


def test_from_an_order_to_its_hand_over(scene: Scene) -> None:
    made = scene.order("o1", 1, 2)
    assert made.status_code == 201
    code = made.json()["code"]
    assert len(code) == 20
    assert scene.order("o1", 1, 2).json()["code"] == code
    bench = scene.bench
    bench.stand(1, 0.05)
    bench.stand(2, 0.4)
    shown = scene.ask("viewer", "GET", "/orders/o1").json()
    assert (shown["ready"], [p["state"] for p in shown["parcels"]]) == (True, ["ready", "ready"])
    scene.wires.sent.clear()
    answer = scene.scan(code)
    assert answer.status_code == 200
    seen = answer.json()
    assert seen["sessions"][-1]["state"] == "showing"
    assert seen["words"] == "Take the 2 parcels with the green ring."
    assert [item.topic for item in scene.wires.sent] == ["sortie/v1/tiny/node-1/cues"]
    wall = scene.ask("viewer", "GET", "/walls/wall-1").json()
    assert {t["thing_id"]: t["look"] for t in wall["things"]} == {"t1": "take_a", "t2": "take_a"}
    assert wall["marks"][0]["state"] == "asked"
    bench.lift(1)
    bench.lift(2)
    scene.at(6.0)
    kiosk = scene.kiosk.get(f"{API}/walls/wall-1/kiosk").json()
    assert kiosk["sessions"][-1]["state"] == "done"
    listed = scene.ask("viewer", "GET", "/parcels?state=handed_over").json()
    assert [row["key"] for row in listed["items"]] == [key(1), key(2)]
    assert listed["items"][0]["proof"]["thing_id"] == "t1"


def test_a_bystander_learns_nothing(scene: Scene) -> None:
    scene.order("o1", 1, payer="anna", code="secret-code-1")
    scene.bench.stand(1)
    shown = json.dumps(scene.scan("secret-code-1").json())
    for secret in ("o1", sscc(1), "anna", "secret-code-1", digest_of("secret-code-1")):
        assert secret not in shown.replace("wall-1", "")
    wall = json.dumps(scene.ask("viewer", "GET", "/walls/wall-1").json())
    assert digest_of("secret-code-1") not in wall


def test_a_phone_sees_its_own_orders_and_opens_the_wall(scene: Scene) -> None:
    scene.order("o1", 1, token=TOKEN)
    scene.order("o2", 2, token="phone-token-of-bo-01234567890")
    scene.bench.stand(1, 0.05)
    scene.bench.stand(2, 0.5)
    phone = scene.phone()
    mine = phone.get(f"{API}/phones/me/parcels").json()
    assert [order["order_id"] for order in mine["orders"]] == ["o1"]
    assert mine["code"].startswith("SORTIE-PICKUP:")
    assert "o2" not in json.dumps(mine)
    opened = phone.post(f"{API}/phones/me/walls/wall-1/open").json()
    assert opened["sessions"][0]["state"] == "showing"
    assert scene.bench.session().keys == [key(1)]
    assert scene.scan(mine["code"]).json()["sessions"][-1]["state"] == "showing"
    assert scene.scan(mine["code"]).json()["sessions"][-1]["reason"] == "used"


def test_other_peoples_parcels_are_unknown(scene: Scene) -> None:
    scene.order("o1", 1, token=TOKEN)
    scene.bench.stand(1)
    before = scene.door.state()
    stranger = scene.phone("somebody-else-entirely-012345")
    assert stranger.get(f"{API}/phones/me/parcels").status_code == 404
    assert stranger.post(f"{API}/phones/me/walls/wall-1/open").status_code in (404, 422)
    nobody = Browser(scene.door.app)
    assert nobody.get(f"{API}/phones/me/parcels").status_code == 401
    for path in ("/orders", "/orders/o1", "/parcels", "/walls", "/walls/wall-1", "/routes/r"):
        assert nobody.get(API + path).status_code == 401, path
    assert scene.door.state() == before


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("POST", "/orders", "clerk"),
        ("POST", "/orders/o1/cancel", "manager"),
        ("POST", "/orders/o1/release", "manager"),
        ("POST", "/orders/o1/returns", "clerk"),
        ("POST", "/parcels", "clerk"),
        ("POST", f"/parcels/{key(1)}/stow", "clerk"),
        ("POST", f"/parcels/{key(1)}/missing", "clerk"),
        ("POST", "/walls/wall-1/calibrate", "clerk"),
        ("POST", "/walls/wall-1/alarms/1/clear", "clerk"),
        ("POST", "/routes", "clerk"),
        ("POST", "/routes/r1/next", "clerk"),
    ],
)
def test_who_may_do_what(scene: Scene, method: str, path: str, least: str) -> None:
    roles = ("viewer", "clerk", "manager", "admin")
    for role in roles:
        status = scene.ask(role, method, path, json={}).status_code
        assert (status == 403) == (roles.index(role) < roles.index(least)), (role, status)
    reading = scene.door.key("read:orders")
    assert reading.ask(method, API + path, json={}).status_code == 403


def test_keys_by_their_scopes(scene: Scene) -> None:
    scene.order("o1", 1, payer="anna")
    reading, writing = scene.door.key("read:orders"), scene.door.key("write:orders")
    assert reading.get(f"{API}/orders/o1").json()["payer"] is None
    assert writing.get(f"{API}/orders/o1").status_code == 403
    body = {"order_id": "o2", "parcels": [{"label": sscc(2)}]}
    assert writing.post(f"{API}/orders", json=body).status_code == 201
    returning = scene.door.key("refund")
    back = {"return_id": "r1", "keys": [key(1)]}
    answer = returning.post(f"{API}/orders/o1/returns", json=back)
    assert answer.status_code == 400, "goods and money move: a key sends an Idempotency-Key"


def test_a_kiosk_has_a_token_of_its_own(scene: Scene) -> None:
    scene.order("o1", 1)
    stranger = Browser(scene.door.app, own=False)
    for token, status in (("", 401), ("Bearer wrong-token-of-a-kiosk", 403)):
        stranger.headers = {"Authorization": token} if token else {}
        answer = stranger.post(f"{API}/walls/wall-1/scans", json={"code": "x"})
        assert answer.status_code == status
        assert stranger.get(f"{API}/walls/wall-1/kiosk").status_code == status
    assert scene.kiosk.get(f"{API}/walls/wall-2/kiosk").status_code == 403
    assert scene.kiosk.get(f"{API}/walls/wall-1").status_code == 403, "it is no staff page"
    assert scene.ask("clerk", "POST", "/walls/wall-1/scans", json={"code": "x"}).status_code == 200
    assert scene.ask("viewer", "POST", "/walls/wall-1/scans", json={"code": "x"}).status_code == 403


def test_to_say_what_became_of_a_parcel_takes_a_manager(scene: Scene) -> None:
    scene.order("o1", 1)
    scene.bench.stand(1)
    scene.bench.lift(1)
    path = "/walls/wall-1/alarms/1/clear"
    told = scene.ask("clerk", "POST", path, json={"outcome": "handed_over"})
    assert told.status_code == 403
    assert scene.bench.state_of(1) == "taken"
    assert scene.ask("manager", "POST", path, json={"outcome": "missing"}).status_code == 200
    assert scene.bench.state_of(1) == "missing"
    assert scene.bench.events("parcel.missing")[0]["data"]["by"] == "manager"


def test_pages_of_lists(scene: Scene) -> None:
    for number in range(1, 6):
        scene.order(f"o{number}", number)
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = scene.ask("viewer", "GET", f"/orders?limit=2{cursor}").json()
        seen += [row["order_id"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == ["o1", "o2", "o3", "o4", "o5"]
    assert len(seen) == 5
    bad = scene.ask("viewer", "GET", "/orders?cursor=AAAA")
    assert (bad.status_code, bad.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"order_id": "o 1"}, "order_id"),
        ({"order_id": "o1", "parcels": [{"label": "  "}]}, "expected a label of 1 to 256"),
        ({"order_id": "o1", "code": "short"}, "at least 8"),
        ({"order_id": "o1", "payer": "guest-o-1"}, "a payer's own name"),
        ({"order_id": "o1", "surprise": 1}, "surprise"),
    ],
)
def test_orders_that_are_refused(scene: Scene, body: dict[str, Any], words: str) -> None:
    answer = scene.ask("clerk", "POST", "/orders", json=body)
    assert answer.status_code == 422
    assert words in answer.text
    assert scene.bench.room.orders == {}


def test_unknown_ids_are_not_found(scene: Scene) -> None:
    for method, path in (
        ("GET", "/orders/o9"),
        ("GET", f"/parcels/{key(9)}"),
        ("GET", "/walls/wall-9"),
        ("GET", "/routes/r9"),
        ("POST", "/orders/o9/cancel"),
        ("POST", f"/parcels/{key(9)}/missing"),
        ("POST", "/walls/wall-1/alarms/7/clear"),
    ):
        answer = scene.ask("manager", method, path)
        assert answer.status_code == 404, path
        assert answer.json()["detail"].startswith("expected"), path


def test_a_label_with_a_slash_has_an_address(scene: Scene) -> None:
    scene.ask("clerk", "POST", "/orders", json={"order_id": "o1", "parcels": [{"label": "AB/12"}]})
    assert scene.ask("viewer", "GET", "/parcels/text:AB%2F12").json()["order_id"] == "o1"
    stowed = scene.ask(
        "clerk", "POST", "/parcels/text:AB%2F12/stow", json={"wall_id": "wall-1"}
    ).json()
    assert len(stowed["place_m"]) == 4


def test_a_label_that_is_an_address_is_stowed_and_reported_missing(scene: Scene) -> None:
    label = "https://parcel.example/track/?id=77#JD 01%2F"
    scene.ask("clerk", "POST", "/orders", json={"order_id": "o1", "code": "code-of-o1",
                                                "parcels": [{"label": label}]})  # fmt: skip
    path = f"/{parcel_path(f'text:{label}')}"
    stowed = scene.ask("clerk", "POST", f"{path}/stow", json={"wall_id": "wall-1"})
    assert (stowed.status_code, stowed.json()["key"]) == (200, f"text:{label}")
    assert scene.ask("clerk", "POST", f"{path}/missing").status_code == 200
    assert scene.ask("viewer", "GET", path).json()["state"] == "missing"


def test_a_route_over_http(scene: Scene) -> None:
    scene.order("o1", 1)
    scene.bench.stand(1)
    route = {"route_id": "r1", "wall_id": "wall-1", "stops": [{"name": "A", "orders": ["o1"]}]}
    assert scene.ask("clerk", "POST", "/routes", json=route).status_code == 201
    moved = scene.ask("clerk", "POST", "/routes/r1/next", json={"at": -1}).json()
    assert (moved["at"], moved["stops"][0]["here"]) == (0, True)
    assert scene.wires.sent[-1].topic.endswith("/cues")
    over = scene.ask("clerk", "POST", "/routes/r1/next", json={"at": 0}).json()
    assert (over["over"], over["stops"][0]["left"]) == (True, [key(1)])


def test_a_walls_stream_wakes_for_its_wall_only(scene: Scene) -> None:
    driver = scene.door.driver
    before = driver.wall_version("wall-1"), driver.wall_version("wall-2")
    scene.bench.stand(1)
    after = driver.wall_version("wall-1"), driver.wall_version("wall-2")
    assert after[0] > before[0]
    assert after[1] == before[1]
    assert isinstance(scene.door.app.state.streams, Streams)
    answer = scene.ask("viewer", "GET", "/walls/wall-1/live")
    assert answer.status_code == 200
    assert scene.ask("viewer", "GET", "/walls/wall-9/live").status_code == 404


def test_secrets_are_kept_as_digests(scene: Scene) -> None:
    scene.order("o1", 1, token=TOKEN, code="secret-code-1")
    dumped = json.dumps(scene.bench.hub.core.dump())
    assert TOKEN not in dumped
    assert "secret-code-1" not in dumped
    assert sha(TOKEN) in dumped
    assert code_of("o1") not in dumped


def test_a_phone_finds_its_receipt_and_nobody_else_does(scene: Scene) -> None:
    body = {"label": sscc(1), "due_minor": 119, "vat_rate": "0.19"}
    made = scene.ask(
        "clerk", "POST", "/orders", json={"order_id": "o1", "token": TOKEN, "parcels": [body]}
    )
    assert made.status_code == 201
    scene.bench.stand(1)
    phone = scene.phone()
    phone.post(f"{API}/phones/me/walls/wall-1/open")
    scene.bench.lift(1)
    scene.at(8.0)
    (order,) = phone.get(f"{API}/phones/me/parcels").json()["orders"]
    (path,) = order["receipt_paths"]
    page = Browser(scene.door.app).get(path)
    assert page.status_code == 200
    assert "1.19" in page.text
    other = path[:-3] + ("AAA" if path[-3:] != "AAA" else "BBB")
    assert Browser(scene.door.app).get(other).status_code == 404
    rows = scene.ask("clerk", "GET", "/receipts").json()["items"]
    assert [row["total_minor"] for row in rows] == [119]


def test_a_clerk_gives_back_up_to_a_limit(scene: Scene) -> None:
    parcels = [{"label": sscc(number), "due_minor": 1_500, "vat_rate": "0.19"} for number in (1, 2)]
    scene.ask("clerk", "POST", "/orders", json={"order_id": "o1", "code": "code-of-o1",
                                                "parcels": parcels})  # fmt: skip
    scene.bench.stand(1, 0.05)
    scene.bench.stand(2, 0.5)
    scene.scan("code-of-o1")
    scene.bench.lift(1)
    scene.bench.lift(2)
    scene.at(8.0)
    limit = scene.door.settings.clerk_refund_minor_max
    assert 1_500 <= limit < 3_000
    back = {"return_id": "r1", "keys": [key(1), key(2)]}
    assert scene.ask("clerk", "POST", "/orders/o1/returns", json=back).status_code == 403
    one = {"return_id": "r2", "keys": [key(1)]}
    assert scene.ask("clerk", "POST", "/orders/o1/returns", json=one).status_code == 200
    more = {"return_id": "r3", "keys": [key(2)]}
    assert scene.ask("clerk", "POST", "/orders/o1/returns", json=more).status_code == 403
    assert scene.ask("manager", "POST", "/orders/o1/returns", json=more).status_code == 200
    scene.bench.audited()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_page_goes_on_where_the_last_row_of_the_one_before_has_left_the_list(
    scene: Scene, gone: int
) -> None:
    """A parcel becomes ready, an order is cancelled: the rows behind it are told all the same."""
    scene.order("o1", 1, 2, 3, 4, 5)
    url = "/parcels?state=expected&limit=2"
    first = scene.ask("viewer", "GET", url).json()
    assert [row["key"] for row in first["items"]] == [key(1), key(2)]
    scene.bench.stand(1 + gone, 0.05)
    second = scene.ask("viewer", "GET", f"{url}&cursor={first['next']}").json()
    behind = (4, 5) if gone == 2 else (3, 4)
    assert [row["key"] for row in second["items"]] == [key(number) for number in behind]
    for number in range(2, 7):
        scene.at(1.0)
        scene.order(f"o{number}", 10 + number)
    url = "/orders?state=open&limit=3"
    first = scene.ask("viewer", "GET", url).json()
    assert [row["order_id"] for row in first["items"]] == ["o6", "o5", "o4"]
    scene.ask("manager", "POST", f"/orders/o{4 + gone}/cancel")
    second = scene.ask("viewer", "GET", f"{url}&cursor={first['next']}").json()
    assert [row["order_id"] for row in second["items"]] == ["o3", "o2", "o1"]


def test_an_order_that_is_placed_again_has_its_code_though_keys_were_turned(scene: Scene) -> None:
    first = scene.order("o1", 1)
    hub = scene.bench.hub
    hub.entry_keys = hub.entry_keys.turned()
    again = scene.order("o1", 1)
    assert again.status_code == 201
    assert again.json()["code"] == first.json()["code"]
    assert scene.order("o2", 2).json()["code"] != first.json()["code"]


def test_of_an_order_that_is_over_no_name_is_kept_any_more(scene: Scene) -> None:
    scene.order("o1", 1, token=TOKEN, name="Ada", phone="+44 20")
    assert scene.ask("manager", "POST", "/orders/o1/cancel").status_code == 200
    keep_contact(scene.bench.hub.store, "o1", "", "", NOW_S)
    assert scene.order("o1", 1, token=TOKEN, name="Ada", phone="+44 20").status_code == 201
    assert contact_of(scene.bench.hub.store, "o1") == {"name": "", "phone": ""}
    scene.order("o2", 2, token=TOKEN, name="Ada")
    assert contact_of(scene.bench.hub.store, "o2")["name"] == "Ada"
