"""Displays at gates: what every driver does, and what the text display writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.signs import ExitSign, GateSigns, Mark
from hardware.displays import MemoryDisplay, TextDisplay, TextDisplaySettings
from hardware.errors import DeviceOpenError
from hardware.ports import ExitDisplay

Make = Callable[[], tuple[ExitDisplay, Callable[[], str]]]


def sign(words: str, until_s: float = 10.0) -> ExitSign:
    mark = Mark(colour="blue", symbol="star")
    return ExitSign(mark=mark, state="total", words=words, until_s=until_s)


@pytest.fixture(params=["memory", "text"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ExitDisplay, Callable[[], str]]:
    """A display and what stands on it."""
    if request.param == "memory":
        memory = MemoryDisplay()
        return memory, lambda: "|".join(one.words for one in memory.shown)
    path = tmp_path / "display"
    text = TextDisplay(TextDisplaySettings(path=path))
    return text, lambda: path.read_bytes().rpartition(b"\f")[2].decode("cp437")


def test_signs_are_shown_in_order_and_cleared(
    made: tuple[ExitDisplay, Callable[[], str]],
) -> None:
    display, now = made
    signs = GateSigns(gate_id="exit", signs=(sign("3 items, 7.40"), sign("1 item, 1.19", 20.0)))
    display.show(signs, now_s=1.0)
    assert now().index("3 items, 7.40") < now().index("1 item, 1.19")
    display.show(signs, now_s=15.0)
    assert "7.40" not in now()
    assert "1.19" in now()
    display.close()
    display.close()
    assert "1.19" not in now()


def test_a_text_display_writes_changes_only(tmp_path: Path) -> None:
    path = tmp_path / "display"
    display = TextDisplay(TextDisplaySettings(path=path, columns=20, rows=1))
    signs = GateSigns(gate_id="exit", signs=(sign("3 items, 7.40"), sign("x")))
    for _ in range(3):
        display.show(signs, now_s=1.0)
    assert path.read_bytes() == b"\fBLUE STAR 3 items, 7"
    display.close()
    display.show(signs, now_s=1.0)
    assert path.read_bytes().endswith(b"\f")


def test_a_display_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match="cable"):
        TextDisplay(TextDisplaySettings(path=tmp_path / "no" / "display"))
