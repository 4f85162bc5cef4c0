"""A look at a simulated wall: `python -m store_sim.wall.picture --case NAME --seed N --out X.png`.

With `--cue` the parcels of the first order get green rings where the projector truly hangs, and
their customer takes them; `--at` is the second that is pictured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.store_file import load_store_file
from store_sim.wall.cases import cases
from store_sim.wall.parcels import ParcelPose, SimParcel, corners_of, frame_of
from store_sim.wall.world import WallWorld

__all__ = ["cue_picture", "main"]


def cue_picture(
    world: WallWorld, indexes: tuple[int, ...], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """What the first projector must throw to ring these parcels, were its true pose known."""
    beam = world.beams[0]
    picture = Image.new("RGB", beam.size)
    draw = ImageDraw.Draw(picture)
    for index in indexes:
        found = world.standing().get(index)
        if found is None:
            continue
        ring = _ring(*found)
        for part in ring:
            pixels, _ = beam.optic.pixels(part)
            draw.line([(float(x), float(y)) for x, y in pixels], fill=colour, width=5)
    return np.asarray(picture).copy()


def _ring(parcel: SimParcel, pose: ParcelPose) -> list[NDArray[np.float64]]:
    """Two circles on a parcel's front, one within the other."""
    right, up, _ = frame_of(pose)
    corners = corners_of(parcel, pose)
    middle = corners.mean(axis=0)
    radius = 0.42 * min(parcel.size_m[:2])
    turn = np.linspace(0, 2 * np.pi, 41)
    circle = np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * up
    return [middle + r * circle for r in (radius, 0.12 * radius)]


def main(argv: list[str] | None = None) -> int:
    """Draws one picture of each camera; several cameras get a number in the file's name."""
    parser = argparse.ArgumentParser(prog="store_sim.wall.picture")
    parser.add_argument("--store", type=Path, default=Path("store_sim/stores/demo.yaml"))
    parser.add_argument("--wall", help="id of the wall; the first if left out")
    parser.add_argument("--case", default="labels-12", choices=sorted(cases()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", type=float, default=0.0, help="store second")
    parser.add_argument("--cue", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    store = load_store_file(args.store)
    walls = {wall.wall_id: wall for wall in store.walls}
    wall = walls[args.wall] if args.wall else store.walls[0]
    world = WallWorld(wall, args.case, args.seed)
    frames = world.frames(0.0)
    step = 1 / wall.cameras[0].fps
    for order in world.orders:
        world.give_code(order.order_id, f"code-{order.order_id}")
    k = 0
    while world.t_s + step <= args.at + 1e-9:
        k += 1
        world.step(k * step)
        if args.cue and world.scans():
            order = world.orders[0]
            world.show(
                wall.projectors[0].projector_id, cue_picture(world, order.indexes, (0, 255, 60))
            )
        frames = world.frames(k * step) or frames
    for number, frame in enumerate(frames):
        out = args.out if len(frames) == 1 else args.out.with_stem(f"{args.out.stem}-{number + 1}")
        Image.fromarray(frame.rgb).save(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
