"""What a person at the page may ask of the avatar, as JSON objects with an `act`.

>>> parse_command({"act": "take", "slot_id": "bay-a-3-l"}).act
'take'
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from contracts.base import Contract
from store_sim.dials import MishapKind
from store_sim.errors import BadCommandError

__all__ = [
    "Come",
    "Command",
    "Go",
    "GoBefore",
    "Leave",
    "Mend",
    "PutDown",
    "Spoil",
    "Steer",
    "Stop",
    "TakeOne",
    "TakeOver",
    "Trick",
    "TrickName",
    "parse_command",
]

Name = Annotated[str, Field(min_length=1, max_length=80)]
Gtin = Annotated[str, Field(min_length=1, max_length=20)]
Push = Annotated[float, Field(ge=-1.0, le=1.0, allow_inf_nan=False)]
Place = Annotated[float, Field(ge=-100.0, le=1000.0, allow_inf_nan=False)]
TrickName = Literal["take_two", "hide", "lean", "swap_behind", "drop"]


class Come(Contract):
    """Come in: a new visit."""

    act: Literal["enter"]


class TakeOver(Contract):
    """Be the shopper whom the tour, or somebody who went away, has left in the store."""

    act: Literal["take_over"]


class Steer(Contract):
    """An arrow key is held: walk this way for a moment; (0, 0) stands still."""

    act: Literal["steer"]
    dx: Push
    dy: Push


class Go(Contract):
    """Walk to a point of the floor."""

    act: Literal["go"]
    x_m: Place
    y_m: Place


class GoBefore(Contract):
    """Walk before a bay."""

    act: Literal["shelf"]
    bay_id: Name


class TakeOne(Contract):
    """Take the front piece of a slot, of one column if it is named."""

    act: Literal["take"]
    slot_id: Name
    column: Annotated[int | None, Field(ge=0, le=60)] = None


class PutDown(Contract):
    """Put back a piece that is carried: where its product stands, or into another slot."""

    act: Literal["put_back"]
    gtin: Gtin
    slot_id: Name | None = None


class Trick(Contract):
    """Try to cheat with the hands."""

    act: Literal["trick"]
    trick: TrickName
    slot_id: Name | None = None
    gtin: Gtin | None = None


class Spoil(Contract):
    """Do something to a device for a while: now, as soon as a hand is in the shelf, or as soon as
    a hand has taken something there."""

    act: Literal["tamper"]
    kind: MishapKind
    target: Name
    seconds: Annotated[float, Field(ge=1.0, le=120.0, allow_inf_nan=False)] = 20.0
    when: Literal["now", "hand_in", "taken"] = "now"


class Mend(Contract):
    """All devices that the page has spoiled are well again."""

    act: Literal["mend"]


class Stop(Contract):
    """Forget what was asked for and not begun."""

    act: Literal["stop"]


class Leave(Contract):
    """Walk out over the exit line."""

    act: Literal["exit"]


Command = (
    Come
    | TakeOver
    | Steer
    | Go
    | GoBefore
    | TakeOne
    | PutDown
    | Trick
    | Spoil
    | Mend
    | Stop
    | Leave
)

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="act")])


def parse_command(document: Any) -> Command:
    """The command of a JSON object; BadCommandError names field, fault and what came."""
    try:
        return _COMMANDS.validate_python(document)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "command"
        raise BadCommandError(f"{where}: {fault['msg']}, got {fault.get('input')!r}") from error
