"""Scenarios by name.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> store = load_store_file(Path("store_sim/stores/demo.yaml"))
>>> build("easy", store, seed=7, shoppers=12).at_most
4
"""

from __future__ import annotations

from store_sim.scenarios.registry import CASES, SCENARIOS, Case, Entry, build, script_text

__all__ = ["CASES", "SCENARIOS", "Case", "Entry", "build", "script_text"]
