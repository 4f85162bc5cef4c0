"""Logs on stderr: one line an event, for people or as JSON, without secrets or personal data.

What is logged is chosen where it is logged; this is the net below. A value goes by the name of its
field (password, token, code, payer, …) or by its form: an e-mail address, a card number, an entry
code, a bearer token, the password in an address. Lines of other libraries pass the same net.

>>> scrubbed("mail ada@example.org, card 4111 1111 1111 1111")
'mail [e-mail], card [card]'
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog
from structlog.typing import Processor

__all__ = ["LogFormat", "configure_logs", "redact", "scrubbed"]

LogFormat = Literal["console", "json"]
REDACTED = "[redacted]"
DEPTH_MAX = 6
SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|(^|_)code$|api_?key|private_?key|authorization|cookie|"
    r"payer|e?_?mail|phone_?number|card_?number|(^|_)pan$|cvc|iban|totp|(^|_)otp$",
    re.IGNORECASE,
)
"""Names of fields whose values are nobody's business."""
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"SORTIE(?:-STAFF)?:[0-9A-Za-z._-]{8,}"), "[code]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [redacted]"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), r"\1[redacted]@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), "[token]"),
    (re.compile(r"\b(sk|pk|rk|whsec)_(live|test)?_?\w{12,}"), "[key]"),
)
_DIGITS = re.compile(r"(?<![\w-])\d(?:[ -]?\d){13,18}(?![\w-])")


def scrubbed(words: str) -> str:
    """A text without what looks like a secret or like a person."""
    for form, instead in _FORMS:
        words = form.sub(instead, words)
    return _DIGITS.sub(lambda found: "[card]" if _luhn(found[0]) else found[0], words)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: every value of a line, however deep."""
    for name, value in event.items():
        event[name] = _clean(name, value, DEPTH_MAX)
    return event


def configure_logs(form: LogFormat = "console") -> None:
    """Sends the lines of this process, and the warnings of its libraries, to stderr."""
    last: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            last,
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    handler = _Handler()
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)


class _Handler(logging.Handler):
    """What libraries say with Python's own logging, as lines of ours."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """One line; the traceback of an error with it."""
        log = structlog.get_logger(record.name)
        more = {} if record.exc_info is None else {"exc_info": record.exc_info}
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(f"{record.name}.said", words=record.getMessage(), **more)


def _clean(name: str, value: Any, depth: int) -> Any:
    if name and SECRET.search(name) and not isinstance(value, (bool, int, float, type(None))):
        return REDACTED
    if isinstance(value, str):
        return scrubbed(value)
    if depth == 0 or isinstance(value, (bool, int, float, type(None))):
        return value if depth else REDACTED
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean("", inner, depth - 1) for inner in value]
    return scrubbed(str(value))


def _luhn(digits: str) -> bool:
    """Whether digits pass the check that card numbers carry (ISO/IEC 7812-1)."""
    total = 0
    for index, digit in enumerate(reversed([int(d) for d in digits if d.isdigit()])):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
