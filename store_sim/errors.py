"""Errors of the simulator.

SimulatorError
├── UnknownScenarioError     no scenario of that name; the message lists the names there are
├── ScenarioError            a scenario asks for what the store does not have
├── DialError                no such dial, or a value out of its range
├── WorldError               the world was driven wrongly (backwards in time, unknown shopper)
├── PlayerError              a person at the page asked for what cannot be done now
│   ├── BadCommandError      a command of the page that cannot be read, or names what is not there
│   └── SeatTakenError       somebody else is the shopper
├── RenderError              a picture cannot be drawn
├── RecordingError           a recording is missing, torn or of another version
├── LibraryError             the pinned library cannot be read, or lacks what is asked for
└── ViewError                there is nothing to show, or nowhere to show it
"""

from __future__ import annotations

__all__ = [
    "BadCommandError",
    "DialError",
    "LibraryError",
    "PlayerError",
    "RecordingError",
    "RenderError",
    "ScenarioError",
    "SeatTakenError",
    "SimulatorError",
    "UnknownScenarioError",
    "ViewError",
    "WorldError",
]


class SimulatorError(Exception):
    """The simulator cannot do what was asked."""


class UnknownScenarioError(SimulatorError):
    """No scenario of that name; the message lists the names there are."""


class ScenarioError(SimulatorError):
    """A scenario asks for what the store does not have."""


class DialError(SimulatorError):
    """No such dial, or a value out of its range."""


class WorldError(SimulatorError):
    """The world was driven wrongly (backwards in time, unknown shopper)."""


class PlayerError(SimulatorError):
    """A person at the page asked for what cannot be done now."""


class BadCommandError(PlayerError):
    """A command of the page that cannot be read, or names what is not there."""


class SeatTakenError(PlayerError):
    """Somebody else is the shopper."""


class RenderError(SimulatorError):
    """A picture cannot be drawn."""


class RecordingError(SimulatorError):
    """A recording is missing, torn or of another version."""


class LibraryError(SimulatorError):
    """The pinned library cannot be read, or lacks what is asked for."""


class ViewError(SimulatorError):
    """There is nothing to show, or nowhere to show it."""
