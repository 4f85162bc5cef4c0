"""Receipts as a document, a page and a PDF: whole, numbered without a gap, of any script."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from sqlalchemy import text

from auditor.ledger import audit
from contracts.store_file import StoreFile, parse_store_file
from hub.commands import AddPromotion, RefundLine, RefundVisit
from hub.errors import SettingsError
from hub.levels import PLACES_LEVEL
from hub.pages.words import money
from hub.receipts.document import Receipt, ReceiptLine, VatRow
from hub.receipts.link import receipt_path
from hub.receipts.page import receipt_html
from hub.receipts.pdf import FONT_FILE, ReceiptPrinter
from hub.receipts.words import amount, at, rate
from hub.reports.vat import amount_text
from hub.retention.commands import Forget
from hub.retention.service import forgotten_token
from hub.rules import Rules
from hub.service import Hub
from hub.settings import HubSettings, load_settings
from hub.store.database import _scripts, open_engine
from hub.wallet.fake import FakeGateway
from hub.wallet.sales import amount_text as wallet_amount
from tests.hub.after_kit import BREAD, COLA, Place
from tests.hub.bearing import bearing

SELLER = "Corner Shop & Söhne\\n1 Main Street\\nVAT DE123456789"


@pytest.fixture
def layout(store_text: str) -> StoreFile:
    """A store in Berlin."""
    said = "currency: EUR\ntime_zone: Europe/Berlin\n"
    return parse_store_file(store_text.replace("currency: EUR\n", said), name="tiny.yaml")


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db"), tmp_path, receipt_seller=SELLER)


def text_of(pdf: bytes) -> str:
    """The text a PDF shows: glyphs of its embedded font mapped back through its ToUnicode table."""
    streams = [
        # A checksum may end in what looks like the line break before "endstream".
        zlib.decompressobj().decompress(found[1]) if found[1][:1] == b"x" else found[1]
        for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    ]
    letters: dict[str, str] = {}
    for stream in streams:
        for glyph, code in re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,8})>\n", stream):
            letters[glyph.decode().upper()] = bytes.fromhex(code.decode()).decode("utf-16-be")
    shown = []
    for stream in streams:
        for found in re.finditer(rb"\(((?:\\.|[^\\()])*)\) Tj", stream, re.DOTALL):
            raw = re.sub(
                rb"\\(r|n|t|[\\()])",
                lambda m: {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(m[1], m[1]),
                found[1],
            )
            shown.append("".join(letters.get(raw[i : i + 2].hex().upper(), "?")
                                 for i in range(0, len(raw), 2)))  # fmt: skip
    return "\n".join(shown)


def test_page_json_and_pdf_say_the_same(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True), (COLA, True), (BREAD, True)])
    token = opened["token"]
    document = place.http.get("/api/v1/phones/me/receipt", headers=bearing(token)).json()
    assert (document["number"], document["total_minor"], document["due_minor"]) == (1, 487, 487)
    assert document["captured_minor"] == 487
    assert document["time_zone"] == "Europe/Berlin"
    assert [row["rate"] for row in document["vat"]] == ["0.0700", "0.1900"]
    assert sum(row["gross_minor"] for row in document["vat"]) == 487
    link = place.http.get("/api/v1/phones/me", headers=bearing(token)).json()["receipt_path"]
    page = place.http.get(link)
    assert page.headers["cache-control"] == "no-store"
    assert "script" not in page.headers["content-security-policy"]
    assert "Corner Shop &amp; Söhne<br>1 Main Street" in page.text
    for part in ("2 ×</b> Cola", "EUR 4.87", "19 %", "GTIN " + BREAD, "1970-01-01 01:00 CET"):
        assert part in page.text, part
    assert place.http.get("/receipt-files/receipt.css").status_code == 200
    pdf = place.http.get("/api/v1/phones/me/receipt.pdf", headers=bearing(token))
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    shown = text_of(pdf.content)
    for part in (
        "Receipt 1",
        "1970-01-01 01:00 CET",
        "Corner Shop & Söhne",
        "2 × Cola",
        "EUR 4.87",
        "19 %",
        BREAD,
    ):
        assert part in shown, part
    assert place.http.get(f"/api/v1/staff/visits/{opened['visit_id']}/receipt.pdf").is_success


def test_corrections_and_their_taxes_are_shown(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True), (COLA, True), (BREAD, True)])
    lines = (RefundLine(line=1, quantity=1), RefundLine(line=2, quantity=1))
    place.driver.command(
        RefundVisit(refund_id="r", visit_id=opened["visit_id"], lines=lines, reason="<bad>")
    )
    document = place.http.get("/api/v1/phones/me/receipt", headers=bearing(opened["token"])).json()
    assert (document["refunded_minor"], document["due_minor"]) == (368, 119)
    assert document["corrections"][0]["lines"] == [["Cola", 1], ["Bread", 1]]
    assert {row["rate"]: row["gross_minor"] for row in document["vat"]} == {
        "0.0700": 0,
        "0.1900": 119,
    }
    mine = bearing(opened["token"])
    link = place.http.get("/api/v1/phones/me", headers=mine).json()["receipt_path"]
    page = place.http.get(link).text
    assert "Given back" in page
    assert "-3.68" in page
    assert "<bad>" not in page
    pdf = text_of(place.http.get("/api/v1/phones/me/receipt.pdf", headers=mine).content)
    assert "1 × Cola, 1 × Bread" in pdf


def test_taxes_of_what_is_left_of_a_promotion_are_those_booked(place: Place, day: Any) -> None:
    """Three for two: a piece costs 79 and a third, so that what is left depends on rounding."""
    place.driver.command(
        AddPromotion(
            promotion_id="p", offer="n_for_m", name="three for two", gtins=(COLA,), take=3, pay=2
        )
    )
    opened = place.bought(day, [(COLA, True), (COLA, True), (COLA, True)])
    for number, due in ((1, 159), (2, 79), (3, 0)):
        place.driver.command(
            RefundVisit(
                refund_id=f"r{number}",
                visit_id=opened["visit_id"],
                lines=(RefundLine(line=1, quantity=1),),
            )
        )
        document = place.http.get(
            "/api/v1/phones/me/receipt", headers=bearing(opened["token"])
        ).json()
        assert document["due_minor"] == due
        (row,) = document["vat"]
        vat_booked = -place.shop.hub.core.state.wallets.ledger.posted("vat:0.1900")
        assert (row["gross_minor"], row["vat_minor"]) == (due, vat_booked)


def test_before_the_settlement_there_is_none(place: Place) -> None:
    opened = place.opened()
    mine = bearing(opened["token"])
    for url in ("/api/v1/phones/me/receipt", "/api/v1/phones/me/receipt.pdf"):
        assert place.http.get(url, headers=mine).status_code == 422
    assert place.http.get("/api/v1/phones/me", headers=mine).json()["receipt_path"] is None


def test_the_link_of_a_receipt_opens_that_receipt_alone(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    mine = bearing(opened["token"])
    link = place.http.get("/api/v1/phones/me", headers=mine).json()["receipt_path"]
    assert opened["token"] not in link
    page = place.http.get(link).text
    assert opened["token"] not in page
    pdf = place.http.get(f"{link}/pdf")
    assert (pdf.headers["content-type"], f'href="{link}/pdf"' in page) == ("application/pdf", True)
    secret = link.rsplit(".", 1)[1]
    stranger = place.opened()["visit_id"]
    for wrong in (
        f"/receipt/{opened['token']}",
        f"/receipt/{stranger}.{secret}",
        f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}",
        f"/receipt/v-none.{secret}",
    ):
        answer = place.http.get(wrong)
        assert (answer.status_code, answer.json()["instance"]) == (404, "/receipt/…"), wrong
    for token in (secret, link.removeprefix("/receipt/")):
        assert place.http.get("/api/v1/phones/me", headers=bearing(token)).status_code in (401, 404)
    place.driver.command(Forget(visit_ids=(opened["visit_id"],), counts={}))
    assert place.http.get(link).status_code == 404
    guessed = receipt_path(opened["visit_id"], forgotten_token(opened["visit_id"]))
    assert place.http.get(guessed).status_code == 404


def test_numbers_have_no_gap_and_follow_the_settlements(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db", rules=Rules()), tmp_path)
    for number in range(3):
        place.opened()
        place.bought(day, [(COLA, True)] if number != 1 else [], 1.0 + 20 * number)
    gateway = place.shop.hub.gateway
    place.shop.hub.close()
    again = Place(make_shop("hub.db", gateway=gateway), tmp_path)
    again.now_s = place.now_s
    again.bought(day, [(BREAD, True)], place.now_s + 1.0)
    export = again.shop.hub.export_json()
    assert sorted(row["number"] for row in export["receipts"]) == [1, 2, 3, 4]
    assert audit(export)["receipts are numbered without a gap"] == []
    assert export["receipts"][1]["total_minor"] == 0


def test_old_receipts_get_numbers_by_their_settlements(
    tmp_path: Path, make_shop: Callable[..., Any], day: Any
) -> None:
    """A database from before receipts were numbered."""
    place = Place(make_shop("old.db"), tmp_path)
    for number in range(3):
        place.bought(day, [(COLA, True)], 1.0 + 20 * number)
    order = [e["visit_id"] for e in place.events if e["kind"] == "visit.settled"]
    place.shop.hub.close()
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = _scripts()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        connection.commit()
        columns = connection.execute(text("SELECT * FROM receipts LIMIT 1")).keys()
        assert "number" not in columns
        connection.execute(text("UPDATE receipts SET issued_us = 5"))
        connection.commit()
    engine.dispose()
    hub = make_shop("old.db", gateway=place.shop.hub.gateway).hub
    rows = hub.export_json()["receipts"]
    assert {row["visit_id"]: row["number"] for row in rows} == {
        visit_id: number for number, visit_id in enumerate(order, 1)
    }


def receipt(name: str, **more: Any) -> Receipt:
    """A receipt of one line."""
    line = ReceiptLine(1, COLA, name, 2, 150, more.pop("discount", 0), "two for one", 300, "0.1900",
                       48, 0)  # fmt: skip
    return Receipt(
        store=more.pop("store", "Shop"), store_id="shop", time_zone="UTC", number=7, visit_id="v-1",
        issued_us=1_700_000_000_000_000, currency=more.pop("currency", "EUR"), lines=(line,),
        vat=(VatRow("0.1900", 252, 48, 300),), corrections=(), total_minor=300, refunded_minor=0,
        captured_minor=300, debt_minor=0, not_charged=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Crème brûlée ½ – Ω", "Crème brûlée ½ – Ω"),
        ("Квас хлебный", "Квас хлебный"),
        ("Ελληνική φέτα", "Ελληνική φέτα"),
        ("豆腐 tofu", "[U+8C46][U+8150] tofu"),
        ("🍎 apple", "[U+1F34E] apple"),
        ("\u0645\u0627\u0621", "[U+0645][U+0627][U+0621]"),
    ],
)
def test_names_of_any_script_lose_nothing(name: str, shown: str) -> None:
    pdf = ReceiptPrinter(seller="").render(receipt(name))
    found = text_of(pdf)
    assert shown in found.replace("\n", " ")
    assert COLA in found
    assert name in receipt_html(receipt(name), pdf_url="x", seller="")


def font_of(letters: str, path: Path) -> Path:
    """A font with these letters, each an empty glyph."""
    names = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    made = FontBuilder(1000)
    made.setupGlyphOrder(names)
    made.setupCharacterMap(dict(zip(map(ord, letters), names[1:], strict=True)))
    made.setupGlyf({name: TTGlyphPen(None).glyph() for name in names})
    made.setupHorizontalMetrics(dict.fromkeys(names, (500, 0)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Store", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    made.save(path)
    return path


def test_a_font_of_the_store_adds_its_script(tmp_path: Path) -> None:
    found = font_of("ջուր", tmp_path / "armenian.ttf")
    printer = ReceiptPrinter(seller="", fonts=(found,))
    assert printer.spelled("ջուր 水") == "ջուր [U+6C34]"
    assert printer.render(receipt("ջուր")).startswith(b"%PDF")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(SettingsError, match="RECEIPT_FONTS"):
        ReceiptPrinter(seller="", fonts=(broken,))


def test_the_embedded_font_is_small_and_licensed() -> None:
    assert FONT_FILE.stat().st_size < 300_000
    assert "Bitstream Vera" in (FONT_FILE.parent / "LICENSE.txt").read_text()


def test_a_long_receipt_takes_several_pages() -> None:
    one = receipt("A name that is long enough to need a second line in its narrow column, surely")
    many = Receipt(**{**{n: getattr(one, n) for n in Receipt.__slots__}, "lines": one.lines * 80})
    pdf = ReceiptPrinter(seller="").render(many)
    assert pdf.count(b"/Type /Page\n") > 2


def test_discounts_and_markup_in_names() -> None:
    html = receipt_html(receipt("<i>x</i>", discount=50), pdf_url="x", seller="<b>")
    assert "<i>x" not in html
    assert "two for one -0.50" in html
    assert "&lt;b&gt;" in html
    assert "two for one -0.50" in text_of(
        ReceiptPrinter(seller="").render(receipt("x", discount=50))
    )


@pytest.mark.parametrize(
    ("currency", "said"),
    [("EUR", "1,234.56"), ("VND", "123,456"), ("UGX", "123,456"), ("JOD", "123.456")],
)
def test_receipts_pages_and_reports_know_the_same_minor_units(currency: str, said: str) -> None:
    """A currency that one of them did not know was off by a hundred there."""
    assert amount(123_456, currency) == said
    assert amount_text(123_456, currency) == said
    assert wallet_amount(123_456, currency) == f"{said.replace(',', '')} {currency}"
    before = wallet_amount(123_456, "VND", level=PLACES_LEVEL - 1)
    assert before == "1234.56 VND", "as it stands in journals of before"
    assert money(123_456, currency).removeprefix("€").removeprefix(f"{currency} ") == said


def test_words_of_receipts() -> None:
    assert [amount(300, "JPY"), amount(-1234567, "EUR")] == ["300", "-12,345.67"]
    assert [rate("0.0550"), rate("0.0000")] == ["5.5 %", "0 %"]
    assert at(1_700_000_000_000_000, "America/New_York") == "2023-11-14 17:13 EST"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TIME_ZONE": "Mars/Olympus"}, "time zone"),
        ({"SMTP_HOST": "mail.example.org"}, "SMTP_SENDER"),
        (
            {"SMTP_HOST": "mail.example.org", "SMTP_SENDER": "a@b.example", "SMTP_TLS": "none"},
            "in the clear",
        ),
    ],
)
def test_settings_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("SORTIE_HUB_STORE_FILE", "store.yaml")
    for key, value in settings.items():
        monkeypatch.setenv(f"SORTIE_HUB_{key}", value)
    with pytest.raises(SettingsError, match=said):
        load_settings()


def test_a_product_that_left_the_store_stays_on_its_receipt(
    store_text: str, tmp_path: Path, make_shop: Callable[..., Any], day: Any
) -> None:
    place = Place(make_shop("hub.db"), tmp_path)
    opened = place.bought(day, [(BREAD, True)])
    gateway = place.shop.hub.gateway
    attributor = type(place.shop.hub.core.state.attributor)
    place.shop.hub.close()
    renamed = parse_store_file(store_text.replace("name: Bread", "name: Loaf"), name="t.yaml")
    assert isinstance(gateway, FakeGateway)
    hub = Hub.open(
        renamed,
        url=f"sqlite:///{tmp_path / 'hub.db'}",
        attributor=attributor,
        gateway=gateway,
        rules=Rules(clock_wait_s=0.0),
    )
    try:

        class Shop:
            def __init__(self) -> None:
                self.hub = hub

        again = Place(Shop(), tmp_path)
        again.now_s = place.now_s
        document = again.http.get(
            "/api/v1/phones/me/receipt", headers=bearing(opened["token"])
        ).json()
        assert document["lines"][0]["name"] == "Bread"
    finally:
        hub.close()


def test_settings_hold_their_defaults() -> None:
    settings = HubSettings(store_file=Path("x"))
    assert settings.smtp_host is None
    assert settings.training_dir is None
