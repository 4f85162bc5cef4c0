"""What the hub does beside its journal, in a thread of its own: mails, evidence, erasing.

Nothing of it changes a cart or a receipt, and nothing of it may hold the writer up: files and the
network are touched outside of the hub's lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import structlog

from hub.catalog.notices import offer_name
from hub.disputes.words import sweep_words
from hub.driver import Driver
from hub.evidence.desk import EvidenceDesk, reaches_wanted
from hub.receipts import outbox
from hub.receipts.document import Receipt, receipt_of
from hub.receipts.mail import Outcome, Sent, SmtpSender, letter_of
from hub.receipts.pdf import ReceiptPrinter
from hub.service import Hub
from hub.visits.model import Visit
from hub.wallet.service import Account

__all__ = ["Errands"]

POLL_S = 1.0
SWEEP_S = 600.0
JOIN_S = 5.0
MAILS_A_ROUND = 10


@dataclass(slots=True)
class Errands:
    """`step` does a round of all errands; `start` does so again and again."""

    driver: Driver
    desk: EvidenceDesk
    printer: ReceiptPrinter
    sender: SmtpSender | None = None
    counts: dict[str, int] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _swept_s: float = float("-inf")
    _ended: dict[str, Outcome] = field(default_factory=dict)
    """Mails whose end is not stored yet: one, as the next is sent when it is."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="hub-errands", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread; what it did not do is done after the next start."""
        self._stopping.set()
        if self._thread is not None:
            # A mail server may take its time; what is under way then is tried again.
            self._thread.join(JOIN_S)

    def step(self) -> None:
        """One round."""
        self._ask_for_evidence()
        self._send_mails()
        now_s = self.driver.now()
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            self.driver.read(lambda hub: outbox.sweep(hub.store, now_s))
            self.driver.read(lambda hub: sweep_words(hub.store, now_s))
            self.desk.sweep(self.driver.hub, now_s)

    def receipt(self, visit_id: str) -> Receipt:
        """A visit's receipt; RejectedError before the settlement."""
        visit, account = self.driver.visit(visit_id)
        return self.driver.read(lambda hub: _receipt(hub, visit, account))

    def _ask_for_evidence(self) -> None:
        bus = self.driver.bus
        if bus is None:
            return
        wanted = self.driver.read(lambda hub: reaches_wanted(hub.core.state))
        out = self.desk.due(self.driver.hub, wanted, self.driver.now()) if wanted else []
        if out:
            bus.publish(out)
            self._count("evidence_asked", len(out))

    def _send_mails(self) -> None:
        sender = self.sender
        if sender is None:
            return
        now_s = self.driver.now()
        letters = self.driver.read(lambda hub: outbox.due(hub.store, now_s, MAILS_A_ROUND))
        for letter in letters:
            if self._stopping.is_set():
                return
            self._send(sender, letter, now_s)

    def _send(self, sender: SmtpSender, letter: outbox.Letter, now_s: float) -> None:
        outcome = self._ended.get(letter.mail_id) or self._tried(sender, letter, now_s)
        if outcome == "later":
            self.driver.read(lambda hub: outbox.try_later(hub.store, letter, now_s))
            return
        # A full disk can be read all the same: what cannot be written down is not sent again.
        self._ended[letter.mail_id] = outcome
        self.driver.read(lambda hub: outbox.settle(hub.store, letter.mail_id, outcome, now_s))
        del self._ended[letter.mail_id]

    def _tried(self, sender: SmtpSender, letter: outbox.Letter, now_s: float) -> Outcome:
        receipt = self.receipt(letter.visit_id)
        pdf = self.printer.render(receipt)
        try:
            message = letter_of(letter, receipt, pdf, sender=sender.sender, now_s=now_s)
            sent = sender.send(message)
        except ValueError:
            # No mail can be made of it, at no time; those behind it and all sweeping wait for it.
            sent = Sent("refused")
        self._count(f"mails_{sent.outcome}")
        if sent.outcome == "later":
            structlog.get_logger("hub").warning("mail.not_sent", reason=sent.reason)
        return sent.outcome

    def _count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by
        self.driver.read(lambda hub: hub.live.count(name, by))

    def _run(self) -> None:
        log = structlog.get_logger("hub")
        while not self._stopping.wait(POLL_S):
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - the edge of a thread
                # The database may be away; what was not done is tried again.
                log.error("errands.failed", error=type(error).__name__)


def _receipt(hub: Hub, visit: Visit, account: Account | None) -> Receipt:
    store = hub.core.state.store
    return receipt_of(
        hub.store,
        visit,
        account,
        of=store,
        named=lambda one: offer_name(hub.core.state, one),
    )
