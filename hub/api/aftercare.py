"""What the routes of the time after the exit share: receipts, evidence, errands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from hub.api.auth import Limiter
from hub.driver import Driver
from hub.errands import Errands
from hub.evidence.desk import EvidenceDesk
from hub.evidence.folder import EvidenceFolder
from hub.evidence.training import TrainingFolder
from hub.receipts.mail import SmtpSender
from hub.receipts.pdf import ReceiptPrinter
from hub.settings import HubSettings

__all__ = ["Aftercare", "aftercare_of"]

MAILS_PER_MINUTE_MAX = 20


@dataclass(slots=True)
class Aftercare:
    """Made once for an application; `errands` is started by the process."""

    driver: Driver
    settings: HubSettings
    desk: EvidenceDesk
    printer: ReceiptPrinter
    errands: Errands
    training: TrainingFolder | None = None
    mails: Limiter = field(
        default_factory=lambda: Limiter(MAILS_PER_MINUTE_MAX, 60.0, time.monotonic)
    )


def aftercare_of(driver: Driver, settings: HubSettings) -> Aftercare:
    """Everything by the settings; SettingsError, StoreError where they cannot be met."""
    folder = EvidenceFolder(
        settings.evidence_dir or _beside(settings.database_url),
        quota_bytes=settings.evidence_quota_bytes,
        keep_s=settings.evidence_keep_s,
        unix_s=time.time,
    )
    desk = EvidenceDesk(folder, driver.lock)
    printer = ReceiptPrinter(seller=settings.receipt_seller, fonts=settings.receipt_fonts)
    sender = None if settings.smtp_host is None else SmtpSender(settings)
    training = None
    if settings.training_dir is not None:
        training = TrainingFolder(settings.training_dir, quota_bytes=settings.training_quota_bytes)
    errands = Errands(driver, desk, printer, sender)
    return Aftercare(driver, settings, desk, printer, errands, training)


def _beside(database_url: str) -> Path:
    path = database_url.removeprefix("sqlite:///")
    beside = path != database_url and ":memory:" not in path
    return (Path(path).parent if beside else Path()) / "evidence"
