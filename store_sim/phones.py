"""The shoppers' phones and the staff's handheld of a live store: they speak HTTP with the hub.

A thread of its own does the asking, so that a slow hub never holds up the pictures. A phone asks
for a visit and gets an entry code, which turns from time to time; after the scan it looks whether
the visit was refused. Staff get a badge, open a round of restocking when they come in, say what
they put where, and close it when they leave; then the badge opens nothing any more. What cannot be
asked now is asked again after a pause.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store_sim.world.staff import StaffWord

if TYPE_CHECKING:
    from store_sim.purses import Purses

__all__ = ["HubClient", "PhoneVisit", "Phones", "RefusedError"]

TIMEOUT_S = 5.0
RETRY_S = 1.0
LOOK_S = 0.15
LOOKS_MAX = 20
VISITS_MAX = 10_000
JOBS_MAX = 10_000
JOIN_S = 8.0
TIP_LOOK_S = 5.0
ANSWER_BYTES_MAX = 1_000_000
TOO_MANY = 429


class RefusedError(OSError):
    """The hub is there and says no: the same again would be refused again."""


@dataclass(frozen=True, slots=True)
class PhoneVisit:
    """What the hub gave a phone."""

    visit_id: str
    token: str
    code: str


class HubClient:
    """The hub's HTTP interface as phones and a handheld use it; OSError when it fails."""

    def __init__(self, hub_url: str) -> None:
        self._url = hub_url.rstrip("/")
        # A proxy of the environment is not meant for the store's own machines.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def open_visit(self, payer: str, wallet: str | None = None) -> PhoneVisit:
        """A new visit with its entry code; the wallet with this token pays, if one is named."""
        wish = {"payer": payer} if wallet is None else {"wallet": wallet}
        answer = self._ask("POST", "/api/v1/phones/visits", wish)
        return PhoneVisit(str(answer["visit_id"]), str(answer["token"]), str(answer["code"]))

    def code(self, visit: PhoneVisit) -> str | None:
        """What the phone shows now; None when the hub has no code for it any more."""
        code = self._ask("GET", "/api/v1/phones/me", None, visit.token)["code"]
        return None if code is None else str(code)

    def stage(self, visit: PhoneVisit) -> str:
        """The stage of a visit: issued, entering, binding, shopping, left, final, refused …"""
        return str(self._ask("GET", "/api/v1/phones/me", None, visit.token)["stage"])

    def open_wallet(self) -> str:
        """A new wallet; its token."""
        return str(self._ask("POST", "/api/v1/wallets", {})["token"])

    def top_up(self, wallet: str, topup_id: str, amount_minor: int) -> None:
        """Money from the card to the wallet's balance; the same id again changes nothing."""
        body = {"topup_id": topup_id, "amount_minor": amount_minor}
        self._ask("POST", "/api/v1/wallets/me/topups", body, wallet)

    def order(self, wallet: str, sources: tuple[str, ...]) -> None:
        """In which order a wallet's sources pay."""
        self._ask("PUT", "/api/v1/wallets/me/order", {"order": sources}, wallet)

    def tip(self, visit: PhoneVisit, tip_id: str, amount_minor: int) -> None:
        """Something for the staff, once a visit."""
        body = {"tip_id": tip_id, "amount_minor": amount_minor}
        self._ask("POST", "/api/v1/phones/me/tip", body, visit.token)

    def badge(self, holder: str) -> str:
        """A new badge for somebody of the staff; its code."""
        return str(self._ask("POST", "/api/v1/staff/badges", {"holder": holder})["code"])

    def revoke(self, holder: str) -> None:
        """The badges of a holder open nothing any more."""
        self._ask("POST", "/api/v1/staff/badges/revoke", {"holder": holder})

    def start_round(self, session_id: str) -> None:
        """A round of restocking begins."""
        self._ask("POST", "/api/v1/staff/restocking/start", {"session_id": session_id})

    def move(self, session_id: str, word: StaffWord) -> None:
        """Pieces were put on a shelf, or taken from it; the same move again changes nothing."""
        body = {
            "session_id": session_id,
            "move_id": f"{session_id}-{word.number}",
            "slot_id": word.slot_id,
            "gtin": word.gtin,
            "quantity": word.pieces,
        }
        self._ask("POST", "/api/v1/staff/restocking/moves", body)

    def finish_round(self, session_id: str) -> None:
        """A round of restocking is over."""
        self._ask("POST", "/api/v1/staff/restocking/finish", {"session_id": session_id})

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, token: str = ""
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if data is not None:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(
            self._url + path,
            data=data,
            method=method,
            headers=headers,
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                document = json.loads(answer.read(ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as error:
            refused = 400 <= error.code < 500 and error.code != TOO_MANY
            kind = RefusedError if refused else OSError
            raise kind(f"{method} {self._url}{path}: the hub says {error.code}") from error
        except ValueError as error:
            raise OSError(f"{method} {self._url}{path}: expected JSON, got none") from error
        if not isinstance(document, dict):
            raise OSError(f"{method} {self._url}{path}: expected an object, got {document!r}")
        return document


class Phones:
    """All phones of the store's shoppers, and the staff's handheld. `ask`, `scanned` and `tell`
    return at once; what came of it is collected with `take_codes` and `take_refused`.

    `purses` says who pays with a wallet; without it everybody pays by card. `visits_file`, in the
    truth folder, gets a line {"shopper": 0, "visit_id": "..."} for each.
    """

    def __init__(
        self,
        client: HubClient,
        *,
        say: Callable[[str], None],
        visits_file: Path | None = None,
        purses: Purses | None = None,
    ) -> None:
        self._client = client
        self._say = say
        self._visits_file = visits_file
        self._purses = purses
        self._changed = threading.Condition()
        self._jobs: deque[Callable[[], bool]] = deque()
        self._asked: OrderedDict[int, PhoneVisit | None] = OrderedDict()
        self._badges: set[int] = set()
        self._said: deque[StaffWord] = deque()
        self._telling = False
        # Of this run: a hub may remember the rounds of an earlier one.
        self._run_id = secrets.token_hex(4)
        self._later: deque[tuple[float, Callable[[], bool]]] = deque()
        self._codes: list[tuple[int, str]] = []
        self._refused: list[int] = []
        self._closed = False
        self._stop = threading.Event()
        self._fault: str | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="phones", daemon=True)
        self._thread.start()

    def ask(self, shopper: int) -> None:
        """Asks for a shopper's visit, once."""
        with self._changed:
            if shopper in self._asked:
                return
            self._asked[shopper] = None
            while len(self._asked) > VISITS_MAX:
                self._asked.popitem(last=False)
        self._add(lambda: self._open_visit(shopper))

    def turn(self, shopper: int) -> None:
        """The code on a shopper's phone turns: the one of now comes with `take_codes`."""

        def look() -> bool:
            visit = self.visit_of(shopper)
            code = None if visit is None else self._client.code(visit)
            if code is not None:
                with self._changed:
                    self._codes.append((shopper, code))
            return True

        self._add(look)

    def scanned(self, shopper: int) -> None:
        """The shopper has scanned: the phone looks whether the store lets the shopper in."""
        looks = [LOOKS_MAX]

        def look() -> bool:
            visit = self._asked.get(shopper)
            looks[0] -= 1
            if visit is None or looks[0] < 0:
                return True
            stage = self._client.stage(visit)
            if stage == "refused":
                with self._changed:
                    self._refused.append(shopper)
            if stage in ("issued", "entering"):
                self._stop.wait(LOOK_S)
                return False
            return True

        self._add(look)

    def ask_badge(self, shopper: int) -> None:
        """Asks for the badge of somebody of the staff, once."""
        with self._changed:
            if shopper in self._badges:
                return
            self._badges.add(shopper)

        def ask() -> bool:
            try:
                code = self._client.badge(self._holder(shopper))
            except RefusedError as error:
                self._say(f"staff got no badge: {error}")
                return True
            with self._changed:
                self._codes.append((shopper, code))
            return True

        self._add(ask)

    def tell(self, words: Iterable[StaffWord]) -> None:
        """What staff say; it reaches the hub in this order."""
        with self._changed:
            for word in words:
                if len(self._said) >= JOBS_MAX:
                    self.dropped += 1
                else:
                    self._said.append(word)
            if self._said and not self._telling and len(self._jobs) < JOBS_MAX:
                self._telling = True
                self._add(self._say_all)

    def visit_of(self, shopper: int) -> PhoneVisit | None:
        """The visit of a shopper's phone, None while there is none."""
        with self._changed:
            return self._asked.get(shopper)

    def take_codes(self) -> list[tuple[int, str]]:
        """Shoppers and codes that came since the last call."""
        with self._changed:
            codes, self._codes = self._codes, []
        return codes

    def take_refused(self) -> list[int]:
        """Shoppers who were refused since the last call."""
        with self._changed:
            refused, self._refused = self._refused, []
        return refused

    def close(self) -> None:
        """Stops asking; closing twice is fine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._stop.set()
        self._thread.join(JOIN_S)

    def _add(self, job: Callable[[], bool]) -> None:
        with self._changed:
            if len(self._jobs) >= JOBS_MAX:
                self.dropped += 1
                return
            self._jobs.append(job)
            self._changed.notify_all()

    def _holder(self, shopper: int) -> str:
        return f"sim-{self._run_id}-{shopper}"

    def _say_all(self) -> bool:
        """Says what is waiting; a word that the store does not take is not said again."""
        while True:
            with self._changed:
                if not self._said:
                    self._telling = False
                    return True
                word = self._said[0]
            try:
                self._say_one(word)
            except RefusedError as error:
                self._say(f"staff were not heard: {error}")
            with self._changed:
                self._said.popleft()

    def _say_one(self, word: StaffWord) -> None:
        session_id = f"sim-{self._run_id}-{word.round_number}"
        if word.kind == "began":
            self._client.start_round(session_id)
        elif word.kind == "moved":
            self._client.move(session_id, word)
        else:
            self._client.finish_round(session_id)
            if word.shopper in self._badges:
                self._client.revoke(self._holder(word.shopper))
                self._badges.discard(word.shopper)

    def _open_visit(self, shopper: int) -> bool:
        wallet = None if self._purses is None else self._purses.of(shopper)
        visit = self._client.open_visit(f"shopper-{shopper}", wallet)
        if self._visits_file is not None:
            line = json.dumps({"shopper": shopper, "visit_id": visit.visit_id}) + "\n"
            with self._visits_file.open("a", encoding="utf-8") as file:
                file.write(line)
        with self._changed:
            self._asked[shopper] = visit
            self._codes.append((shopper, visit.code))
        if self._purses is not None and self._purses.tips(shopper):
            self._add(lambda: self._tip(shopper, visit))
        return True

    def _tip(self, shopper: int, visit: PhoneVisit) -> bool:
        """Looks now and then until the visit is paid, then tips; who never came in tips nothing,
        and a tip that the store does not take is not offered again."""

        def look() -> bool:
            return self._tip(shopper, visit)

        try:
            stage = self._client.stage(visit)
            if stage == "final" and self._purses is not None:
                self._purses.tip(shopper, visit)
            elif stage not in ("refused", "expired"):
                with self._changed:
                    self._later.append((time.monotonic() + TIP_LOOK_S, look))
        except RefusedError as error:
            self._say(f"shopper {shopper} could not tip: {error}")
        return True

    def _due(self) -> bool:
        """Whether there is a job now; those put off come back when it is time."""
        while self._later and self._later[0][0] <= time.monotonic():
            self._jobs.append(self._later.popleft()[1])
        return bool(self._jobs)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due() and not self._closed:
                    self._changed.wait(TIP_LOOK_S if self._later else None)
                if self._closed:
                    return
                job = self._jobs.popleft()
            try:
                done = job()
                if self._fault is not None:
                    self._say("the hub answers again")
                self._fault = None
            except (OSError, KeyError) as error:
                done = False
                if str(error) != self._fault:
                    self._say(f"the hub does not answer, asked again: {error}")
                self._fault = str(error)
                self._stop.wait(RETRY_S)
            if not done:
                self._add(job)
