"""What vision.reaches keeps while a reach is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.messages import FacingChange, GramStep, HandSeen

__all__ = ["Act", "Hand", "Stir"]


@dataclass(slots=True)
class Hand:
    """A hand in the shelf, or one that has left and waits for what it did to be found."""

    name: str
    t_in_s: float
    u_m: float
    z_m: float
    reach_id: str | None
    body: tuple[float, float] | None = None
    seen: HandSeen | None = None
    acts: int = 0


@dataclass(slots=True)
class Act:
    """Something that happened to the shelf: gram steps, changes seen, or both."""

    reach_id: str | None
    t0_s: float
    t1_s: float
    board_id: str
    u_m: float
    found_s: float
    steps: list[GramStep] = field(default_factory=list)
    changes: list[FacingChange] = field(default_factory=list)

    @property
    def biggest_g(self) -> float:
        """The largest step, 0 without steps."""
        return max((abs(step.delta_g) for step in self.steps), default=0.0)


@dataclass(slots=True)
class Stir:
    """Plates that move without anything else known: a reach is under way."""

    reach_id: str
    t_open_s: float
    u_m: float
    plates: set[str]
