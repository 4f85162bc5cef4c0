"""What codes of bars look like: the bars of each character, and how characters follow each other.

A code of bars is a row of slots, each as many modules wide as its patterns; a slot holds one of an
alphabet's patterns (a digit) or just one (a guard). Neighbouring slots always differ in colour at
their border, so that a pattern can be compared with a picture without knowing its neighbours.

Standards: GS1 General Specifications 5.2 (EAN/UPC), ISO/IEC 15417 (Code 128), 16388 (Code 39),
16390 (Interleaved 2 of 5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

__all__ = [
    "CODE39_CHARS", "CODE128", "PARITIES", "UPC_E_PARITIES", "Alphabet", "Layout", "Slot",
    "alphabet", "code128_text", "layouts", "linear_modules", "upc_e_expanded",
]  # fmt: skip

_EAN = ("3211", "2221", "2122", "1411", "1132", "1231", "1114", "1312", "1213", "3112")
PARITIES = (
    "LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL",
    "LGGLGL",
)  # fmt: skip
"""How an EAN-13's left half tells its first digit."""
UPC_E_PARITIES = (
    "GGGLLL", "GGLGLL", "GGLLGL", "GGLLLG", "GLGGLL", "GLLGGL", "GLLLGG", "GLGLGL", "GLGLLG",
    "GLLGLG",
)  # fmt: skip
"""How a UPC-E (number system 0) tells its check digit."""
CODE128 = tuple(
    re.findall(
        r"\d{6}",
        "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 "
        "112232 122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 "
        "311222 321122 321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 "
        "112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
        "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
        "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 "
        "122411 142112 142211 241211 221114 413111 241112 134111 111242 121142 121241 114212 "
        "124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
        "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 ",
    )
)
"""Code 128's 106 characters: widths of bar, space, bar, space, bar, space."""
_CODE128_STOP = "2331112"
CODE39_CHARS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%*"
_CODE39 = (
    0x034, 0x121, 0x061, 0x160, 0x031, 0x130, 0x070, 0x025, 0x124, 0x064, 0x109, 0x049, 0x148,
    0x019, 0x118, 0x058, 0x00D, 0x10C, 0x04C, 0x01C, 0x103, 0x043, 0x142, 0x013, 0x112, 0x052,
    0x007, 0x106, 0x046, 0x016, 0x181, 0x0C1, 0x1C0, 0x091, 0x190, 0x0D0, 0x085, 0x184, 0x0C4,
    0x0A8, 0x0A2, 0x08A, 0x02A, 0x094,
)  # fmt: skip
"""Nine elements of each character, the highest bit first; 1 is wide."""
_ITF = ("00110", "10001", "01001", "11000", "00101", "10100", "01100", "00011", "10010", "01010")
_FNC1 = "\x1d"


@dataclass(frozen=True)
class Alphabet:
    """Patterns that one slot may hold: widths in modules, all of one sum, beginning with a bar
    or (`dark_first` False) with a space."""

    widths: tuple[tuple[float, ...], ...]
    dark_first: bool

    @property
    def modules(self) -> float:
        """How wide a slot is."""
        return sum(self.widths[0])


@dataclass(frozen=True)
class Slot:
    """A place for one pattern: alphabet by name, from which module on."""

    alphabet: str
    start: float


@dataclass(frozen=True)
class Layout:
    """A whole code of a format with so many characters."""

    format: str
    slots: tuple[Slot, ...]
    modules: float
    guards: tuple[int, ...]
    """Slots that hold one pattern only, or (Code 128's start) few."""
    edges: int
    """Between dark and light, the two outermost among them."""


@cache
def alphabet(name: str) -> Alphabet:
    """An alphabet by name; `code39:2.5` has the ratio of wide to narrow elements in its name."""
    kind, _, number = name.partition(":")
    ratio = float(number) if number else 0.0
    left = [_widths(one) for one in _EAN]
    if kind == "ean-lg":
        return Alphabet((*left, *(one[::-1] for one in left)), dark_first=False)
    if kind == "ean-l":
        return Alphabet(tuple(left), dark_first=False)
    if kind == "ean-r":
        return Alphabet(tuple(left), dark_first=True)
    if kind == "code128":
        return Alphabet(tuple(_widths(one) for one in CODE128), dark_first=True)
    if kind == "code128-start":
        return Alphabet(tuple(_widths(one) for one in CODE128[103:106]), dark_first=True)
    if kind == "code39":
        return Alphabet(tuple(_code39(bits, ratio) for bits in _CODE39[:-1]), dark_first=True)
    if kind == "code39-star":
        return Alphabet((_code39(_CODE39[-1], ratio),), dark_first=True)
    if kind == "itf":
        pairs = tuple(_itf_pair(k // 10, k % 10, ratio) for k in range(100))
        return Alphabet(pairs, dark_first=True)
    if kind == "itf-stop":
        return Alphabet(((ratio, 1.0, 1.0),), dark_first=True)
    fixed = {
        "ean-side": ("111", True), "ean-middle": ("11111", False), "upc-e-end": ("111111", False),
        "code128-stop": (_CODE128_STOP, True), "itf-start": ("1111", True),
    }  # fmt: skip
    pattern, dark = fixed[kind]
    return Alphabet((_widths(pattern),), dark_first=dark)


def _widths(pattern: str) -> tuple[float, ...]:
    return tuple(float(digit) for digit in pattern)


def _code39(bits: int, ratio: float) -> tuple[float, ...]:
    """Nine elements and the narrow gap after them."""
    return (*((ratio if bits >> (8 - k) & 1 else 1.0) for k in range(9)), 1.0)


def _itf_pair(first: int, second: int, ratio: float) -> tuple[float, ...]:
    widths = []
    for bar, space in zip(_ITF[first], _ITF[second], strict=True):
        widths += [ratio if bar == "1" else 1.0, ratio if space == "1" else 1.0]
    return tuple(widths)


def _row(format_: str, names: list[str], *, tail: float = 0.0) -> Layout:
    slots, at = [], 0.0
    for name in names:
        slots.append(Slot(name, at))
        at += alphabet(name).modules
    guards = tuple(
        k for k, name in enumerate(names) if len(alphabet(name).widths) <= 3 or k in (0,)
    )
    edges = 1 + sum(len(alphabet(name).widths[0]) for name in names) - (1 if tail else 0)
    return Layout(format_, tuple(slots), at - tail, guards, edges)


@cache
def layouts(format_: str, characters_max: int = 30) -> tuple[Layout, ...]:
    """Every layout of a format, by number of characters; none for formats not known here."""
    if format_ == "ean13":
        names = ["ean-side", *["ean-lg"] * 6, "ean-middle", *["ean-r"] * 6, "ean-side"]
        return (_row(format_, names),)
    if format_ == "ean8":
        names = ["ean-side", *["ean-l"] * 4, "ean-middle", *["ean-r"] * 4, "ean-side"]
        return (_row(format_, names),)
    if format_ == "upc_e":
        return (_row(format_, ["ean-side", *["ean-lg"] * 6, "upc-e-end"]),)
    if format_ == "code128":
        return tuple(
            _row(format_, ["code128-start", *["code128"] * (n + 1), "code128-stop"])
            for n in range(2, characters_max + 1)
        )
    if format_ == "code39":
        return tuple(
            _row(
                format_,
                [f"code39-star:{r}", *[f"code39:{r}"] * n, f"code39-star:{r}"],
                tail=1.0,
            )
            for n in range(1, characters_max // 2 + 1)
            for r in (2.0, 2.5, 3.0)
        )
    if format_ == "itf":
        return tuple(
            _row(format_, ["itf-start", *[f"itf:{r}"] * n, f"itf-stop:{r}"])
            for n in range(2, characters_max // 2 + 1)
            for r in (2.0, 2.5, 3.0)
        )
    return ()


def linear_modules(format_: str, text: str) -> int:
    """Modules between the outer edges of a code of bars that says `text`; 0 where it cannot be
    said from the text alone (Code 39 and ITF have two widths whose ratio varies)."""
    fixed = {"ean13": 95, "ean8": 67, "upc_e": 51}
    if format_ in fixed:
        return fixed[format_]
    if format_ == "code128":
        return 11 * (_code128_length(text) + 2) + 13
    return 0


def _code128_length(text: str) -> int:
    """Characters the shortest Code 128 of a text has, start, check and stop not counted."""
    # What it costs to have written so much, ending in set B (or A) and in set C.
    far = 10**6
    one, two = [0] + [far] * len(text), [0] + [far] * len(text)
    for k in range(len(text)):
        special = text[k] == _FNC1
        one[k] = min(one[k], two[k] + 1)
        two[k] = min(two[k], one[k] + 1)
        one[k + 1] = min(one[k + 1], one[k] + (1 if ord(text[k]) < 128 or special else 2))
        if special:
            two[k + 1] = min(two[k + 1], two[k] + 1)
        elif text[k : k + 2].isascii() and len(pair := text[k : k + 2]) == 2 and pair.isdigit():
            two[k + 2] = min(two[k + 2], two[k] + 1)
    return min(one[-1], two[-1])


def code128_text(codes: tuple[int, ...]) -> str | None:
    """The text of Code 128's characters, start and check character included, stop left out; None
    if the check character or anything else is not right. FNC1 in first place is left out."""
    start, *data, check = codes
    if start not in (103, 104, 105) or not data:
        return None
    if (start + sum(k * code for k, code in enumerate(data, 1))) % 103 != check:
        return None
    sets, text, shifted, upper, locked = (
        {103: "A", 104: "B", 105: "C"}[start],
        "",
        False,
        False,
        False,
    )
    for place, code in enumerate(data):
        now = ("B" if sets == "A" else "A") if shifted else sets
        shifted = False
        if now == "C" and code < 100:
            text += f"{code:02d}"
        elif code < 64 or (now == "B" and code < 96):
            text += chr(code + 32 + 128 * (upper != locked))
            upper = False
        elif now == "A" and code < 96:
            text += chr(code - 64 + 128 * (upper != locked))
            upper = False
        elif code == 102:
            text += "" if place == 0 else _FNC1
        elif code == 98 and now != "C":
            shifted = True
        elif code == 99 and now != "C":
            sets = "C"
        elif (code, now) in ((100, "A"), (100, "C")):
            sets = "B"
        elif (code, now) in ((101, "B"), (101, "C")):
            sets = "A"
        elif (code, now) in ((100, "B"), (101, "A")):
            # FNC4: the next character is above 127; two of them: all are, until two more.
            locked, upper = (not locked, False) if upper else (locked, True)
        else:
            return None
    return None if shifted or upper or not text else text


def upc_e_expanded(text: str) -> str:
    """The UPC-A (12 digits) that a UPC-E (8 digits, number system first) stands for."""
    system, d, check = text[0], text[1:7], text[7]
    if d[5] in "012":
        body = d[:2] + d[5] + "0000" + d[2:5]
    elif d[5] == "3":
        body = d[:3] + "00000" + d[3:5]
    elif d[5] == "4":
        body = d[:4] + "00000" + d[4]
    else:
        body = d[:5] + "0000" + d[5]
    return system + body + check
