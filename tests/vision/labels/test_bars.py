"""Tables of bars against another's printing of the same codes."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from contracts.ids import gtin_check_digit
from tests.vision.labels.prints import printed
from vision.labels.bars import (
    CODE39_CHARS,
    CODE128,
    alphabet,
    code128_text,
    layouts,
    linear_modules,
    upc_e_expanded,
)


def _row(kind: str, text: str) -> list[int]:
    """The widths of a printed code's bars and spaces, modules."""
    dark = printed(kind, text, quiet=1)[2] < 128
    edges = np.flatnonzero(np.diff(dark.astype(int))) + 1
    return [int(width) for width in np.diff(edges)]


def _code128_codes(text: str) -> tuple[int, ...]:
    widths = _row("code128", text)
    assert widths[-7:] == [2, 3, 3, 1, 1, 1, 2]
    names = ["".join(map(str, widths[k : k + 6])) for k in range(0, len(widths) - 7, 6)]
    return tuple(CODE128.index(name) for name in names)


def test_every_character_of_code_39_is_printed_alike() -> None:
    chars = CODE39_CHARS[:-1]
    widths = _row("code39", chars)
    ratio = max(widths)
    name = f"code39:{ratio:.1f}"
    for k, char in enumerate(chars):
        start = 10 * (k + 1)
        ours = [round(width) for width in alphabet(name).widths[k]]
        assert widths[start : start + 9] == ours[:9], char


def test_every_pair_of_itf_is_printed_alike() -> None:
    for pair in range(100):
        widths = _row("itf", f"{pair:02d}{(99 - pair):02d}")
        ratio = max(widths)
        ours = [round(width) for width in alphabet(f"itf:{ratio:.1f}").widths[pair]]
        assert widths[4:14] == ours, pair


@pytest.mark.parametrize(
    "text",
    ["JD014600006281230701", "00340123450000000017", "a B\x01c", "12345", "óóóó1234óóabózz", "aó"],
)
def test_code_128_says_what_was_printed(text: str) -> None:
    assert code128_text(_code128_codes(text)) == text


def test_a_wrong_check_character_says_nothing() -> None:
    codes = _code128_codes("JD014600006281230701")
    assert code128_text((*codes[:-1], (codes[-1] + 1) % 103)) is None
    assert code128_text((codes[0], codes[2], codes[1], *codes[3:])) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [("ean13", "9780441014989"), ("ean8", "42191605"), ("upc_e", "01264904"),
     ("code128", "JD014600006281230701"), ("code128", "00340123450000000017"),
     ("code128", "673023"), ("code128", "a1234b")],
)  # fmt: skip
def test_a_code_is_as_wide_as_its_text_says(kind: str, text: str) -> None:
    assert linear_modules(kind, text) == sum(_row(kind, text))


def test_layouts_are_as_wide_and_have_as_many_edges_as_codes_have() -> None:
    for kind, text in (("ean13", "9780441014989"), ("ean8", "42191605"), ("upc_e", "01264904")):
        widths, (layout,) = _row(kind, text), layouts(kind)
        assert layout.modules == sum(widths)
        assert layout.edges == len(widths) + 1
    widths = _row("code39", "AB")
    shapes = {(round(one.modules), one.edges) for one in layouts("code39")}
    assert (sum(widths), len(widths) + 1) in shapes


@pytest.mark.parametrize("text", ["04965802", "03897425", "05096893", "01264904", "01234505"])
def test_upc_e_stands_for_a_upc_a(text: str) -> None:
    upc = upc_e_expanded(text)
    assert len(upc) == 12
    body = zxingcpp.create_barcode(text[:7], zxingcpp.BarcodeFormat.UPCE)
    assert f"0{upc[:11]}{gtin_check_digit(upc[:11])}" == body.text
