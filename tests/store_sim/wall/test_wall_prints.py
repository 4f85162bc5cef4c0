"""What is printed can be read: symbols, check digits, markers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp
from pyzbar import pyzbar

from contracts.labels import label_key, sscc_of
from contracts.wall import LabelPrint, Symbology
from store_sim.wall.codes import label_text, marker_bits, sscc, symbol
from store_sim.wall.prints import PrintDials, label_size_mm, make_label, marker_print

KINDS = {
    "qr": LabelPrint(symbology="qr", modules=29, module_mm=2.5),
    "code128": LabelPrint(symbology="code128", modules=156, module_mm=0.94),
    "datamatrix": LabelPrint(symbology="datamatrix", modules=16, module_mm=2.5),
}


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.pad(cv2.cvtColor(pixels[..., :3].copy(), cv2.COLOR_RGB2GRAY), 20, mode="edge")


@pytest.mark.parametrize("symbology", list(KINDS))
def test_a_label_reads_as_its_parcels_key(symbology: Symbology) -> None:
    key = sscc(4711)
    kind = KINDS[symbology]
    label = make_label(kind, key, np.random.default_rng(1))
    found = zxingcpp.read_barcodes(_grey(label.pixels), text_mode=zxingcpp.TextMode.Plain)
    assert [one.text.removeprefix("\x1d") for one in found] == [label_text(symbology, key)]
    assert label_key(label_text(symbology, key)) == f"sscc:{key}"
    if symbology != "qr":
        assert found[0].symbology_identifier in ("]C1", "]d2"), "FNC1 says that it is GS1's"
    # The symbol is as wide as the wall's file says, and as large as the label tells.
    assert symbol(symbology, key).shape[1] == kind.modules
    x0, _, x1, _ = label.code_mm
    assert x1 - x0 == pytest.approx(kind.modules * kind.module_mm)
    assert (label.width_mm, label.height_mm) == label_size_mm(kind)
    if symbology != "datamatrix":
        assert [
            one.data.decode().removeprefix("\x1d") for one in pyzbar.decode(_grey(label.pixels))
        ] == [label_text(symbology, key)]


def test_keys_have_right_check_digits_and_differ() -> None:
    keys = [sscc(serial) for serial in range(200)]
    assert all(sscc_of(key) == key for key in keys)
    assert len(set(keys)) == 200
    assert sscc_of(keys[0][:-1] + str((int(keys[0][-1]) + 1) % 10)) is None


def test_markers_are_those_of_the_dictionary() -> None:
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    for marker in range(50):
        picture = np.pad(marker_print(marker)[..., 0], 30, constant_values=160)
        _, ids, _ = detector.detectMarkers(picture)
        assert ids is not None
        assert ids.ravel().tolist() == [marker]
        assert marker_bits(marker)[0].all(), "its border is black"


def test_worn_prints_are_worse_but_the_same_size() -> None:
    key, kind = sscc(99), KINDS["qr"]
    good = make_label(kind, key, np.random.default_rng(2))
    worn = make_label(
        kind, key, np.random.default_rng(2),
        PrintDials(fade=0.5, specks=0.01, streaks=3, wrinkle_mm=1.0, smudge=0.5),
    )  # fmt: skip
    assert worn.pixels.shape == good.pixels.shape
    dark = [int((one.pixels[..., 0] < 60).sum()) for one in (good, worn)]
    assert dark[1] < 0.5 * dark[0], "faded ink is no longer black"


def test_a_bare_or_plain_label_holds_no_gs1_key() -> None:
    rng = np.random.default_rng(3)
    bare = make_label(KINDS["qr"], sscc(5), rng, bare=True)
    assert zxingcpp.read_barcodes(_grey(bare.pixels)) == []
    plain = make_label(KINDS["qr"], sscc(5), rng, plain="JD014600006281230701")
    (found,) = zxingcpp.read_barcodes(_grey(plain.pixels))
    assert label_key(found.text) == "text:JD014600006281230701"
