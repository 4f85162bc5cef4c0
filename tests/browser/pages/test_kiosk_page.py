"""The kiosk at a pick-up wall in Chromium: a real broker and hub, the wall's node by script."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.parcels.attending import CAME_S
from tests.browser.pages.conftest import Store
from tests.browser.pages.wall_rig import (
    SCREEN,
    WALL,
    Shop,
    WallNode,
    type_code,
    wall_store,
)
from tests.hub.parcels.wall_kit import key, sscc

WALLS = 22
"""A test has a wall of its own, and need not wait until the last one's customers have gone. The
last one has lamps and no projector."""
SETTINGS = {"SCREEN_TOKENS": json.dumps({f"wall-{k}": SCREEN for k in range(1, WALLS + 1)})}
INVITING = "document.querySelector('.look.take_a, .look.take_b')"
CARD = "#stage .card"
TRIES = 3
SILENT_S_MAX = 20.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with wall_store(tmp_path_factory.mktemp("kiosk"), WALLS, **SETTINGS) as made:
        yield made


@pytest.fixture(scope="module")
def walls() -> Iterator[int]:
    """Numbers of walls at which nobody was yet."""
    return iter(range(1, WALLS))


@pytest.fixture(scope="module")
def shop(store: Store) -> Shop:
    return Shop(store)


@pytest.fixture
def node(store: Store, walls: Iterator[int]) -> Iterator[WallNode]:
    """A node that was just born before an empty wall."""
    made = WallNode(store, next(walls))
    yield made
    made.stop()


@pytest.fixture
def kiosk(chromium: Any, store: Store, node: WallNode) -> Iterator[Any]:
    with opened(chromium, store, node, "en") as tab:
        yield tab


@contextmanager
def opened(chromium: Any, store: Store, node: WallNode, language: str) -> Iterator[Any]:
    """The kiosk of a node's wall."""
    tab = chromium.tab()
    tab.size(1080, 1920)
    tab.goto(f"{store.hub_url}/kiosk/{node.wall_id}?lang={language}#{SCREEN}")
    yield tab
    tab.eval("localStorage.clear()")
    tab.close()


def card(kiosk: Any, state: str, text: str = "") -> None:
    """Waits for a card in this state that says this."""
    where = f'.card[data-state="{state}"]'
    kiosk.until_text(text, where)


def shown(kiosk: Any, shop: Shop, node: WallNode, order_id: str, number: int) -> str:
    """An order of one parcel, which stands there and is shown for its code; that code."""
    code = shop.order(order_id, number)
    node.stand(number, 0.1)
    shop.ready(number)
    card(kiosk, "idle")
    type_code(kiosk, code)
    card(kiosk, "showing", "green ring")
    return code


def test_from_the_scan_to_the_last_parcel(kiosk: Any, shop: Shop, node: WallNode) -> None:
    code = shop.order("web-1-4F2K", 11, 12)
    node.stand(11, 0.1)
    node.stand(12, 0.5)
    shop.ready(11, 12)
    card(kiosk, "idle", "Scan your code")
    type_code(kiosk, code)
    card(kiosk, "showing", "Take the 2 parcels with the green ring")
    assert kiosk.eval("document.querySelector('.look').getAttribute('aria-label')") == "green ring"
    # Nobody is named: neither the order nor a label is on the screen.
    assert "4F2K" not in kiosk.text()
    assert key(11)[-6:] not in kiosk.text()
    node.lift(11, 0.1)
    card(kiosk, "taken", "1 of 2 taken")
    card(kiosk, "taken", "Now the next one with the green ring")
    node.lift(12, 0.5)
    card(kiosk, "done", "Done, thank you")
    assert kiosk.eval(f"{INVITING} === null")
    assert kiosk.text("#said").startswith("Done, thank you")
    card(kiosk, "idle")
    assert kiosk.faults == []


def test_where_lamps_shine_it_speaks_of_lamps(chromium: Any, store: Store, shop: Shop) -> None:
    """A wall without a projector: no form is thrown, and none is drawn."""
    node = WallNode(store, WALLS)
    code = shop.order("web-16", 161)
    node.stand(161, 0.1)
    shop.ready(161)
    picture = "document.querySelector('.card .picture use').getAttribute('href')"
    try:
        with opened(chromium, store, node, "en") as tab:
            card(tab, "idle")
            type_code(tab, code)
            card(tab, "showing", "Take the parcel with the green lamps below")
            assert tab.eval(picture) == "#look-take_a-lamps"
            assert tab.eval(f"document.querySelector({picture}).tagName") == "symbol"
            assert tab.faults == []
        for language, words in (
            ("fr", "Prenez le colis marqué d'un trait de lampes vertes"),
            ("de", "Nehmen Sie das Paket mit den grünen Lampen darunter"),
        ):
            with opened(chromium, store, node, language) as tab:
                card(tab, "showing", words)
        node.lift(161, 0.1)
    finally:
        node.stop()


def test_a_wrong_parcel_is_asked_back(kiosk: Any, shop: Shop, node: WallNode) -> None:
    code = shop.order("web-2", 21)
    shop.order("web-3", 22)
    node.stand(21, 0.1)
    node.stand(22, 0.3)
    shop.ready(21, 22)
    card(kiosk, "idle")
    type_code(kiosk, code)
    card(kiosk, "showing", "Take the parcel with the green ring")
    node.lift(22, 0.3)
    card(kiosk, "wrong", "Please put it back")
    card(kiosk, "wrong", "Yours has the green ring")
    assert kiosk.eval(f"{INVITING} === null")
    node.stand(22, 0.6)
    card(kiosk, "showing", "Take the parcel with the green ring")
    node.lift(21, 0.1)
    card(kiosk, "done")
    assert kiosk.faults == []


def test_the_light_waits_for_who_has_gone(kiosk: Any, shop: Shop, node: WallNode) -> None:
    shown(kiosk, shop, node, "web-14", 141)
    comes_and_stays(node)
    node.attended(False)
    card(kiosk, "away", "The light waits for you")
    assert kiosk.eval(f"{INVITING} === null")
    card(kiosk, "away", "Step up to the wall")
    card(kiosk, "ended", "1 parcel is still here")
    shop.post("orders/web-14/cancel")
    assert kiosk.faults == []


def test_the_light_is_there_again_for_who_comes_back(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    code = shown(kiosk, shop, node, "web-15", 151)
    for _ in range(TRIES):
        comes_and_stays(node)
        node.attended(False)
        card(kiosk, "away", "The light waits for you")
        node.attended(True)
        kiosk.until(f"!document.querySelector('{CARD}[data-state=\"away\"]')")
        if kiosk.eval(f"!!document.querySelector('{CARD}[data-state=\"showing\"]')"):
            break
        # A machine that was too busy for two seconds: for the hub they were gone for good.
        card(kiosk, "idle")
        type_code(kiosk, code)
        card(kiosk, "showing", "green ring")
    card(kiosk, "showing", "green ring")
    shop.post("orders/web-15/cancel")
    assert kiosk.faults == []


def comes_and_stays(node: WallNode) -> None:
    """Somebody is there for so long that they are no passer-by, as far as the hub knows."""
    node.attended(True)
    node.committed()
    # The hub goes by its own clock, and nothing that can be asked tells whom it has met.
    time.sleep(CAME_S + 0.5)


def test_two_are_served_with_two_symbols_and_a_third_waits(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    codes = [shop.order(f"web-4{place}", 41 + place) for place in range(3)]
    for place in range(3):
        node.stand(41 + place, 0.05 + 0.3 * place)
    shop.ready(41, 42, 43)
    card(kiosk, "idle")
    type_code(kiosk, codes[0])
    card(kiosk, "showing", "green ring")
    type_code(kiosk, codes[1])
    kiosk.until_text("blue double diamond", '.card[data-look="take_b"]')
    type_code(kiosk, codes[2])
    card(kiosk, "waiting", "Please wait a moment")
    assert kiosk.eval("document.querySelectorAll('.look.take_a, .look.take_b').length") == 2
    assert kiosk.eval("document.documentElement.scrollHeight <= innerHeight")
    node.lift(41, 0.05)
    node.lift(42, 0.35)
    card(kiosk, "idle")
    assert kiosk.faults == []


def test_each_parcel_that_is_taken_without_a_code_is_asked_for(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    for place in range(2):
        shop.order(f"web-22{place}", 221 + place)
        node.stand(221 + place, 0.05 + 0.4 * place)
    shop.ready(221, 222)
    card(kiosk, "idle")
    node.lift(221, 0.05)
    card(kiosk, "wrong", "Scan your code first")
    kiosk.eval(
        "(() => { const at = performance.now.bind(performance);"
        " performance.now = () => at() + 20000; return true; })()"
    )
    card(kiosk, "idle")
    node.lift(222, 0.45)
    card(kiosk, "wrong", "Scan your code first")
    assert kiosk.faults == []


def test_what_opens_nothing_says_why_and_what_to_do(kiosk: Any, shop: Shop, node: WallNode) -> None:
    card(kiosk, "idle")
    type_code(kiosk, "no-code-of-ours")
    card(kiosk, "refused", "We do not know this code")
    code = shop.order("web-5", 51)
    type_code(kiosk, code)
    kiosk.until_text("Your parcel is not here yet", "#stage")
    shop.post("orders/web-5/cancel", reason="changed my mind")
    type_code(kiosk, code)
    kiosk.until_text("This order was cancelled", "#stage")
    assert kiosk.eval(f"{INVITING} === null")
    card(kiosk, "idle")
    assert kiosk.faults == []


def test_an_order_that_is_cancelled_while_it_shines_invites_nobody(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    shown(kiosk, shop, node, "web-6", 61)
    shop.post("orders/web-6/cancel", reason="")
    card(kiosk, "refused", "This order was cancelled")
    assert kiosk.eval(f"{INVITING} === null")
    card(kiosk, "idle")


@pytest.mark.parametrize("state", ["off", "unplugged", "calibrating"])
def test_without_light_nothing_is_invited(
    kiosk: Any, shop: Shop, node: WallNode, state: str
) -> None:
    number = {"off": 71, "unplugged": 72, "calibrating": 73}[state]
    shown(kiosk, shop, node, f"web-7-{state}", number)
    node.project(state, reason="bumped")
    card(kiosk, "out", "This wall is out of order")
    assert kiosk.eval(f"{INVITING} === null")
    node.project("true", residual_mm=1.2)
    card(kiosk, "showing", "green ring")
    node.lift(number, 0.1)
    card(kiosk, "done")


def test_a_blocked_camera_and_a_dead_node_put_the_wall_out_of_order(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    card(kiosk, "idle")
    node.blind(True, "covered")
    card(kiosk, "out", "Please ask our staff")
    code = shop.order("web-8", 81)
    node.stand(81, 0.1)
    shop.ready(81)
    type_code(kiosk, code)
    card(kiosk, "refused", "The wall cannot see your parcel")
    node.blind(False)
    card(kiosk, "idle")
    type_code(kiosk, code)
    card(kiosk, "showing")
    node.die()
    card(kiosk, "out")
    assert kiosk.eval(f"{INVITING} === null")
    shop.post("orders/web-8/cancel")


def test_a_label_that_is_there_twice_is_shown_to_nobody(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    shown(kiosk, shop, node, "web-12", 121)
    node.see(node.thing(122, "stands", 0.5, 0.52, text=f"00{sscc(121)}"))
    card(kiosk, "refused", "We cannot show your parcel")
    assert kiosk.eval(f"{INVITING} === null")
    node.see(node.thing(122, "stands", 0.5, 0.52, text="SOMETHING-ELSE-122"))
    # Which of the two went away nobody knows: it is shown again when staff have looked.
    (alarm,) = shop.get(f"walls/{node.wall_id}")["alarms"]
    shop.post(f"walls/{node.wall_id}/alarms/{alarm['number']}/clear")
    card(kiosk, "showing", "green ring")
    node.lift(121, 0.1)
    card(kiosk, "done")


def test_without_the_hub_nothing_old_is_shown(
    kiosk: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    shown(kiosk, shop, node, "web-9", 91)
    store.end("hub")
    card(kiosk, "out", "No connection to the store")
    assert kiosk.eval(f"{INVITING} === null")
    store.start_hub(**SETTINGS)
    kiosk.until("!document.querySelector('.card.out')")
    shop.post("orders/web-9/cancel")


def test_while_the_hub_hangs_nothing_old_is_shown(
    kiosk: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    """Its connection stands, so that only its silence can tell: six seconds of it, where streams
    that send nobody anywhere are borne with for thirty."""
    shown(kiosk, shop, node, "web-hung", 191)
    hub = store._processes["hub"]
    hub.send_signal(signal.SIGSTOP)
    began_s = time.monotonic()
    try:
        card(kiosk, "out", "No connection to the store")
        assert time.monotonic() - began_s < SILENT_S_MAX
        assert kiosk.eval(f"{INVITING} === null")
    finally:
        hub.send_signal(signal.SIGCONT)
    card(kiosk, "showing", "green ring")
    node.lift(191, 0.1)
    card(kiosk, "done")


def test_it_speaks_three_languages_and_can_be_still(kiosk: Any, node: WallNode) -> None:
    card(kiosk, "idle", "Scan your code")
    kiosk.eval(
        "globalThis.spoken = []; speechSynthesis.speak = (one) => spoken.push([one.lang, one.text])"
    )
    for language, words in (("fr", "Scannez votre code"), ("de", "Code scannen")):
        kiosk.click(f'#languages [lang="{language}"]')
        card(kiosk, "idle", words)
        assert kiosk.eval("document.documentElement.lang") == language
        assert kiosk.eval("document.activeElement.lang || true")
    type_code(kiosk, "no-code-of-ours-at-all")
    card(kiosk, "refused", "Wir kennen diesen Code nicht")
    said = kiosk.eval("spoken")
    assert [language for language, _ in said] == ["de"]
    assert said[0][1].startswith("Wir kennen diesen Code nicht.")
    kiosk.click("#mute")
    kiosk.until("document.querySelector('#mute').getAttribute('aria-pressed') === 'true'")
    assert kiosk.text("#mute") == "Ton an"
    card(kiosk, "idle")
    type_code(kiosk, "no-code-of-ours-either")
    card(kiosk, "refused")
    assert kiosk.eval("spoken.length") == 1
    kiosk.click("#mute")
    card(kiosk, "idle")


def test_a_code_may_be_typed_by_hand(kiosk: Any, shop: Shop, node: WallNode) -> None:
    code = shop.order("web-10", 101)
    node.stand(101, 0.1)
    shop.ready(101)
    card(kiosk, "idle")
    kiosk.click("summary")
    kiosk.eval("document.querySelector('#code').focus()")
    kiosk.send("Input.insertText", text=code)
    kiosk.click(".typing button")
    card(kiosk, "showing", "green ring")
    node.lift(101, 0.1)
    card(kiosk, "done")


CAMERA = """
globalThis.inView = '';
globalThis.BarcodeDetector = class {
  static async getSupportedFormats() { return ['qr_code', 'ean_13']; }
  constructor({ formats }) { globalThis.wanted = formats; }
  async detect() { return globalThis.inView ? [{ rawValue: globalThis.inView }] : []; }
};
navigator.mediaDevices.getUserMedia = async () => document.createElement('canvas').captureStream();
"""
"""This browser has no eyes: what its camera and its reader of codes would say."""


def test_the_browsers_camera_reads_codes_where_it_can(
    kiosk: Any, store: Store, shop: Shop, node: WallNode
) -> None:
    assert kiosk.eval("document.querySelector('#camera') === null")
    code = shop.order("web-13", 131)
    node.stand(131, 0.1)
    shop.ready(131)
    kiosk.send("Page.addScriptToEvaluateOnNewDocument", source=CAMERA)
    kiosk.goto(f"{store.hub_url}/kiosk/{node.wall_id}?lang=en&camera#{SCREEN}")
    card(kiosk, "idle")
    kiosk.click("#camera")
    kiosk.until("document.querySelector('#view')?.srcObject")
    kiosk.until_text("Stop the camera", "#ways")
    assert kiosk.eval("wanted") == ["qr_code"]
    kiosk.eval(f"globalThis.inView = {json.dumps(code)}")
    card(kiosk, "showing", "green ring")
    kiosk.click("#camera")
    kiosk.until("document.querySelector('#view') === null")
    node.lift(131, 0.1)
    card(kiosk, "done")
    assert kiosk.faults == []


def test_it_is_read_from_two_metres_without_colours_and_without_motion(
    kiosk: Any, shop: Shop, node: WallNode
) -> None:
    shown(kiosk, shop, node, "web-11", 111)
    pairs = "ink/ground ink/card soft/ground soft/card look-a/card look-b/card warn/card amber/card"
    assert [pair for pair, ratio in kiosk.contrasts(pairs) if ratio < 4.5] == []
    sizes = "parseFloat(getComputedStyle(document.querySelector('.card h1')).fontSize)"
    assert kiosk.eval(sizes) >= 0.05 * 1080
    small = "[...document.querySelectorAll('button, summary')].filter((b) => b.offsetHeight < 44)"
    assert kiosk.eval(f"{small}.length") == 0
    assert kiosk.eval("[...document.images].every((image) => image.hasAttribute('alt'))")
    assert kiosk.eval("document.querySelector('#said').getAttribute('aria-live')") == "assertive"
    reduced = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    kiosk.send("Emulation.setEmulatedMedia", features=reduced)
    moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
    assert kiosk.eval(moving) == 0
    for width, height in ((1080, 1920), (1280, 800), (800, 600)):
        kiosk.size(width, height)
        assert kiosk.eval("document.documentElement.scrollWidth <= innerWidth")
        assert kiosk.eval("document.documentElement.scrollHeight <= innerHeight"), (width, height)
    node.lift(111, 0.1)
    card(kiosk, "done")


def test_a_kiosk_without_its_token_shows_nothing(chromium: Any, store: Store) -> None:
    store.end("hub")
    store.start_hub(
        SCREEN_TOKENS=json.dumps({WALL: SCREEN}), STAFF_PASSWORD="a-password-of-the-tests"
    )
    tab = chromium.tab()
    try:
        tab.goto(f"{store.hub_url}/kiosk/{WALL}?lang=en#wrong")
        card(tab, "out", "No connection to the store")
    finally:
        tab.close()
