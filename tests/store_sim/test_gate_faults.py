"""Gates that misread: the wrong codes are wrong, the right one comes, nobody is impersonated."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.ports import GateScan
from store_sim.dials import GateDials
from store_sim.gate_faults import TRIES_MAX, GateReader
from store_sim.recording import shopper_code, shopper_of

CODE = "K7F3-99QX-mm2a"


def reads(misread: float, seed: int, count: int, code: str = CODE) -> list[list[tuple[float, str]]]:
    reader = GateReader(GateDials(misread=misread), seed)
    return [reader.read(GateScan("entry", 10.0 * n, code)) for n in range(count)]


def test_a_perfect_reader_gives_each_scan_as_it_is() -> None:
    assert reads(0.0, 1, 50) == [[(10.0 * n, CODE)] for n in range(50)]


def test_the_share_of_misread_scans_is_that_of_the_dial() -> None:
    tries = reads(0.3, 2, 2000)
    assert sum(len(one) > 1 for one in tries) / 2000 == pytest.approx(0.3, abs=0.03)
    # Several tries happen, but few.
    assert 0.05 < sum(len(one) > 2 for one in tries) / 2000 < 0.15


def test_the_right_code_comes_last_about_a_second_after_a_wrong_one() -> None:
    gaps = []
    for n, tries in enumerate(reads(1.0, 3, 500)):
        assert 2 <= len(tries) <= TRIES_MAX
        assert tries[0][0] == 10.0 * n
        assert tries[-1][1] == CODE
        assert all(code != CODE for _, code in tries[:-1])
        gaps += np.diff([t_s for t_s, _ in tries]).tolist()
    assert min(gaps) >= 0.7
    assert max(gaps) <= 1.5
    assert np.mean(gaps) == pytest.approx(1.1, abs=0.1)


def test_wrong_codes_have_a_character_or_two_altered_or_are_cut_short() -> None:
    kinds: set[int | str] = set()
    for tries in reads(1.0, 4, 300):
        for _, code in tries[:-1]:
            if len(code) < len(CODE):
                assert CODE.startswith(code)
                assert len(code) <= len(CODE) // 2
                kinds.add("cut")
            else:
                assert len(code) == len(CODE)
                kinds.add(sum(a != b for a, b in zip(code, CODE, strict=True)))
    assert kinds == {"cut", 1, 2}


def test_nobody_is_taken_for_somebody_else() -> None:
    """In a recording a code is a shopper's number: a misread one must not be another's."""
    for shopper in (0, 1, 7, 12, 105):
        for tries in reads(1.0, shopper, 300, shopper_code(shopper)):
            assert all(shopper_of(code) is None for _, code in tries[:-1])


@pytest.mark.parametrize("code", ["", "7", "a", "é", "-"])
def test_short_and_strange_codes(code: str) -> None:
    for tries in reads(1.0, 5, 40, code):
        assert tries[-1][1] == code
        assert all(wrong not in (code, "") for _, wrong in tries[:-1])
        assert (len(tries) == 1) is (code == "")


def test_the_same_seed_gives_the_same_reads() -> None:
    assert reads(0.5, 6, 200) == reads(0.5, 6, 200)
    assert reads(0.5, 6, 200) != reads(0.5, 7, 200)
