"""The engines' words in ours, and work without one of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np
import pytest

from tests.vision.labels.prints import printed, seen
from vision.errors import FrameError
from vision.labels import engines as engines_module
from vision.labels import missing_engines, module_px, read_codes
from vision.labels.engines import read_zbar, read_zxing


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Modules named in the list cannot be imported."""
    gone: list[str] = []
    real = importlib.import_module

    def load(name: str, package: str | None = None) -> object:
        if name in gone:
            raise ImportError(f"no {name}")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", load)
    engines_module._engine.cache_clear()
    yield gone
    engines_module._engine.cache_clear()


@pytest.mark.parametrize("turn_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("kind", ["qr", "code128", "datamatrix"])
def test_polygons_begin_at_the_codes_own_upper_left(kind: str, turn_deg: int) -> None:
    picture, corners = seen(printed(kind, "JD0146"), module_px=4.0, turn_deg=turn_deg)
    readings = [*read_zxing(picture), *read_zbar(picture)]
    assert {one.text for one in readings} == {"JD0146"}
    assert len(readings) == (1 if kind == "datamatrix" else 2)
    for one in readings:
        # zbar's lines begin and end within a bar or two of the code's ends.
        off = 24.0 if one.engine == "zbar" else 6.0
        assert np.abs(one.polygon - corners).max() <= off, one.engine


def test_upc_a_is_told_as_its_ean_and_upc_e_as_printed() -> None:
    upc = printed("ean13", "0039047013551")
    picture, _ = seen(upc, module_px=3.0)
    assert {(one.format, one.text) for one in read_codes(picture)} == {("ean13", "0039047013551")}
    short, _ = seen(printed("upc_e", "01264904"), module_px=3.0)
    for readings in (read_zxing(short), read_zbar(short)):
        assert [(one.format, one.text) for one in readings] == [("upc_e", "01264904")]


def test_a_missing_engine_is_said_and_the_other_goes_on(without: list[str]) -> None:
    picture, _ = seen(printed("ean13", "9780441014989"), module_px=3.0)
    assert missing_engines() == ()
    without.append("pyzbar.pyzbar")
    engines_module._engine.cache_clear()
    (line,) = missing_engines()
    assert "libzbar" in line
    assert "apt-get install libzbar0" in line
    assert read_zbar(picture) == ()
    assert [one.text for one in read_codes(picture)] == ["9780441014989"]


def test_without_any_engine_bars_are_still_read(without: list[str]) -> None:
    without += ["pyzbar.pyzbar", "zxingcpp"]
    engines_module._engine.cache_clear()
    assert len(missing_engines()) == 2
    picture, _ = seen(printed("ean13", "9780441014989"), module_px=3.0, turn_deg=25)
    assert [one.text for one in read_codes(picture)] == ["9780441014989"]


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 5), np.uint8),
     np.zeros(7, np.uint8), "picture"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(picture: object) -> None:
    with pytest.raises(FrameError, match="expected a picture"):
        read_codes(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text"), [("qr", "https://id.gs1.org/00/340123450000000017"), ("datamatrix", "JD01")]
)
def test_pixels_a_module_are_told_of_square_codes(kind: str, text: str) -> None:
    picture, _ = seen(printed(kind, text), module_px=3.5)
    (code,) = read_codes(picture)
    assert code.symbology == kind
    assert module_px(code) == pytest.approx(3.5, abs=0.2)


def test_pixels_a_module_are_told_of_bars() -> None:
    picture, _ = seen(printed("code128", "JD014600006281230701"), module_px=3.0, turn_deg=30)
    (code,) = read_codes(picture)
    assert code.symbology == "code128"
    assert module_px(code) == pytest.approx(3.0, abs=0.15)
