"""Passwords: argon2id, a minimum length, and none of those that everybody tries first.

What everybody tries is known from zxcvbn: 30,000 leaked passwords, words and names of several
languages, dates, walks on keyboards, and what people make of them. A password that is found so
within ten thousand million guesses is refused; so is what the list below has.

No rules of composition and no changing by the calendar: length is what makes guessing dear.
Parameters follow OWASP's second set (19 MiB, two passes, one lane), so that a burst of logins
does not take the hub's memory; a hash made with weaker ones is renewed at the next login.
"""

from __future__ import annotations

import importlib
import re
import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hub.accounts.errors import PasswordRefusedError

__all__ = ["LENGTH_MAX", "LENGTH_MIN", "Passwords", "check_password"]

LENGTH_MIN = 12
LENGTH_MAX = 256
AT_ONCE_MAX = 2
GUESSES_MIN = 10_000_000_000
"""What zxcvbn calls out of reach even for who has the hashes, where each try is slow."""
LOOKED_AT_MAX = 32
"""Of a longer password the beginning is looked at: the search takes longer than in proportion."""
_STEMS = """
password passwort passw0rd motdepasse contrasena wachtwoord qwerty qwertz azerty
qwertyuiop qwertzuiop azertyuiop asdfghjkl zxcvbnm yxcvbnm letmein welcome
willkommen iloveyou sunshine princess football baseball dragon monkey shadow master
superman batman trustno michael jennifer admin administrator adminadmin root toor
login secret geheim hello hallo test testtest changeme default guest staff store
sortie supermarket checkout passwordpassword qwertyqwerty letmeinletmein
welcomewelcome abcdefghijkl abcdefghijklm iloveyouiloveyou correcthorsebattery
correcthorsebatterystaple thisismypassword mypassword newpassword opensesame
startrek starwars pokemon charlie summer winter spring autumn sommer herbst monday
january february december manchester liverpool chelsea arsenal barcelona juventus
bayern hubhubhubhub
"""
STEMS = frozenset(_STEMS.split())
WALKS = ("01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm",
         "azertyuiopqsdfghjklmwxcvbn", "abcdefghijklmnopqrstuvwxyz", "1q2w3e4r5t6y7u8i9o0p",
         "qazwsxedcrfvtgbyhnujmikolp", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p")  # fmt: skip
LEET = str.maketrans("013457@$!", "oleastasi")


def check_password(password: str, *, name: str = "") -> None:
    """PasswordRefusedError says what is wrong with a new password, without repeating it."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise PasswordRefusedError(
            f"expected a password of {LENGTH_MIN} to {LENGTH_MAX} characters, got {len(password)}"
        )
    if _well_known(password.casefold(), name.casefold()) or _guesses(password, name) < GUESSES_MIN:
        raise PasswordRefusedError(
            "expected a password that is not among those everybody tries first; "
            "several unrelated words make a good one"
        )


def _well_known(text: str, name: str) -> bool:
    plain = re.sub(r"[\W_]+", "", text)
    if len(set(plain)) < 4 or any(_made_of(plain, part) for part in (1, 2, 3, 4, 5, 6)):
        return True
    if any(plain in walk or plain in walk[::-1] or plain in walk * 2 for walk in WALKS):
        return True
    # Figures at the ends are what people add when a form asks for them.
    stems = {re.sub(r"^\d+|\d+$", "", plain)}
    stems |= {re.sub(r"^\d+|\d+$", "", plain).translate(LEET), plain.translate(LEET)}
    return any(stem in STEMS or (name and stem == re.sub(r"[\W_]+", "", name)) for stem in stems)


def _guesses(password: str, name: str) -> float:
    """How many tries find it, if common ones are tried first."""
    # Read when the first password is set: the word lists take memory.
    zxcvbn = importlib.import_module("zxcvbn").zxcvbn
    found = zxcvbn(password[:LOOKED_AT_MAX], user_inputs=[name, "sortie"])
    return float(found["guesses"])


def _made_of(text: str, length: int) -> bool:
    """Whether a text repeats its first `length` characters."""
    return len(text) > length and (text[:length] * len(text))[: len(text)] == text


class Passwords:
    """Hashes and checks; a few at once, because each takes memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turn = threading.BoundedSemaphore(AT_ONCE_MAX)
        # Compared with where there is no account, so that both answers take as long.
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """What to keep of a password."""
        with self._turn:
            return self._hasher.hash(password)

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that was kept; None takes as long and fits nothing."""
        with self._turn:
            try:
                self._hasher.verify(self._nobody if kept is None else kept, password[:LENGTH_MAX])
            except (Argon2Error, InvalidHashError):
                return False
        return kept is not None and len(password) <= LENGTH_MAX

    def outdated(self, kept: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)
