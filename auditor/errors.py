"""Errors of the auditor.

AuditError
└── UnreadableError   truth, log or ledger cannot be read: names file and line
"""

from __future__ import annotations

__all__ = ["AuditError", "UnreadableError"]


class AuditError(Exception):
    """The audit itself cannot be done; a finding is never an exception."""


class UnreadableError(AuditError):
    """Truth, log or ledger cannot be read: names file and line."""
