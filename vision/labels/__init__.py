"""Codes in pictures: QR, DataMatrix, codes of bars; read by several readers, believed when proven.

codes = read_codes(rgb)                     # photos: everything, whatever it takes
reader = CodeReader(CodeReaderSettings())
codes = reader.read(gray, [(x0, y0, x1, y1)])   # video: labels of walls, quickly
"""

from vision.labels.code import FORMATS, Code, module_px
from vision.labels.engines import missing_engines
from vision.labels.extent import part_of
from vision.labels.reader import CodeReader, CodeReaderSettings, Roi
from vision.labels.reading import read_codes
from vision.labels.text import TextLine, TextReader, TextReaderMissingError, open_text_reader

__all__ = [
    "FORMATS", "Code", "CodeReader", "CodeReaderSettings", "Roi", "TextLine", "TextReader",
    "TextReaderMissingError", "missing_engines", "module_px", "open_text_reader", "part_of",
    "read_codes",
]  # fmt: skip
