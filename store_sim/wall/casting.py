"""From a case and a seed to parcels and orders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from contracts.wall import Wall
from store_sim.wall.cases import WallCase
from store_sim.wall.codes import label_text, sscc
from store_sim.wall.customers import SimOrder
from store_sim.wall.errors import WallSimError
from store_sim.wall.filling import Filling, Spot, most_parcels
from store_sim.wall.parcels import ParcelPose, SimParcel, label_spot
from store_sim.wall.prints import make_label

__all__ = ["cast_filling", "cast_orders", "odd_parcels"]

USUAL = 12
Placed = dict[int, tuple[ParcelPose, str]]


def cast_filling(case: WallCase, wall: Wall) -> tuple[Filling, int]:
    """The filling of a case on a wall, and how many parcels are ordered."""
    if case.van and wall.kind != "van":
        raise WallSimError(
            f"case {case.name}: expected a wall of kind van, got {wall.wall_id} of kind {wall.kind}"
        )
    most = most_parcels(wall, case.filling.labels)
    spare = 2 * sum(
        plan.behaviour in ("elsewhere", "moved", "wrong_return") for plan in case.orders
    )
    room = max(1, most - min(spare, 4) - 2 * (case.odd == "half_hidden"))
    parcels = min(USUAL, room) if case.parcels is None else case.parcels
    if parcels > most:
        raise WallSimError(
            f"case {case.name}: expected a wall with room for {parcels} parcels, {wall.wall_id} "
            f"has {most}; take a larger wall (wall-24.yaml)"
        )
    wanted = sum(plan.parcels for plan in case.orders)
    if wanted > parcels:
        raise WallSimError(
            f"case {case.name}: expected a wall with room for the {wanted} parcels ordered, "
            f"{wall.wall_id} holds {parcels}"
        )
    return replace(case.filling, parcels=parcels, spare=min(spare, 4, most - parcels)), wanted


def cast_orders(
    case: WallCase, parcels: list[SimParcel], wanted: int, rng: np.random.Generator, first_s: float
) -> tuple[SimOrder, ...]:
    """Who comes for what. What is ordered was made with a good label."""
    good = [one.index for one in parcels if one.text == label_text(one.symbology, one.key)]
    chosen = [one for one in good if one < wanted] or good
    chosen = sorted(chosen)[:wanted]
    orders: list[SimOrder] = []
    due, first = first_s, 0
    before: str | None = None
    for number, one in enumerate(case.orders):
        mine = tuple(chosen[first : first + one.parcels])
        first += one.parcels
        order_id = f"order-{number + 1}"
        if one.together and orders:
            after, due_s = orders[-1].after, orders[-1].due_s + 1.5
        else:
            after, due_s = before, due
        orders.append(
            SimOrder(
                order_id=order_id, customer=f"customer-{number + 1}",
                parcels=tuple(_text(parcels, index) for index in mine), indexes=mine,
                due_minor=int(rng.choice([0, 0, 1290, 2499])), due_s=due_s,
                behaviour=one.behaviour, needs_code=not case.van and one.behaviour != "nobody",
                after=after, cancel_after_s=2.5 if one.behaviour == "cancelled" else None,
            )
        )  # fmt: skip
        before = order_id
        due += 1.0
    return tuple(orders)


def _text(parcels: list[SimParcel], index: int) -> str:
    text = next(one.text for one in parcels if one.index == index)
    assert text is not None
    return text


def odd_parcels(
    case: WallCase, wall: Wall, spots: tuple[Spot, ...], rng: np.random.Generator
) -> tuple[list[SimParcel], Placed]:
    """The parcels with what is odd about some, and where each stands.

    The first parcels are those that are ordered; odd ones are taken from the end, so that what is
    ordered can be read. Where labels are half hidden some of the ordered are, by a small box.
    """
    parcels = [spot.parcel for spot in spots]
    at: Placed = {spot.parcel.index: (spot.pose, spot.place.name) for spot in spots}
    wanted = sum(plan.parcels for plan in case.orders)
    count = round(case.odd_share * len(parcels))
    if case.odd == "half_hidden":
        for index in range(0, min(len(parcels), 2 * count), 2):
            cover = _cover(parcels[index], len(parcels))
            parcels.append(cover)
            at[cover.index] = (_before(parcels[index], at[index][0], cover), f"before-{index}")
        return parcels, at
    for step in range(count):
        index = len(spots) - 1 - step
        if index < wanted and case.odd != "none":
            break
        # A copy is printed as its model is.
        models = [k for k in range(wanted) if parcels[k].symbology == parcels[index].symbology] or [
            0
        ]
        parcels[index] = _odd(case, wall, parcels, index, models[step % len(models)], rng)
    return parcels, at


def _odd(
    case: WallCase, wall: Wall, parcels: list[SimParcel], index: int, model: int,
    rng: np.random.Generator,
) -> SimParcel:  # fmt: skip
    parcel = parcels[index]
    kind = next(one for one in wall.labels if one.symbology == parcel.symbology)
    dials = case.filling.dials
    if case.odd == "no_label":
        return replace(parcel, label=None, text=None)
    if case.odd in ("duplicate", "forged"):
        # The very label of an ordered parcel; a forgery is on what is another parcel inside.
        key = parcels[model].key
        label = make_label(kind, key, rng, dials)
        true_key = parcel.key if case.odd == "forged" else key
        text = label_text(parcel.symbology, key)
        return replace(parcel, label=label, text=text, key=true_key)
    # Of another store: its company's prefix is nobody's here.
    key = sscc(int(rng.integers(1_000_000, 9_000_000)), company="4098765")
    label = make_label(kind, key, rng, dials)
    return replace(parcel, label=label, text=label_text(parcel.symbology, key), key=key)


def _cover(parcel: SimParcel, index: int) -> SimParcel:
    """A small box without a label that stands before half of a parcel's label."""
    assert parcel.label is not None
    x0, _, x1, y1 = parcel.label.code_mm
    wide = max(0.05, (x1 - x0) / 1000 * 0.55)
    high = max(0.06, min(parcel.size_m[1] * 0.8, y1 / 1000))
    return SimParcel(
        index=index,
        key=f"cover-{index}",
        text=None,
        symbology=parcel.symbology,
        kind="box",
        size_m=(round(wide, 3), round(high, 3), 0.03),
        rgb=(150, 112, 76),
        label=None,
    )


def _before(parcel: SimParcel, pose: ParcelPose, cover: SimParcel) -> ParcelPose:
    """Where the covering box stands: before the right half of the symbol, on the same ground."""
    assert parcel.label is not None
    x0, y0, x1, y1 = parcel.label.code_mm
    at = label_spot(parcel, pose, x0 + 0.75 * (x1 - x0), (y0 + y1) / 2)
    base = pose.at_m[2] - parcel.size_m[1] / 2
    return ParcelPose(
        (
            round(float(at[0]), 4),
            round(float(at[1]) - 0.035, 4),
            round(base + cover.size_m[1] / 2, 4),
        )
    )
