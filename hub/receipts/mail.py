"""Sends receipts through SMTP. What the server says for good ends a mail; all else is tried again.

A mail may arrive twice if the hub dies between the server's yes and its own commit; both carry the
same Message-ID. Errors are told without addresses: of an answer only its number is used.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

from hub.receipts.document import Receipt
from hub.receipts.outbox import Letter
from hub.receipts.words import amount
from hub.settings import HubSettings

__all__ = ["Outcome", "Sent", "SmtpSender", "letter_of"]

TIMEOUT_S = 20.0
Outcome = Literal["sent", "refused", "later"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a try; `reason` has no address in it."""

    outcome: Outcome
    reason: str = ""


def letter_of(
    letter: Letter, receipt: Receipt, pdf: bytes, *, sender: str, now_s: float
) -> EmailMessage:
    """The mail: a few words and the PDF."""
    unit = receipt.currency
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.address
    message["Date"] = formatdate(now_s)
    domain = sender.rpartition("@")[2].rstrip(">") or "localhost"
    message["Message-ID"] = f"<{letter.mail_id}@{domain}>"
    message["Subject"] = f"Your receipt {receipt.number} from {' '.join(receipt.store.split())}"
    message["Auto-Submitted"] = "auto-generated"
    items = sum(line.quantity - line.refunded for line in receipt.lines)
    message.set_content(
        f"Thank you for your visit to {receipt.store}.\n\n"
        f"Receipt {receipt.number}: {items} item{'' if items == 1 else 's'}, "
        f"{unit} {amount(receipt.due_minor, unit)}.\n"
        "The whole receipt is attached.\n\n"
        "This address was used for this one mail and is not kept.\n"
    )
    message.add_attachment(
        pdf, maintype="application", subtype="pdf", filename=f"receipt-{receipt.number}.pdf"
    )
    return message


class SmtpSender:
    """One connection a mail: receipts are few, and a server that went away is no trouble."""

    def __init__(
        self, settings: HubSettings, *, context: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        if settings.smtp_host is None or settings.smtp_sender is None:
            raise ValueError("expected smtp_host and smtp_sender")
        self._host, self._port = settings.smtp_host, settings.smtp_port
        self._tls = settings.smtp_tls
        self._user = settings.smtp_user
        self._password = settings.smtp_password
        self.sender = settings.smtp_sender
        self._context = context or ssl.create_default_context

    def send(self, message: EmailMessage) -> Sent:
        """Tries once."""
        try:
            with self._connect() as server:
                if self._tls == "starttls":
                    server.starttls(context=self._context())
                if self._user is not None and self._password is not None:
                    server.login(self._user, self._password.get_secret_value())
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({int(code) for code, _text in error.recipients.values()})
            for_good = all(code >= 500 for code in codes)
            return Sent("refused" if for_good else "later", f"recipient: {codes}")
        except smtplib.SMTPAuthenticationError as error:
            # The password may be mended before the mail expires.
            return Sent("later", f"login: {error.smtp_code}")
        except smtplib.SMTPResponseException as error:
            for_good = error.smtp_code >= 500 and isinstance(error, smtplib.SMTPDataError)
            return Sent("refused" if for_good else "later", f"server: {error.smtp_code}")
        except (smtplib.SMTPException, OSError) as error:
            return Sent("later", type(error).__name__)
        return Sent("sent")

    def _connect(self) -> smtplib.SMTP:
        if self._tls == "tls":
            return smtplib.SMTP_SSL(
                self._host, self._port, timeout=TIMEOUT_S, context=self._context()
            )
        return smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
