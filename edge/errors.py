"""Errors of the edge package.

EdgeError
├── NodeConfigError          a configuration that this node cannot serve
├── NodeSettingsError        a setting of the process is missing, unknown or out of range
├── PortTakenError           a port that this process should serve is in use
├── SnapshotError            a saved state that does not fit this node or is damaged
├── OutboxError              the disk outbox cannot be read or written
│   └── OutboxFullError      its bound is reached: nothing more can be promised
├── EvidenceError            a clip or picture could not be kept or handed out
└── BrokerError              the broker cannot be reached or refuses this node
"""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "EdgeError",
    "EvidenceError",
    "NodeConfigError",
    "NodeSettingsError",
    "OutboxError",
    "OutboxFullError",
    "PortTakenError",
    "SnapshotError",
]


class EdgeError(Exception):
    """A node cannot do its work."""


class NodeConfigError(EdgeError):
    """A configuration that this node cannot serve."""


class NodeSettingsError(EdgeError):
    """A setting of the process is missing, unknown or out of range."""


class PortTakenError(EdgeError):
    """A port that this process should serve is in use."""


class SnapshotError(EdgeError):
    """A saved state that does not fit this node or is damaged."""


class OutboxError(EdgeError):
    """The disk outbox cannot be read or written."""


class OutboxFullError(OutboxError):
    """The outbox reached its bound: nothing more can be promised."""


class EvidenceError(EdgeError):
    """A clip or picture could not be kept or handed out."""


class BrokerError(EdgeError):
    """The broker cannot be reached or refuses this node."""
