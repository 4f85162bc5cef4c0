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

    def is_over_before(self, step: GramStep, rest_s: float) -> bool:
        """Whether a large step is the next act's, although a plate between shook through both.

        A plate that came to rest within the act and steps again does so for another reason, and
        a step the other way that ends after a rest undoes the act or follows it.
        """
        main = max(self.steps, key=lambda one: abs(one.delta_g))
        again = any(
            one.plate_id == step.plate_id and one.t_end_s < step.t_start_s for one in self.steps
        )
        turned = main.delta_g * step.delta_g < 0.0 and step.t_end_s > main.t_end_s + rest_s
        return again or turned


@dataclass(slots=True)
class Stir:
    """Plates that move without anything else known: a reach is under way."""

    reach_id: str
    t_open_s: float
    u_m: float
    plates: set[str]
