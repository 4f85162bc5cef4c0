"""The named cases of a pick-up wall (HARD_CASES.md G and bad input).

A case says how the wall is filled, what is wrong with prints, optics and gear, and who comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from store_sim.wall.errors import WallSimError
from store_sim.wall.eye import EyeDials
from store_sim.wall.filling import Filling
from store_sim.wall.prints import PrintDials

__all__ = ["Behaviour", "Fault", "OrderPlan", "WallCase", "case_named", "cases"]

Behaviour = Literal[
    "take", "wrong_keep", "wrong_return", "elsewhere", "moved", "leave_one", "nobody", "cancelled"
]
"""What a customer does: takes what is lit; takes another parcel as well and leaves with it; takes
another, looks at it and puts it back; takes theirs, sets it down elsewhere and takes it from
there; waits while somebody else moves their lit parcel; leaves one behind; takes one without an
order; waits, and the order is cancelled."""
FaultKind = Literal["bump", "unplug", "block"]
Odd = Literal["none", "no_label", "duplicate", "forged", "wrong_store", "half_hidden"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something happens to the gear: `after_scans` scans and `delay_s` later, for `for_s`."""

    kind: FaultKind
    after_scans: int = 0
    delay_s: float = 6.0
    for_s: float = 1e9


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """A customer and their order: how many parcels, what they do, and whether they come together
    with the one before."""

    parcels: int = 1
    behaviour: Behaviour = "take"
    together: bool = False


@dataclass(frozen=True, slots=True)
class WallCase:
    """One named case. `parcels` None: as many as the wall has room for, up to 12. `odd_share`:
    share of parcels that are odd; with duplicates and forgeries it is the ordered ones that are
    copied. `off`: how far projectors hang from where their file says (1: usual). `lamps`: for walls
    with strips of lamps and no projector."""

    name: str
    words: str
    parcels: int | None = None
    filling: Filling = field(default_factory=lambda: Filling(12))
    orders: tuple[OrderPlan, ...] = (OrderPlan(), OrderPlan(2), OrderPlan())
    odd: Odd = "none"
    odd_share: float = 0.0
    dials: EyeDials = field(default_factory=EyeDials)
    faults: tuple[Fault, ...] = ()
    hide_markers: bool = False
    off: float = 1.0
    van: bool = False
    lamps: bool = False


_TAKE = (OrderPlan(), OrderPlan(), OrderPlan())
_CASES: tuple[WallCase, ...] = (
    WallCase(
        "demo", "some of everything, one after another",
        orders=(
            OrderPlan(), OrderPlan(2), OrderPlan(1, "wrong_return"), OrderPlan(),
            OrderPlan(together=True), OrderPlan(1, "elsewhere"),
        ),
    ),
    WallCase("labels-12", "twelve labels in one view", parcels=12),
    WallCase("labels-24", "twenty-four labels in one view", parcels=24),
    WallCase("qr", "QR codes alone", filling=Filling(12, labels=("qr",))),
    WallCase("code128", "GS1-128 alone", filling=Filling(12, labels=("code128",))),
    WallCase("datamatrix", "GS1 DataMatrix alone", filling=Filling(12, labels=("datamatrix",))),
    WallCase(
        "rotated", "labels turned by any angle to 90 degrees",
        filling=Filling(12, label_deg_max=90.0, right_angles=0.0),
    ),
    WallCase(
        "slanted", "parcels turned and leaning",
        filling=Filling(12, yaw_deg_max=32.0, tilt_deg_max=24.0),
    ),
    WallCase("blurred", "a lens out of focus", dials=EyeDials(blur_px=1.1)),
    WallCase("glare", "a lamp mirrored in glossy labels", filling=Filling(12, gloss=1.2)),
    WallCase(
        "worn", "faded, specked and wrinkled prints",
        filling=Filling(12, dials=PrintDials(fade=0.45, specks=0.004, streaks=2, wrinkle_mm=0.9)),
    ),
    WallCase("half-hidden", "something before half of a label", odd="half_hidden", odd_share=0.3),
    WallCase("duplicate-label", "two parcels with one label", odd="duplicate", odd_share=0.2),
    WallCase("no-label", "parcels without a label", odd="no_label", odd_share=0.3),
    WallCase("several-parcels", "several parcels for one", orders=(OrderPlan(3), OrderPlan(4))),
    WallCase(
        "moved-after-cue", "somebody moves the lit parcel",
        orders=(OrderPlan(1, "moved"), OrderPlan(2, "moved")),
    ),
    WallCase(
        "two-customers", "two at one wall",
        orders=(OrderPlan(2), OrderPlan(2, together=True), OrderPlan(), OrderPlan(together=True)),
    ),
    WallCase(
        "wrong-taken", "somebody takes what is not theirs",
        orders=(OrderPlan(1, "wrong_return"), OrderPlan(2, "wrong_keep"), OrderPlan()),
    ),
    WallCase(
        "put-back-elsewhere", "taken, set down elsewhere, taken again",
        orders=(OrderPlan(1, "elsewhere"), OrderPlan(2, "elsewhere")),
    ),
    WallCase(
        "bumped", "somebody runs into the projector", orders=_TAKE,
        faults=(Fault("bump", after_scans=1, delay_s=1.5),),
    ),
    WallCase("forged-label", "a copy of an ordered label on a parcel", odd="forged", odd_share=0.2),
    WallCase("wrong-store", "parcels of another store", odd="wrong_store", odd_share=0.3),
    WallCase(
        "unplugged", "the projector loses its plug", orders=_TAKE,
        faults=(Fault("unplug", after_scans=1, delay_s=1.5, for_s=25.0),),
    ),
    WallCase(
        "camera-blocked", "something hangs before a camera", orders=_TAKE,
        faults=(Fault("block", after_scans=1, delay_s=2.0, for_s=15.0),),
    ),
    WallCase("board-not-found", "markers are covered", hide_markers=True, orders=_TAKE[:1]),
    WallCase(
        "cancelled-while-cued", "the order is cancelled while its parcel is lit",
        orders=(OrderPlan(1, "cancelled"), OrderPlan()),
    ),
    WallCase(
        "taken-by-nobody", "taken without an order",
        orders=(OrderPlan(1, "nobody"), OrderPlan()),
    ),
    WallCase("left-behind", "one of two stays", orders=(OrderPlan(2, "leave_one"), OrderPlan())),
    WallCase(
        "van-stop", "stops of a round: all of a stop's parcels", van=True,
        orders=(OrderPlan(2), OrderPlan(1), OrderPlan(3)),
    ),
    WallCase(
        "lamps", "strips of lamps along the boards, and no projector", lamps=True,
        orders=(
            OrderPlan(2), OrderPlan(), OrderPlan(1, "wrong_return"), OrderPlan(),
            OrderPlan(2, together=True),
        ),
    ),
)  # fmt: skip
_BY_NAME = {case.name: case for case in _CASES}


def cases() -> dict[str, WallCase]:
    """All cases by name."""
    return dict(_BY_NAME)


def case_named(name: str) -> WallCase:
    """The case of a name; WallSimError lists those there are."""
    if name not in _BY_NAME:
        raise WallSimError(f"expected a case of {', '.join(sorted(_BY_NAME))}; got {name!r}")
    return _BY_NAME[name]
