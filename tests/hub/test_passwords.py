"""New passwords against what everybody tries first."""

from __future__ import annotations

import importlib

import pytest

from hub.accounts import codes
from hub.accounts.errors import PasswordRefusedError
from hub.accounts.passwords import LENGTH_MIN, check_password


def refused(password: str, name: str = "anna") -> bool:
    try:
        check_password(password, name=name)
    except PasswordRefusedError:
        return True
    return False


def test_what_the_lists_know_is_refused() -> None:
    lists = importlib.import_module("zxcvbn.frequency_lists").FREQUENCY_LISTS
    assert len(lists["passwords"]) >= 3_000
    long = [word for word in lists["passwords"] if len(word) >= LENGTH_MIN]
    assert len(long) > 200
    assert [word for word in long if not refused(word)] == []
    # Most of the 3,000 commonest are too short: nor is one taken with a year and a mark behind it,
    # or twice.
    for word in lists["passwords"][:3_000:10]:
        for made in (f"{word.title()}2024!", word + word):
            assert len(made) < LENGTH_MIN or refused(made), made


@pytest.mark.parametrize(
    "bad",
    ["michaeljordan23", "Jamesbond007!", "qweasdzxc123", "123456789abc", "finalfantasy",
     "12.03.1987 12", "s0rtie2026!!"],
)  # fmt: skip
def test_what_people_make_of_them_is_refused(bad: str) -> None:
    assert refused(bad)


def test_ones_own_name_is_no_secret() -> None:
    assert refused("bartholomew.k1", name="bartholomew.k")
    assert not refused("bartholomew.k1 otters gravel", name="bartholomew.k")


def test_what_the_hub_makes_and_what_nobody_guesses_is_taken() -> None:
    for _ in range(50):
        check_password(codes.first_password(), name="anna")
    for good in ("lantern gravel fourteen otters", "kZ3!mWq9pLx2", "漢字 über zwölf"):
        assert not refused(good), good
