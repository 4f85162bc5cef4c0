"""One code a place; what disagrees is dropped unless one text is better founded."""

from __future__ import annotations

import numpy as np

from vision.labels.code import WALL_FORMATS, Points
from vision.labels.engines import Reading
from vision.labels.merge import believed, gathered, overlap


def _box(x: float, y: float, wide: float = 100.0, high: float = 40.0) -> Points:
    return np.array([(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)], np.float32)


def _reading(
    text: str, format_: str = "ean13", *, engine: str = "zxing", way: str = "whole",
    polygon: Points | None = None,
) -> Reading:  # fmt: skip
    return Reading(text, format_, _box(10, 10) if polygon is None else polygon, engine, 0, way)


def _texts(*readings: Reading, alone: tuple[str, ...] | None = None) -> list[str]:
    evidence = gathered(readings)
    found = believed(evidence) if alone is None else believed(evidence, alone=alone)
    return [one.text for one in found]


def test_two_engines_that_agree_make_one_code() -> None:
    both = (_reading("4006209700068"), _reading("4006209700068", engine="zbar"))
    assert _texts(*both) == ["4006209700068"]


def test_one_engine_in_one_way_is_not_believed_of_bars_but_is_of_error_corrected_codes() -> None:
    assert _texts(_reading("4006209700068")) == []
    assert _texts(_reading("4006209700068"), _reading("4006209700068")) == []
    assert _texts(_reading("4006209700068"), _reading("4006209700068", way="straight")) != []
    assert _texts(_reading("hello", "qr")) == ["hello"]


def test_codes_without_a_check_want_two_engines_or_a_proof() -> None:
    twice = (_reading("1334", "itf"), _reading("1334", "itf", way="straight"))
    assert _texts(*twice) == []
    assert _texts(*twice, _reading("1334", "itf", engine="zbar")) == ["1334"]
    assert _texts(*twice, _reading("1334", "itf", engine="bars", way="bars")) == ["1334"]


def test_two_texts_at_one_place_drop_both() -> None:
    one = (_reading("5030159003930"), _reading("5030159003930", engine="zbar"))
    other = (_reading("7034759003930"), _reading("7034759003930", engine="zbar", way="straight"))
    assert _texts(*one, *other) == []


def test_the_text_that_the_bars_prove_stands_against_another() -> None:
    one = (_reading("5030159003930"), _reading("5030159003930", engine="bars", way="bars"))
    other = (_reading("7034759003930"), _reading("7034759003930", engine="zbar"))
    assert _texts(*one, *other) == ["5030159003930"]


def test_a_part_of_a_code_falls_to_the_whole() -> None:
    whole = _reading("2167361334", "itf", engine="bars", polygon=_box(10, 10, 300))
    part = _reading("1334", "itf", engine="bars", polygon=_box(200, 12, 110, 30))
    assert _texts(whole, part) == ["2167361334"]


def test_a_lone_reading_disagrees_with_a_lone_reading() -> None:
    """In video one engine's word will do, but not against another word at the same place."""
    one, other = _reading("JD01", "code128"), _reading("JD02", "code128", way="straight")
    assert _texts(one, alone=WALL_FORMATS) == ["JD01"]
    assert _texts(one, other, alone=WALL_FORMATS) == []


def test_the_same_label_twice_is_two_codes() -> None:
    apart = (_reading("JD01", "qr"), _reading("JD01", "qr", polygon=_box(10, 90)))
    assert _texts(*apart) == ["JD01", "JD01"]
    beside = [
        _reading("JD01", "code128", engine=engine, polygon=_box(x, 10, 100, 20))
        for engine in ("zxing", "zbar")
        for x in (10, 160)
    ]
    assert _texts(*beside) == ["JD01", "JD01"]


def test_lines_through_the_same_bars_are_one_code() -> None:
    lines = (
        _reading("673023", "code128", polygon=_box(10, 10, 100, 0)),
        _reading("673023", "code128", engine="zbar", polygon=_box(12, 20, 98, 4)),
    )
    found = believed(gathered(lines))
    assert len(found) == 1
    assert np.ptp(found[0].polygon[:, 1]) == 4


def test_overlap_is_of_the_smaller() -> None:
    assert overlap(_box(0, 0), _box(0, 0)) == 1.0
    assert overlap(_box(0, 0), _box(50, 0)) == 0.5
    assert overlap(_box(0, 0), _box(10, 10, 20, 10)) == 1.0
    assert overlap(_box(0, 0), _box(200, 0)) == 0.0
