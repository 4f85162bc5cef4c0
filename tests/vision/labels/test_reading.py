"""Codes in pictures: turned, slanted, blurred, dim; in photos, in frames and in regions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sortie.photos import read_picture
from tests.vision.labels.prints import Gray, printed, seen
from vision.errors import FrameError
from vision.labels import Code, CodeReader, CodeReaderSettings, read_codes
from vision.labels.engines import read_zxing
from vision.labels.locate import find_bars, find_squares

PHOTOS = Path(__file__).resolve().parents[4] / "shared/realdata/barcodes"
LABELS = {
    "qr": "https://id.gs1.org/00/340123450000000017",
    "code128": "JD014600006281230701",
    "datamatrix": "00340123450000000017",
}
TURNS = [0, 15, 30, 45, 60, 75, 90]


def _texts(codes: tuple[Code, ...]) -> list[str]:
    return sorted(code.text for code in codes)


@pytest.mark.parametrize("turn_deg", TURNS)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_read_at_every_turn(kind: str, turn_deg: int) -> None:
    picture, corners = seen(printed(kind, LABELS[kind]), module_px=2.6, turn_deg=turn_deg)
    for codes in (CodeReader().read(picture), read_codes(picture)):
        assert _texts(codes) == [LABELS[kind]]
        assert codes[0].symbology == codes[0].format == kind
        middle = codes[0].polygon.mean(axis=0) - corners.mean(axis=0)
        assert np.linalg.norm(middle) < 8.0


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("slant_deg", [25, 45])
def test_labels_are_read_from_aside(kind: str, slant_deg: int) -> None:
    picture, _ = seen(printed(kind, LABELS[kind]), module_px=2.8, turn_deg=20, slant_deg=slant_deg)
    assert _texts(CodeReader().read(picture)) == [LABELS[kind]]


@pytest.mark.parametrize("kind", LABELS)
def test_blurred_labels_are_read(kind: str) -> None:
    picture, _ = seen(printed(kind, LABELS[kind]), module_px=2.6, blur_px=1.1, turn_deg=10)
    assert _texts(CodeReader().read(picture)) == [LABELS[kind]]


@pytest.mark.parametrize("kind", LABELS)
def test_dim_labels_are_read(kind: str) -> None:
    picture, _ = seen(printed(kind, LABELS[kind]), module_px=3.0, turn_deg=10)
    dim = (picture * 0.16 + 20).astype(np.uint8)
    assert _texts(CodeReader().read(dim)) == [LABELS[kind]]
    assert _texts(read_codes(dim)) == [LABELS[kind]]


def test_a_slanted_code_128_that_the_engine_passes_over_is_located_and_read() -> None:
    label = printed("code128", LABELS["code128"], high=30)
    picture, corners = seen(label, module_px=2.6, turn_deg=40)
    assert read_zxing(picture, ("code128",)) == ()
    (code,) = CodeReader().read(picture)
    assert code.text == LABELS["code128"]
    assert np.abs(code.polygon - corners).max() < 15.0


@pytest.mark.parametrize(
    ("kind", "text"),
    [("ean13", "9780441014989"), ("ean8", "42191605"), ("upc_e", "01264904"),
     ("code39", "CODE-39"), ("itf", "2167361334")],
)  # fmt: skip
def test_other_codes_are_read_blurred_and_turned(kind: str, text: str) -> None:
    picture, _ = seen(printed(kind, text), module_px=2.0, blur_px=1.0, turn_deg=33)
    codes = read_codes(picture)
    assert [(code.format, code.text, code.symbology) for code in codes] == [(kind, text, None)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("code93", "ABC123"), ("codabar", "A12345B"), ("databar", "0112345678901231"),
     ("aztec", "hello"), ("micro_qr", "12345")],
)  # fmt: skip
def test_codes_that_only_engines_know_are_read(kind: str, text: str) -> None:
    picture, _ = seen(printed(kind, text), module_px=3.0, turn_deg=20)
    codes = read_codes(picture)
    assert [(code.format, code.text) for code in codes] == [(kind, text)]


def _sheet(labels: list[Gray], gap: int = 40) -> Gray:
    wide = max(one.shape[1] for one in labels) + 2 * gap
    rows = [np.full((gap, wide), 130, np.uint8)]
    for one in labels:
        row = np.full((one.shape[0] + gap, wide), 130, np.uint8)
        row[: one.shape[0], gap : gap + one.shape[1]] = one
        rows.append(row)
    return np.vstack(rows)


def _large(label: Gray, times: int = 3) -> Gray:
    return np.repeat(np.repeat(label, times, axis=0), times, axis=1)


def test_all_labels_of_a_picture_are_read_twins_apart() -> None:
    labels = [_large(printed(kind, text)) for kind, text in LABELS.items()]
    twin = _large(printed("qr", LABELS["qr"]))
    codes = CodeReader().read(_sheet([*labels, twin]))
    assert _texts(codes) == sorted([*LABELS.values(), LABELS["qr"]])


def test_only_regions_are_read_and_places_are_of_the_frame() -> None:
    labels = [_large(printed(kind, text)) for kind, text in LABELS.items()]
    frame = _sheet(labels)
    reader = CodeReader()
    whole = {code.text: code.polygon for code in reader.read(frame)}
    top = labels[0].shape[0] + 60
    (code,) = reader.read(frame, [(0, 0, frame.shape[1], top)])
    assert code.text == LABELS["qr"]
    assert np.abs(code.polygon - whole[code.text]).max() < 3.0
    assert reader.read(frame, []) == ()
    assert reader.read(frame, [(-50, -50, 3, 3), (9_000, 0, 9_100, 90)]) == ()


def test_only_the_asked_formats_are_read_in_frames() -> None:
    frame = _sheet([_large(printed(kind, text)) for kind, text in LABELS.items()])
    only = CodeReader(CodeReaderSettings(formats=("datamatrix",)))
    assert _texts(only.read(frame)) == [LABELS["datamatrix"]]
    other, _ = seen(printed("ean13", "9780441014989"), module_px=3.0)
    assert CodeReader().read(other) == ()


def test_closer_looks_are_bounded() -> None:
    """Slanted codes cost a look each: without looks only what the engine reads is left."""
    label = printed("code128", LABELS["code128"], high=30)
    picture, _ = seen(label, module_px=2.6, turn_deg=40)
    assert CodeReader(CodeReaderSettings(bars_most=0, squares_most=0)).read(picture) == ()


def test_half_a_code_is_not_read() -> None:
    for kind, text in (("code128", LABELS["code128"]), ("ean13", "9780441014989"),
                       ("itf", "21673613342167361334"), ("code39", "PARCEL39")):  # fmt: skip
        label = _large(printed(kind, text))
        picture = _sheet([label])
        for share in (0.35, 0.5, 0.65):
            hidden = picture.copy()
            hidden[:, : int(share * picture.shape[1])] = 90
            assert read_codes(hidden) == (), (kind, share)
            assert CodeReader().read(hidden) == (), (kind, share)


@pytest.mark.parametrize("seed", range(3))
def test_clutter_has_no_codes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = np.full((500, 700), 150, np.uint8)
    for k in range(120):
        x = 20 + 5 * k
        shade = int(rng.integers(30, 220))
        cv2.rectangle(picture, (x, 60), (x + int(rng.integers(1, 5)), 200), (shade,), -1)
    for row in range(240, 480, 26):
        words = "".join(chr(int(c)) for c in rng.integers(97, 123, 40))
        cv2.putText(picture, words, (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (20,), 2)
    assert read_codes(picture) == ()
    assert CodeReader().read(picture) == ()


def test_places_are_found_where_codes_are() -> None:
    picture, corners = seen(printed("code128", "JD0146"), module_px=2.5, turn_deg=25)
    best = find_bars(picture)[0]
    assert np.linalg.norm(best.polygon.mean(axis=0) - corners.mean(axis=0)) < 10.0
    along, edge = best.polygon[1] - best.polygon[0], corners[1] - corners[0]
    cosine = abs(float(along @ edge)) / float(np.linalg.norm(along) * np.linalg.norm(edge))
    assert cosine > 0.995
    square, around = seen(printed("datamatrix", LABELS["datamatrix"]), module_px=3.0)
    middles = [polygon.mean(axis=0) for polygon in find_squares(square)]
    assert min(np.linalg.norm(middle - around.mean(axis=0)) for middle in middles) < 25.0
    assert find_bars(np.full((200, 300), 128, np.uint8)) == []
    assert find_squares(np.full((200, 300), 128, np.uint8)) == []


def test_colour_and_grey_are_read_alike() -> None:
    picture, _ = seen(printed("qr", LABELS["qr"]), module_px=3.0)
    rgb = np.repeat(picture[..., None], 3, axis=2)
    assert _texts(read_codes(rgb)) == _texts(read_codes(picture)) == [LABELS["qr"]]
    with pytest.raises(FrameError, match="expected a picture"):
        CodeReader().read(rgb[..., :2])


@pytest.mark.parametrize(
    ("file", "texts"),
    [
        ("zxing/upca-2/10.webp", {"0181497000879"}),
        ("zxing/upca-2/38.webp", {"0012546619592"}),
        ("zxing/ean13-4/06.webp", {"9780441014989"}),
        ("zxing/ean13-1/36.webp", {"5000213101025"}),
        ("quagga2/i2of5/image-004.jpg", {"2167361334"}),
        ("quagga2/code_39/image-009.jpg", {"2/4-8/16-32"}),
        ("quagga2/code_128/image-001.jpg", {"0001285112001000040801"}),
        ("zxing/datamatrix-2/08.webp", {"http://google.com/m"}),
    ],
)
def test_photos_that_engines_fail_on_are_read_and_nothing_else(file: str, texts: set[str]) -> None:
    if not (PHOTOS / file).is_file():
        pytest.skip(f"no photos in {PHOTOS}")
    assert {code.text for code in read_codes(read_picture(PHOTOS / file))} == texts


def test_photos_hold_no_misread() -> None:
    """A tenth of the photos: what is read and not in the list is a second code of the photo."""
    if not (PHOTOS / "ground_truth.csv").is_file():
        pytest.skip(f"no photos in {PHOTOS}")
    from benchmarks.labels import measure_photos

    found = measure_photos(PHOTOS, every=12)
    assert found is not None
    ours, engines = found["all"]["ours"], found["all"]["any"]
    assert ours["misread"] == 0
    assert ours["read"] >= engines["read"]
    assert ours["share"] >= 0.8
