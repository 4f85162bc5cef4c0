"""Scoring: cases x seeds x sensor sets, resumed where it stopped, as table, JSON and HTML.

`plan` says what is to be run, `work` runs one task in a worker, `pool` spreads tasks over the
cores, `results` keeps what is done, `summary` puts it together, `table` and `page` show it.
"""

from __future__ import annotations

__all__: list[str] = []
