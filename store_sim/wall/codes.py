"""Symbols that labels carry, as modules; made by zxing-cpp, whose creator is the zint library.

>>> symbol("datamatrix", "340123450000000017").shape
(16, 16)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from contracts.ids import gtin_check_digit
from contracts.labels import digital_link, element_string
from contracts.wall import Symbology

__all__ = ["label_text", "marker_bits", "plain_symbol", "sscc", "symbol"]

_MARKERS = (
    "b5320f9a332d9946549e79cd9e2ec4f2fedacf56f99111a70eb72a0f24b1263e"
    "466566006c5e76af868bb02bccd5dd82fe479471ace4a5542123346f441557b2"
    "9ecff0cb08ae0929187504ff0df61c5a17182a28328c38b224e82eeb2d3f4b64"
    "502e5013"
)
"""Dictionary DICT_4X4_50 of OpenCV: sixteen bits a marker, row by row, 1 is white."""


def sscc(serial: int, *, extension: int = 3, company: str = "4012345") -> str:
    """An SSCC of 18 digits with its check digit; `company` is the range GS1 shows examples in."""
    body = f"{extension}{company}{serial:0{16 - len(company)}d}"
    return body + str(gtin_check_digit(body))


def label_text(symbology: Symbology, key: str) -> str:
    """What a reader reports of a parcel's label, as contracts.wall_messages.LabelRead has it."""
    return digital_link(key) if symbology == "qr" else element_string(key)


@lru_cache(maxsize=512)
def _modules(symbology: str, text: str, gs1: bool) -> NDArray[np.bool_]:
    formats = zxingcpp.BarcodeFormat
    if symbology == "qr":
        made = zxingcpp.create_barcode(text, formats.QRCode, ec_level="M")
    else:
        which = formats.Code128 if symbology == "code128" else formats.DataMatrix
        made = zxingcpp.create_barcode(text, which, gs1=gs1)
    picture = np.array(made.to_image(scale=1, add_quiet_zones=False))
    return np.asarray(picture < 128)


def symbol(symbology: Symbology, key: str) -> NDArray[np.bool_]:
    """The modules (rows, columns) of a parcel's symbol, True is dark; one row for Code 128.

    A QR code holds the GS1 Digital Link of the SSCC, Code 128 and DataMatrix its element string
    after FNC1 (GS1-128, GS1 DataMatrix).
    """
    text = digital_link(key) if symbology == "qr" else f"(00){key}"
    found = _modules(symbology, text, symbology != "qr")
    return found[:1] if symbology == "code128" else found


def plain_symbol(symbology: Symbology, text: str) -> NDArray[np.bool_]:
    """The modules of a symbol that holds some text and is none of GS1's."""
    found = _modules(symbology, text, False)
    return found[:1] if symbology == "code128" else found


def marker_bits(marker: int) -> NDArray[np.bool_]:
    """The 6 by 6 cells of a marker, its black border included; True is dark."""
    word = int(_MARKERS[4 * marker : 4 * marker + 4], 16)
    cells = np.ones((6, 6), np.bool_)
    for k in range(16):
        cells[1 + k // 4, 1 + k % 4] = not (word >> (15 - k)) & 1
    return cells
