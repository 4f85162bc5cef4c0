"""Errors of attribution.

HubError
└── AttributionError
    └── BrokenGroundError      the store handed to the engine contradicts itself
"""

from __future__ import annotations

from hub.errors import HubError

__all__ = ["AttributionError", "BrokenGroundError"]


class AttributionError(HubError):
    """Attribution cannot work with what it was given."""


class BrokenGroundError(AttributionError):
    """The store handed to the engine contradicts itself; the message names the field."""
