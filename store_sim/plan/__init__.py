"""Planning a store: what its cameras and plates cover, what is wrong with it, and drawings of it.

Pure geometry of a store file; nothing here runs a world or renders a picture.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> check = check_store(load_store_file(Path("store_sim/stores/demo.yaml")))
>>> check.errors
()
"""

from __future__ import annotations

from store_sim.plan.check import StoreCheck, check_store
from store_sim.plan.coverage import BoardCoverage, FloorCoverage
from store_sim.plan.findings import Finding
from store_sim.plan.page import html_page
from store_sim.plan.png import write_png

__all__ = [
    "BoardCoverage",
    "Finding",
    "FloorCoverage",
    "StoreCheck",
    "check_store",
    "html_page",
    "write_png",
]
