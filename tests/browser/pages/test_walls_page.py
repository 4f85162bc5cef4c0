"""The staff page of pick-up walls, a phone's parcels and a van's route in Chromium.

Broker, hub and pages are real processes; the wall's node is a script.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages.conftest import Store, until
from tests.browser.pages.wall_rig import WALL, Shop, WallNode, wall_store
from tests.hub.parcels.wall_kit import key, sscc

THING = "document.querySelector('[data-thing=\"t{}\"] .mark')?.dataset"
SETTINGS = {"NODE_TOKENS": json.dumps({"node-wall": "a-node-of-the-tests"})}
TOKEN = "a-phone-of-the-tests-0001"
PASSWORD = "a-password-of-the-tests"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with wall_store(tmp_path_factory.mktemp("walls"), **SETTINGS) as made:
        made.start_pages()
        yield made


@pytest.fixture(scope="module")
def shop(store: Store) -> Shop:
    return Shop(store)


@pytest.fixture
def node(store: Store) -> Iterator[WallNode]:
    made = WallNode(store)
    yield made
    made.stop()


@pytest.fixture
def tab(chromium: Any, store: Store, node: WallNode) -> Iterator[Any]:
    made = chromium.tab()
    made.size(1280, 800)
    made.goto(f"{store.pages_url}/staff/walls")
    made.until("document.querySelector('svg.wall')")
    yield made
    made.close()


def pane(name: str) -> str:
    return f'[data-pane="{name}"]'


def mark(number: int, look: str, state: str) -> str:
    """That a thing is marked so."""
    found = THING.format(number)
    return f"{found}?.look === '{look}' && {found}.state === '{state}'"


def carded(tab: Any, what: str, name: str) -> str:
    """A selector of the card around an order or a parcel."""
    found = f'[data-{what}="{name}"]'
    tab.until(f"document.querySelector({json.dumps(found)})")
    tab.eval(f"document.querySelector({json.dumps(found)}).closest('.carded').id = 'chosen'")
    return "#chosen"


def sign_in(phone: Any) -> None:
    """A driver gives the store's password."""
    phone.until_text("Sign in", "h1")
    phone.eval("document.querySelector('[name=password]').focus()")
    phone.send("Input.insertText", text=PASSWORD)
    phone.click(".enter button")


def test_rings_and_crosses_are_drawn_as_they_shine(tab: Any, shop: Shop, node: WallNode) -> None:
    first, second = shop.order("s-1", 11), shop.order("s-2", 12)
    shop.order("s-3", 13)
    for place, number in enumerate((11, 12, 13)):
        node.stand(number, 0.1 + 0.2 * place)
    node.see(node.thing(90, "stands", 0.75, 0.52, text=None))
    shop.ready(11, 12, 13)
    for code in (first, second):
        shop.post(f"walls/{WALL}/scans", code=code)
    tab.until(mark(11, "take_a", "seen"))
    tab.until(mark(12, "take_b", "seen"))
    tab.until(mark(13, "not_this", "seen"))
    # What has no label never is anything but not to be taken.
    tab.until("document.querySelector('.thing.unknown[data-thing=t90]')")
    assert tab.eval("document.querySelector('[data-thing=t90] .mark.take_a') === null")
    box = tab.eval(
        "['t11', 't90'].map((name) => document.querySelector(`[data-thing=${name}] polygon`)"
        ".getBoundingClientRect().toJSON())"
    )
    wide = tab.eval("document.querySelector('.wall .back').getBoundingClientRect().width")
    assert box[0]["width"] == pytest.approx(0.16 * wide, rel=0.05)
    assert box[1]["left"] - box[0]["left"] == pytest.approx(0.65 * wide, rel=0.05)
    tab.until_text("order s-1", pane("sessions"))
    assert tab.eval("document.documentElement.scrollWidth <= innerWidth")
    node.lift(11, 0.1)
    tab.until_text("handed over", pane("parcels"))
    node.lift(12, 0.3)
    tab.until_text("Nobody is at the wall", pane("sessions"))


def test_without_light_marks_are_withheld_with_the_reason(
    tab: Any, shop: Shop, node: WallNode
) -> None:
    code = shop.order("s-4", 21)
    node.stand(21, 0.1)
    shop.ready(21)
    shop.post(f"walls/{WALL}/scans", code=code)
    tab.until(mark(21, "take_a", "seen"))
    node.project("off", residual_mm=23.0, reason="bumped")
    tab.until(mark(21, "take_a", "withheld"))
    tab.until("document.querySelector('[data-thing=t21]').textContent.includes('projector off')")
    tab.until_text(
        "out of bounds: dark until it is calibrated (23.0 mm); bumped", pane("projection")
    )
    tab.until_text("Projector beam-1 does not show what it should", pane("alarms"))
    tab.press(pane("projection"), "Calibrate")
    until(lambda: node.cues.calibrate == 1, "the node to be asked for a calibration")
    node.project("calibrating")
    tab.until_text("calibrating: dark meanwhile", pane("projection"))
    node.project("true", residual_mm=1.4)
    tab.until_text("hits what it aims at, within 1.4 mm", pane("projection"))
    tab.until(mark(21, "take_a", "seen"))
    tab.until("!document.querySelector('[data-pane=alarms] .alert')")
    node.lift(21, 0.1)
    until(lambda: shop.state(21) == "handed_over", "the parcel to be handed over")


def test_alarms_say_what_happened_until_staff_have_looked(
    tab: Any, shop: Shop, node: WallNode
) -> None:
    shop.order("s-5", 31, 32, 33)
    node.stand(31, 0.05)
    node.stand(32, 0.3)
    node.stand(33, 0.55)
    shop.ready(31, 32, 33)
    node.lift(31, 0.05)
    tab.until_text(f"Parcel …{key(31)[-4:]} was taken, and nobody had scanned in", pane("alarms"))
    tab.press(pane("alarms"), "It is missing")
    tab.until("!document.querySelector('[data-pane=alarms] .alert')")
    assert shop.state(31) == "missing"
    twin = node.thing(34, "stands", 0.8, 0.52, text=f"00{sscc(32)}")
    node.see(twin)
    tab.until_text(f"Two things carry the label of Parcel …{key(32)[-4:]}", pane("alarms"))
    tab.until("document.querySelectorAll('.thing.twin').length === 2")
    node.see(node.thing(34, "gone", 0.8, 0.52, text=f"00{sscc(32)}"))
    tab.until("!document.querySelector('.thing.twin')")
    node.blind(True, "covered")
    tab.until_text("blocked: covered", pane("projection"))
    node.blind(False)
    tab.until_text("sees", pane("projection"))
    node.die()
    tab.until_text("does not answer; nothing is shown", pane("projection"))


def test_the_wall_is_not_shown_as_live_while_the_hub_is_away(
    tab: Any, store: Store, node: WallNode
) -> None:
    store.end("hub")
    tab.until("document.querySelector('.drawing.stale')")
    tab.until_text("The hub does not answer", ".banner")
    store.start_hub(**SETTINGS)
    tab.until("!document.querySelector('.drawing.stale')")


def test_no_picture_of_a_wall_is_waited_for(tab: Any, node: WallNode) -> None:
    tab.until_text("No pictures of this wall are shown", '[data-pane="cameras"]')
    assert tab.eval("document.querySelectorAll('.tile, img[src*=tiles]').length") == 0
    assert node.tiles_wanted == set()


def test_a_phone_sees_its_parcels_and_opens_the_wall(
    phone: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    phone.size(390, 844, phone=True)
    phone.goto(f"{store.hub_url}/phone/parcels.html")
    phone.until_text("Orders belong to the wallet", "#nobody")
    until_s = time.time() + 7200
    shop.order("web-2026-4F2K", 51, 52, due_minor=250, token=TOKEN, deadline_s=until_s)
    phone.goto(f"{store.hub_url}/phone/parcels.html#{TOKEN}")
    phone.until_text("on its way to the store", '[data-order="web-2026-4F2K"]')
    assert "€5.00 to pay" in phone.text('[data-order="web-2026-4F2K"]')
    assert phone.eval("document.querySelector('#qr') === null")
    node.stand(51, 0.1)
    node.stand(52, 0.4)
    phone.until_text("ready for you", '[data-order="web-2026-4F2K"]')
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    phone.until_text("It changes by itself", "#left")
    assert phone.eval("document.documentElement.scrollWidth <= innerWidth")
    pairs = "ink/ground ink/card soft/card accent/card amber/amber-tint red/red-tint"
    assert [pair for pair, ratio in phone.contrasts(pairs) if ratio < 4.5] == []
    phone.click(f"#open-{WALL}")
    phone.until_text("Take the 2 parcels with the green ring", ".at-wall")
    phone.until("document.querySelector('.at-wall .look.take_a')")
    node.lift(51, 0.1)
    phone.until_text("1 of 2 taken", ".at-wall")
    node.project("unplugged")
    phone.until_text("Please ask our staff", ".at-wall")
    phone.until("!document.querySelector('.look.take_a')")
    node.project("true", residual_mm=1.0)
    node.lift(52, 0.4)
    phone.until_text("Done, thank you", ".at-wall")
    phone.until_text("No parcel waits for you", "#none")
    phone.until("document.querySelector('details a.receipt')")
    phone.goto(phone.eval("document.querySelector('a.receipt').href"))
    phone.until_text("EUR 5.00", "#total")
    assert phone.faults == []


@pytest.mark.parametrize("page", ["phone/parcels.html", "van/tour-0?lang=en"])
def test_nothing_old_is_shown_while_the_hub_hangs(
    phone: Any, store: Store, shop: Shop, node: WallNode, page: str
) -> None:
    number = 53 if "parcels" in page else 54
    token = f"{TOKEN}-{number}"
    shop.order(f"web-{number}", number, token=token)
    node.stand(number, 0.1)
    shop.ready(number)
    if "van" in page:
        stops = [{"name": "Anna Street 5", "orders": [f"web-{number}"]}]
        shop.post("routes", route_id="tour-0", wall_id=WALL, stops=stops)
        phone.goto(f"{store.hub_url}/{page}")
        phone.click("#next")
    else:
        phone.goto(f"{store.hub_url}/{page}#{token}")
        phone.click(f"#open-{WALL}")
    phone.until("document.querySelector('.look.take_a')")
    hub = store._processes["hub"]
    hub.send_signal(signal.SIGSTOP)
    try:
        phone.until("document.querySelector('.look.take_a') === null")
        phone.until_text("No connection", "body")
    finally:
        hub.send_signal(signal.SIGCONT)
    phone.until("document.querySelector('.look.take_a')")
    node.lift(number, 0.1)
    phone.until("document.querySelector('.look.take_a') === null")


def test_a_driver_goes_from_stop_to_stop(
    phone: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    phone.size(800, 1280)
    shop.order("d-1", 61, 62)
    shop.order("d-2", 63)
    for place, number in enumerate((61, 62, 63)):
        node.stand(number, 0.1 + 0.25 * place)
    shop.ready(61, 62, 63)
    stops = [
        {"name": "Anna Street 5", "orders": ["d-1"]},
        {"name": "Harbour 12", "orders": ["d-2"]},
    ]
    shop.post("routes", route_id="tour-1", wall_id=WALL, stops=stops)
    phone.goto(f"{store.hub_url}/van/tour-1?lang=en")
    phone.until_text("Ready to go", ".card")
    phone.click("#next")
    phone.until_text("Anna Street 5", "h1")
    phone.until_text("0 of 2 taken", "#how-far")
    phone.until("document.querySelector('.look.take_a')")
    node.lift(61, 0.1)
    phone.until_text("1 of 2 taken", "#how-far")
    node.lift(63, 0.6)
    phone.until_text("it is not for this stop", "#how-far")
    assert phone.eval("document.querySelector('.look') === null")
    node.stand(63, 0.6)
    phone.until_text("1 of 2 taken", "#how-far")
    phone.click("#next")
    phone.until_text("1 parcel stays in the van", ".sure")
    phone.click("#go")
    phone.until_text("Harbour 12", "h1")
    phone.until_text("Anna Street 5: 1 parcel", ".behind")
    node.project("unplugged")
    phone.until_text("go by the labels", "#how-far")
    assert phone.eval("document.querySelector('.look') === null")
    node.project("true", residual_mm=1.0)
    phone.until("document.querySelector('.look.take_a')")
    node.lift(63, 0.6)
    phone.until_text("You have everything for this stop", "#how-far")
    phone.click("#next")
    phone.until_text("The route is done", "h1")
    assert phone.text("#how-far") == "1 parcel was left behind"
    assert phone.faults == []


def test_a_driver_leaves_in_the_van_what_was_cancelled(
    phone: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    shop.order("d-5", 67)
    node.stand(67, 0.35)
    shop.ready(67)
    stops = [{"name": "Mill Lane 3", "orders": ["d-5"]}]
    shop.post("routes", route_id="tour-5", wall_id=WALL, stops=stops)
    phone.goto(f"{store.hub_url}/van/tour-5?lang=en")
    phone.click("#next")
    phone.until("document.querySelector('.look.take_a')")
    shop.post("orders/d-5/cancel", reason="changed my mind")
    phone.until_text("1 parcel is cancelled: leave it in the van", "#how-far")
    assert phone.eval("document.querySelector('.look') === null")
    phone.click("#next")
    phone.until_text("The route is done", "h1")
    assert phone.faults == []


def test_staff_stow_release_and_cancel(tab: Any, shop: Shop, node: WallNode) -> None:
    shop.order("s-6", 41, 42, deadline_s=time.time() + 7000)
    tab.until_text("2 parcels, 0 ready", '[data-order="s-6"] + p')
    tab.press(carded(tab, "parcel", key(41)), "Stow")
    tab.until("document.querySelector('.wall .mark.place.seen')")
    tab.until_text("is being stowed", pane("sessions"))
    node.stand(41, 0.1)
    until(lambda: shop.state(41) == "stowed", "the parcel to be stowed")
    tab.press(carded(tab, "order", "s-6"), "Release…")
    tab.press(".form", "Release")
    until(lambda: shop.state(41) == "ready", "the parcel to be released")
    tab.until("!document.querySelector('.form')")
    tab.press("#chosen", "Cancel…")
    tab.until("document.querySelector('.refund .reason input')")
    tab.eval("document.querySelector('.refund .reason input').focus()")
    tab.send("Input.insertText", text="sold out")
    tab.press(".refund", "Cancel the order")
    until(lambda: shop.get("orders/s-6")["state"] == "cancelled", "the order to be off")
    tab.until("!document.querySelector('[data-order=\"s-6\"]')")


def test_a_driver_signs_in_where_the_store_has_a_password(
    phone: Any, store: Store, node: WallNode
) -> None:
    store.end("hub")
    store.start_hub(STAFF_PASSWORD=PASSWORD)
    phone.goto(f"{store.hub_url}/van/tour-1?lang=en")
    sign_in(phone)
    phone.until_text("The route is done", "h1")


REFUSED = """
globalThis.refused = 0;
globalThis.fetch = ((asked) => async (...about) => {
  const answer = await asked(...about);
  if (answer.status === 401 && String(about[0]).endsWith('/live')) globalThis.refused += 1;
  return answer;
})(fetch);
"""
"""Counts how often this page was told that it may not follow the wall."""


def test_who_signs_in_again_sees_what_shines(
    phone: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    store.end("hub")
    store.start_hub(**SETTINGS)
    shop.order("d-3", 64)
    node.stand(64, 0.1)
    shop.ready(64)
    stops = [{"name": "Anna Street 5", "orders": ["d-3"]}]
    shop.post("routes", route_id="tour-2", wall_id=WALL, stops=stops)
    phone.goto(f"{store.hub_url}/van/tour-2?lang=en")
    phone.click("#next")
    phone.until("document.querySelector('.look.take_a')")
    phone.eval(REFUSED)
    store.end("hub")
    store.start_hub(STAFF_PASSWORD=PASSWORD)
    phone.until("globalThis.refused > 0")
    node.project("true", residual_mm=1.0)
    sign_in(phone)
    phone.until("document.querySelector('.look.take_a')")


def test_the_start_page_leads_to_kiosk_parcels_and_wall(chromium: Any, store: Store) -> None:
    store.end("hub")
    store.start_hub()
    tab = chromium.tab()
    try:
        tab.goto(f"{store.pages_url}/")
        for there in (f"/kiosk/{WALL}", "/phone/parcels.html", "/staff/walls"):
            tab.until(f"document.querySelector(\"a[href$='{there}']\")")
    finally:
        tab.close()
