"""Plain text on labels, behind a port: what people read, never what a parcel is known by.

    reader = open_text_reader()          # TextReaderMissingError says what is missing
    lines = reader.read(gray)            # (H, W) uint8

The one driver is Tesseract through pytesseract, neither of which comes with the store: a reader of
text costs a second a picture and is no help to what shines green. Any object with `read` will do.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vision.errors import VisionError
from vision.labels.code import Gray, Points

__all__ = [
    "TesseractReader", "TextLine", "TextReader", "TextReaderMissingError", "open_text_reader",
]  # fmt: skip

CONFIDENCE_MIN = 40.0
"""Percent, Tesseract's own; less is mostly noise."""


class TextReaderMissingError(VisionError):
    """No reader of text is installed: says what mends it."""


@dataclass(frozen=True, eq=False)
class TextLine:
    """One line of text. `polygon` (4, 2) float32 as in Code, upright; `score` 0 to 1."""

    text: str
    polygon: Points
    score: float


class TextReader(Protocol):
    """Reads lines of text."""

    def read(self, gray: Gray) -> tuple[TextLine, ...]:
        """Lines in a picture (H, W) uint8, from top to bottom."""
        ...


class TesseractReader:
    """Tesseract's lines. `engine` is the module pytesseract."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def read(self, gray: Gray) -> tuple[TextLine, ...]:
        """See TextReader."""
        found = self._engine.image_to_data(gray, output_type=self._engine.Output.DICT)
        lines: dict[tuple[int, int, int], list[int]] = {}
        for k, word in enumerate(found["text"]):
            if word.strip() and float(found["conf"][k]) >= CONFIDENCE_MIN:
                names = ("block_num", "par_num", "line_num")
                block, paragraph, line = (int(found[name][k]) for name in names)
                lines.setdefault((block, paragraph, line), []).append(k)
        read = [self._line(found, words) for words in lines.values()]
        return tuple(sorted(read, key=lambda one: (float(one.polygon[0, 1]), one.text)))

    def _line(self, found: dict[str, Any], words: list[int]) -> TextLine:
        left = min(found["left"][k] for k in words)
        top = min(found["top"][k] for k in words)
        right = max(found["left"][k] + found["width"][k] for k in words)
        bottom = max(found["top"][k] + found["height"][k] for k in words)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        score = min(float(found["conf"][k]) for k in words) / 100.0
        text = " ".join(found["text"][k].strip() for k in words)
        return TextLine(text, np.array(corners, np.float32), score)


def open_text_reader() -> TextReader:
    """The reader that is installed; TextReaderMissingError if none is."""
    try:
        engine = importlib.import_module("pytesseract")
    except ImportError as error:
        raise TextReaderMissingError(
            "text is not read: expected pytesseract and Tesseract, got neither installed; mend "
            "with: apt-get install tesseract-ocr, and pip install pytesseract"
        ) from error
    try:
        engine.get_tesseract_version()
    except (OSError, SystemExit) as error:
        raise TextReaderMissingError(
            "text is not read: pytesseract is installed, the program tesseract is not; mend with: "
            "apt-get install tesseract-ocr"
        ) from error
    return TesseractReader(engine)
