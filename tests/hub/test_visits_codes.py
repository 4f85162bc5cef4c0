"""Signed entry codes: what is let in, what is refused and why, and where no code is written."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts import messages as m
from hub.commands import GrowGroup, OpenVisit, RenewCode
from hub.errors import ConflictError, RejectedError, SettingsError
from hub.levels import LEVEL
from hub.parcels.codes import PICKUP_PREFIX, PickupJudged, judge_pickup
from hub.replay import rebuild
from hub.rules import Rules
from hub.store.service import Store
from hub.visits.codes import (
    CODE_PREFIX,
    EntryPass,
    KeyRing,
    claim_code,
    judge,
    load_keys,
    make_code,
    new_badge,
)
from hub.visits.judging import entry_code
from tests.hub.visits_kit import group, play

COLA = "4006381333931"
VISIT = "v-0123456789abcdef0123"
RING = KeyRing.derived("test")
PASS = EntryPass(VISIT, 2, 1_700_000_035)


def opened(shop: Any, name: str = "ann", **more: Any) -> str:
    """A phone's visit with signed codes."""
    key = hashlib.sha256(name.encode()).hexdigest()[:20]
    token = hashlib.sha256(f"token {name}".encode()).hexdigest()
    command = OpenVisit(token_sha256=token, visit_key=key, payer=name, **more)
    return str(shop.hub.command(command, shop.now_s).visit_id)


def code_of(shop: Any, visit_id: str, now_s: float | None = None) -> str:
    """What the phone shows at a time."""
    hub = shop.hub
    visit = hub.core.state.visits[visit_id]
    found = entry_code(
        hub.entry_keys, hub.core.state.rules, "tiny", visit, shop.now_s if now_s is None else now_s
    )
    assert found is not None
    return found[0]


def refusals(shop: Any) -> list[str]:
    """Why gates stayed shut."""
    return [e.data["reason"] for e in shop.hub.live.feed if e.kind == "entry.refused"]


def rewritten(code: str, change: Callable[[bytearray], None]) -> str:
    """A code whose bytes were changed."""
    text = code.removeprefix(CODE_PREFIX)
    raw = bytearray(base64.b32decode(text + "=" * (-len(text) % 8)))
    change(raw)
    return CODE_PREFIX + base64.b32encode(bytes(raw)).decode().rstrip("=")


def test_a_code_says_what_it_was_made_of_and_fits_a_small_picture() -> None:
    code = make_code(RING, "tiny", PASS)
    assert len(code) <= 61
    assert set(code) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
    judged = judge(RING, "tiny", code)
    assert (judged.verdict, judged.entry_pass) == ("good", PASS)
    with pytest.raises(ValueError, match="20 digits"):
        make_code(RING, "tiny", EntryPass("v-12", 0, 1))


@pytest.mark.parametrize("place", range(33))
def test_a_code_changed_in_any_byte_is_refused(place: int) -> None:
    def flip(raw: bytearray) -> None:
        raw[place] ^= 0x04

    judged = judge(RING, "tiny", rewritten(make_code(RING, "tiny", PASS), flip))
    assert judged.verdict == ("other_store" if place in (1, 2) else "forged")
    assert judged.entry_pass is None


def test_no_code_chooses_how_it_is_checked() -> None:
    code = make_code(RING, "tiny", PASS)

    def no_format(raw: bytearray) -> None:
        raw[0] = 0
        raw[18:] = b""

    def no_tag(raw: bytearray) -> None:
        raw[18:] = bytes(15)

    def other_key(raw: bytearray) -> None:
        raw[0] = 0x15

    for change in (no_format, no_tag, other_key):
        assert judge(RING, "tiny", rewritten(code, change)).verdict == "forged"
    for text in (code.lower(), code + "A", code[:-1], code[:-1] + "1", CODE_PREFIX + "=" * 53):
        assert judge(RING, "tiny", text).verdict == "forged"
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2In0."
    assert judge(RING, "tiny", CODE_PREFIX + token).verdict == "forged"


def test_one_code_has_one_text() -> None:
    """The last character carries spare bits, which must be as they were written."""
    code = make_code(RING, "tiny", PASS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    good = [c for c in alphabet if judge(RING, "tiny", code[:-1] + c).verdict == "good"]
    assert good == [code[-1]]


def test_keys_turn_and_the_one_before_still_judges() -> None:
    code = make_code(RING, "tiny", PASS)
    once = RING.turned()
    assert judge(once, "tiny", code).verdict == "good"
    assert make_code(once, "tiny", PASS) != code
    assert judge(once.turned(), "tiny", code).verdict == "forged"
    assert "test" not in repr(RING)
    with pytest.raises(SettingsError, match="current one, 3"):
        KeyRing({0: bytes(32)}, 3)
    with pytest.raises(SettingsError, match="32 bytes"):
        KeyRing({0: b"short"}, 0)


def test_the_file_of_keys_is_private_and_turns_after_thirty_days(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = load_keys(path, 1_000.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code = make_code(first, "tiny", PASS)
    assert judge(load_keys(path, 2_000.0), "tiny", code).verdict == "good"
    later = load_keys(path, 1_000.0 + 31 * 86_400)
    assert later.current == 1
    assert judge(later, "tiny", code).verdict == "good"
    assert load_keys(path, 1_001.0 + 31 * 86_400).current == 1
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(SettingsError, match="move it away"):
        load_keys(path, 0.0)


def test_badges_and_claims_are_long_and_differ() -> None:
    assert new_badge() != new_badge()
    assert new_badge().startswith("SORTIE-STAFF:")
    assert len(claim_code(RING, 0, VISIT)) == 20
    assert claim_code(RING, 0, VISIT) != claim_code(RING, 0, VISIT + "0")


def test_a_signed_code_lets_in_once(shop: Any, day: Any) -> None:
    visit_id = opened(shop)
    code = code_of(shop, visit_id)
    exit_s = day.shop(1.0, "t1", code, [(COLA, True)])
    day.scan(exit_s + 1.0, code)
    shop.play(day.script, exit_s + 5.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert visit.stage == "final"
    assert [line.quantity for line in visit.lines] == [1]
    assert refusals(shop) == ["code used before"]


def test_two_gates_at_the_same_moment_let_one_in(shop: Any, day: Any) -> None:
    code = code_of(shop, opened(shop))
    day.step(1.0, "t1", 1.0, 0.3, "born")
    t_s = 1.1
    day.say(day.floor, t_s, m.GateScanned(gate_id="entry", code=code, t_s=t_s))
    day.say(day.shelf, t_s, m.GateScanned(gate_id="entry", code=code, t_s=t_s))
    shop.play(day.script, 3.0)
    kinds = [event.kind for event in shop.hub.live.feed]
    assert kinds.count("entry.scanned") == 1
    assert refusals(shop) == ["code used before"]


@pytest.mark.parametrize(("late_s", "refused"), [(29.0, []), (34.8, []), (40.0, ["code expired"])])
def test_an_older_code_is_good_for_a_short_overlap(
    shop: Any, day: Any, late_s: float, refused: list[str]
) -> None:
    code = code_of(shop, opened(shop))
    day.step(late_s - 0.1, "t1", 1.0, 0.3, "born")
    day.scan(late_s, code)
    shop.play(day.script, late_s + 2.0)
    assert refusals(shop) == refused


def test_late_news_of_a_scan_are_judged_by_when_it_was(shop: Any, day: Any) -> None:
    """The node was cut off for a minute: the code was good when it was shown."""
    visit_id = opened(shop)
    code = code_of(shop, visit_id)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    shop.play(day.script, 2.0)
    day.script.clear()
    name, payload = day.floor.wrap(m.GateScanned(gate_id="entry", code=code, t_s=2.0), 2.0)
    shop.play([], 62.0)
    shop.hub.ingest([(name, payload)], 62.0)
    assert refusals(shop) == []
    assert shop.hub.core.state.visits[visit_id].stage in ("entering", "binding")


def test_why_a_code_is_refused_is_told(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop(rules=Rules(guesses_max=3, clock_wait_s=0.0))
    visit_id = opened(shop)
    code = code_of(shop, visit_id)
    other = make_code(shop.hub.entry_keys, "next-door", EntryPass(visit_id, 0, 60))
    forged = make_code(KeyRing.fresh(), "tiny", EntryPass(visit_id, 0, 60))
    too_many = make_code(shop.hub.entry_keys, "tiny", EntryPass(visit_id, 1, 60))
    nobody = make_code(shop.hub.entry_keys, "tiny", EntryPass(VISIT, 0, 60))
    for at_s, shown in enumerate((other, forged, too_many, nobody, forged, forged, "abc"), 1):
        day.scan(float(at_s), shown)
    day.say(day.floor, 8.0, m.GateScanned(gate_id="exit", code=code, t_s=8.0))
    shop.play(day.script, 9.0)
    assert refusals(shop) == [
        "code of another store",
        "code forged",
        "code for more people than the group has",
        "code used before",
        "code forged",
        "code forged",
        "code unknown or used before",
        "not an entry gate",
    ]
    (alarm,) = [e for e in shop.hub.live.feed if e.kind == "gate.guessed_at"]
    assert alarm.data == {"gate_id": "entry", "tries": 3}
    assert shop.hub.core.state.visits[visit_id].stage == "issued"


def test_no_code_is_in_journal_events_or_records(
    make_shop: Callable[..., Any], day: Any, tmp_path: Path
) -> None:
    shop = make_shop("hub.sqlite")
    signed = code_of(shop, opened(shop))
    shop.open_visit("an-old-code")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, signed)
    day.scan(1.2, "some-other-code")
    # Whoever has read the database shows what is there: it opens nothing.
    day.scan(1.3, "sha256:" + hashlib.sha256(b"an-old-code").hexdigest())
    shop.play(day.script, 3.0)
    assert refusals(shop) == ["code unknown or used before"] * 2
    store = shop.hub.store
    rows = [entry.payload for entry in store.journal(0)]
    rows += [json.dumps(row, default=str) for row in shop.hub.export_json()["events"]]
    assert not [row for row in rows if signed in row or "some-other-code" in row]
    assert any("code_judged" in row for row in rows)
    core = shop.hub.core
    shop.hub.close()
    # Replay needs no key.
    store = Store(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    again = rebuild(store, core.state.store, core.state.factory, core.state.rules)
    store.close()
    assert again.digest() == core.digest()


def test_a_malformed_scan_is_unread_and_fills_its_place(shop: Any, day: Any) -> None:
    name, payload = day.floor.wrap(m.GateScanned(gate_id="entry", code="x", t_s=1.0), 1.0)
    broken = payload.replace(b'"gate_id":"entry"', b'"gate":"entry"')
    assert broken != payload
    shop.play([*day.script, (1.0, name, broken)], 2.0)
    assert shop.hub.core.state.counters["messages_unread"] == 1
    visit_id = opened(shop)
    day.script.clear()
    day.step(3.0, "t1", 1.0, 0.3, "born")
    day.scan(3.1, code_of(shop, visit_id))
    day.step(3.5, "t1", 1.0, 0.8)
    shop.play(day.script, 4.0)
    assert shop.hub.core.state.visits[visit_id].stage == "shopping"


def test_a_code_with_letters_beyond_ascii_is_forged_and_fills_its_place(
    shop: Any, day: Any
) -> None:
    strange = 53 * "\N{LATIN SMALL LETTER E WITH ACUTE}"
    visit_id = opened(shop)
    day.scan(0.5, CODE_PREFIX + strange)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, code_of(shop, visit_id, 1.0))
    day.step(1.5, "t1", 1.0, 0.8)
    play(shop, day, 2.0)
    assert refusals(shop) == ["code forged"]
    assert shop.hub.core.state.visits[visit_id].stage == "shopping"
    assert judge_pickup(RING, "tiny", PICKUP_PREFIX + strange) == PickupJudged("forged")


def test_opening_and_renewing_take_the_right_kind_of_code(shop: Any) -> None:
    token = "a" * 64
    with pytest.raises(ValueError, match="not both"):
        OpenVisit(token_sha256=token)
    with pytest.raises(ValueError, match="not both"):
        OpenVisit(token_sha256=token, code="12345678", visit_key="0" * 20)
    with pytest.raises(ValueError, match="more than one entry"):
        OpenVisit(token_sha256=token, code="12345678", entries=2)
    visit_id = opened(shop)
    signed = shop.hub.core.state.visits[visit_id].token_sha256
    before = shop.hub.digest()
    with pytest.raises(RejectedError, match="else none"):
        shop.hub.command(RenewCode(token_sha256=signed, code="12345678"), shop.now_s)
    with pytest.raises(ConflictError, match="never used"):
        shop.hub.command(
            OpenVisit(token_sha256=token, visit_key=visit_id.removeprefix("v-")), shop.now_s
        )
    assert shop.hub.digest() == before
    with pytest.raises(RejectedError, match="unknown"):
        shop.hub.command(GrowGroup(token_sha256=token, entries=2), shop.now_s)


@pytest.mark.parametrize(("level", "let_in"), [(LEVEL, 1), (3, 2)])
def test_a_code_of_a_group_read_before_the_one_ahead_of_it_lets_one_in(
    make_shop: Callable[..., Any], day: Any, level: int, let_in: int
) -> None:
    """Under the rules of before, a picture of the second one's code let a stranger in."""
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = group(shop)
    code = make_code(shop.hub.entry_keys, "tiny", EntryPass(visit_id, 1, 60))
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, code)
    day.step(1.6, "t1", 1.1, 3.4)
    day.step(3.0, "t2", 1.0, 0.3, "born")
    day.scan(3.1, code)
    day.step(3.6, "t2", 1.1, 3.4)
    play(shop, day, 6.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert len(visit.tracks) == let_in
