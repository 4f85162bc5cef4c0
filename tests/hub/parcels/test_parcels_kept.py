"""How customers are reached, and that it is forgotten on schedule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.errors import ConflictError, RejectedError
from hub.parcels.commands import CancelOrder, ReleaseOrder, ReturnGoods
from hub.parcels.model import Parcels
from hub.parcels.stored import contact_of, keep_contact, order_record
from hub.retention.run import retain
from hub.retention.settings import Retention
from hub.rules import Rules
from hub.store.verify import verify
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha

NAME, PHONE = "Ada Lovelace", "+44 20 7946 0000"
DAY_S = 86_400.0
Make = Callable[..., Bench]


def fetched(bench: Bench) -> None:
    bench.order("o1", 1, code_sha256=sha("code-of-o1"), token_sha256=sha("token"))
    keep_contact(bench.hub.store, "o1", NAME, PHONE, bench.now_s)
    bench.stand(1)
    bench.scan("code-of-o1")
    bench.lift(1)
    bench.wait(20.0)
    assert bench.order_of("o1").state == "collected"


def left_memory(make_bench: Make) -> Bench:
    """A hub that keeps no closed order in memory: o1 was fetched, o2 is shown."""
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    fetched(bench)
    bench.order("o2", 2)
    bench.stand(2)
    bench.scan(code_of("o2"))
    bench.wait(1.0)
    assert "o1" not in bench.room.orders
    return bench


def test_names_and_codes_of_closed_orders_are_forgotten(bench: Bench, tmp_path: Path) -> None:
    fetched(bench)
    bench.order("o2", 2)
    keep_contact(bench.hub.store, "o2", "Bo", "", bench.now_s)
    bench.now_s += 29 * DAY_S
    retain(bench.hub, Retention(orders_days=30), bench.now_s)
    assert contact_of(bench.hub.store, "o1") == {"name": NAME, "phone": PHONE}
    bench.now_s += 2 * DAY_S
    due = retain(bench.hub, Retention(orders_days=30, inputs_days=0), bench.now_s)
    assert due.order_ids == ("o1",)
    assert contact_of(bench.hub.store, "o1") == {"name": "", "phone": ""}
    assert contact_of(bench.hub.store, "o2")["name"] == "Bo", "an open order's customer is known"
    assert bench.order_of("o1").token_sha256 is None
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("hub-0.sqlite*"))
    for secret in (NAME, PHONE, sha("token"), sha("code-of-o1")):
        assert secret.encode() not in raw, secret
    bench.scan("code-of-o1")
    assert bench.session().reason == "unknown"


def test_an_order_that_left_memory_is_forgotten_too(make_bench: Make) -> None:
    bench = left_memory(make_bench)
    record = order_record(bench.hub.store, "o1")
    assert record is not None
    assert record["order"]["token_sha256"] == sha("token")
    bench.wait(60.0)
    bench.now_s += 31 * DAY_S
    retain(bench.hub, Retention(orders_days=30), bench.now_s)
    record = order_record(bench.hub.store, "o1")
    assert record is not None
    assert "token_sha256" not in record["order"]


def test_an_order_that_left_memory_is_placed_once_all_the_same(make_bench: Make) -> None:
    bench = left_memory(make_bench)
    again = {"code_sha256": sha("code-of-o1"), "token_sha256": sha("token")}
    assert bench.order("o1", 1, **again).repeated
    assert len(bench.events("order.placed")) == 2, "o1 and o2"
    bench.wait(1.0)
    with pytest.raises(ConflictError, match="o1 was placed before with other content"):
        bench.order("o1", 3, **again)
    with pytest.raises(RejectedError, match="was not collected, o1 was"):
        bench.do(CancelOrder(order_id="o1"))


def test_an_expired_order_that_left_memory_is_released_with_its_code(make_bench: Make) -> None:
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    bench.order("o1", 1, deadline_s=bench.now_s + 10.0)
    bench.stand(1)
    bench.wait(20.0)
    bench.scan("of-nobody")
    bench.wait(1.0)
    assert "o1" not in bench.room.orders
    bench.do(ReleaseOrder(order_id="o1", deadline_s=bench.now_s + 60.0))
    bench.scan(code_of("o1"))
    assert bench.looks()["t1"] == "take_a"


def test_a_twin_of_a_parcel_that_left_memory_stops_nothing(make_bench: Make) -> None:
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    bench.order("o1", 1)
    bench.stand(1)
    bench.stand(1, 0.5, thing_id="twin")
    assert bench.alarms() == ["duplicate_label"]
    bench.do(CancelOrder(order_id="o1"))
    bench.wait(1.0)
    bench.stand(1, 0.05)
    assert "o1" not in bench.room.orders
    assert bench.alarms() == []


def test_the_database_tells_the_truth_about_orders(bench: Bench) -> None:
    fetched(bench)
    bench.hub._commit()
    assert verify(bench.url, bench.hub.core.state.factory).findings == ()


def test_a_code_that_is_used_again_is_the_new_orders(make_bench: Make) -> None:
    bench = left_memory(make_bench)
    bench.order("o3", 3, code_sha256=sha("code-of-o1"))
    bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),)))
    assert "o1" in bench.room.orders
    assert Parcels.load(bench.room.dump()).by_code == bench.room.by_code
    bench.wait(1.0)
    assert "o1" not in bench.room.orders
    bench.stand(3)
    bench.scan("code-of-o1")
    assert bench.session().orders == ["o3"]


def test_an_order_that_is_read_back_has_its_code_as_after_a_restart(make_bench: Make) -> None:
    bench = left_memory(make_bench)
    bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),)))
    assert Parcels.load(bench.room.dump()).by_code == bench.room.by_code
    bench.scan("code-of-o1")
    assert bench.session().reason == "collected"
    bench.wait(60.0)
    bench.scan("code-of-o1")
    assert bench.session().reason == "unknown"


def test_what_came_and_moved_while_its_order_was_away_is_found(make_bench: Make) -> None:
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    bench.order("o1", 1, 2, 3, deadline_s=bench.now_s + 10.0)
    bench.stand(1, 0.05)
    bench.stand(2, 0.35)
    bench.wait(20.0)
    bench.scan("of-nobody")
    bench.wait(1.0)
    assert "o1" not in bench.room.orders
    bench.stand(3, 0.65)
    bench.tell(bench.thing("t2", None, "gone"))
    bench.stand(2, 0.35, thing_id="moved", wall_id="wall-2")
    bench.do(ReleaseOrder(order_id="o1", deadline_s=bench.now_s + 60.0))
    assert (bench.state_of(3), bench.parcel(2).wall_id) == ("ready", "wall-2")
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t1": "take_a", "t3": "take_a"}
    assert bench.session().elsewhere == 1
