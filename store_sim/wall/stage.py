"""All that is drawn of a wall: keeps cameras' and projectors' views in step with the world."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from hardware.ports import Frame
from store_sim.render.layers import Rect
from store_sim.scene import BodyPose
from store_sim.wall.beam import Beam
from store_sim.wall.cases import WallCase
from store_sim.wall.eye import Eye, Textures
from store_sim.wall.faces import Bank, parcel_faces, rects_of, shadow_faces, wall_faces
from store_sim.wall.lights import Lit, lit_by
from store_sim.wall.parcels import ParcelPose, SimParcel
from store_sim.wall.strips import Strip
from store_sim.wall.visitor import Carried, Visitor

__all__ = ["Stage"]

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

SHIFT_M, TURN_DEG, ZOOM = 0.025, 0.9, 0.02
"""How far a projector usually hangs from where its file says."""
BUMP_M, BUMP_DEG = 0.01, 1.2
STRENGTH = 2.4
_CLOTH = 22


class Stage:
    """Cameras, projectors, strips of lamps and what is before them."""

    def __init__(self, wall: Wall, case: WallCase, parcels: list[SimParcel], seed: int) -> None:
        rng = np.random.default_rng([seed, 21])
        self._wall = wall
        self._bank = Bank(seed)
        hidden = frozenset(one.marker for one in wall.markers) if case.hide_markers else frozenset()
        self._room = wall_faces(wall, self._bank, hidden_markers=hidden)
        self._parcels = {one.index: one for one in parcels}
        for one in parcels:
            parcel_faces(one, ParcelPose((0.0, 0.0, 0.0)), self._bank, wall)
            shadow_faces(one, ParcelPose((0.0, 0.0, 0.0)), self._bank, wall)
        self._textures = Textures(*self._bank.packed())
        off = case.off
        self.beams = tuple(
            Beam(
                wall, one,
                shift_m=off * SHIFT_M * rng.uniform(-1, 1, 3),
                turn_deg=off * TURN_DEG * rng.uniform(-1, 1, 3),
                zoom=1 + off * ZOOM * float(rng.uniform(-1, 1)), strength=STRENGTH,
            )
            for one in wall.projectors
        )  # fmt: skip
        self.strips = tuple(Strip(wall, one) for one in wall.lights)
        self.eyes = tuple(
            Eye(wall, one, self.beams, self._textures, case.dials, seed + 31 * k)
            for k, one in enumerate(wall.cameras)
        )
        self._next = {eye.camera.camera_id: 0 for eye in self.eyes}
        self._standing: dict[int, ParcelPose] = {}
        self._drawn: dict[int, tuple[ParcelPose, Floats]] = {}
        self._carried: list[Carried] = []
        self._people: list[Visitor] = []
        self._shaded = False
        self._thrown: list[list[Rect]] = [[] for _ in self.beams]
        self._thrown_marks: dict[int, tuple[Lit, ...]] | None = None
        self._blocked = False
        self._fresh, self._seen = False, False
        self._changed: list[Floats] = []

    def at(
        self, standing: dict[int, ParcelPose], carried: list[Carried], people: list[Visitor]
    ) -> None:
        """Where everything is now; people's bodies are asked for when they are drawn."""
        if standing != self._standing:
            self._standing = dict(standing)
            self._thrown_marks = None
        self._carried = [Carried(one.parcel, one.pose) for one in carried]
        self._people = people
        self._shaded = False

    def show(self, projector_id: str, rgb: Picture | None) -> None:
        """What a projector throws."""
        for k, beam in enumerate(self.beams):
            if beam.projector_id == projector_id:
                rect = beam.show(rgb)
                if rect is not None:
                    self._thrown[k].append(rect)
                    self._thrown_marks = None

    def show_lamps(self, light_id: str, colours: Picture) -> None:
        """What a strip shows."""
        for strip in self.strips:
            if strip.light_id == light_id:
                strip.show(colours)

    def watch(self, t_s: float) -> None:
        """Whoever is there sees what shines, and remembers lamps that blink."""
        for strip in self.strips:
            strip.watch(t_s)

    def bump(self, rng: np.random.Generator) -> None:
        """Somebody runs into the projectors."""
        for k, beam in enumerate(self.beams):
            turn = BUMP_DEG * (0.6 + 0.4 * rng.random(3)) * rng.choice([-1.0, 1.0], 3)
            beam.bump(BUMP_M * rng.uniform(-1, 1, 3), turn)
            beam.stand(self._all_faces(), self._textures.texels, self._textures.rows)
            self._thrown[k].append((0, 0, *beam.size))
        if self._seen:
            for eye in self.eyes:
                eye.beam_moved()
                eye.light([(0, 0, eye.optic.width, eye.optic.height)], [])
        self._thrown_marks, self._shaded = None, False

    def block(self, begins: bool) -> None:
        """Something hangs before the first camera, or is taken away."""
        self._blocked = begins

    def lights(self) -> dict[int, tuple[Lit, ...]]:
        """The marks that fall on standing parcels, or shine below them, by index."""
        return self._with_strips(None)

    def glimpsed(self, t_s: float) -> dict[int, tuple[Lit, ...]]:
        """The marks as who has watched until now sees them: lamps that blink shine on."""
        return self._with_strips(t_s)

    def _with_strips(self, t_s: float | None) -> dict[int, tuple[Lit, ...]]:
        listed = [(self._parcels[index], pose) for index, pose in self._standing.items()]
        if self._thrown_marks is None:
            self._sync_standing()
            # Where no camera ever looks, nobody who moves stands in the light.
            if self._seen and not self._shaded:
                self._shade(*self._moving())
            self._thrown_marks = _together(lit_by(beam, listed) for beam in self.beams)
        if not self.strips:
            return self._thrown_marks
        return _together([self._thrown_marks, *(one.lit(listed, t_s) for one in self.strips)])

    def frames(self, t_s: float) -> tuple[Frame, ...]:
        """The pictures that are due; see WallWorld.frames."""
        due = []
        for eye in self.eyes:
            latest = math.floor(t_s * eye.camera.fps + 1e-6)
            if latest >= self._next[eye.camera.camera_id]:
                self._next[eye.camera.camera_id] = latest + 1
                due.append((eye, latest))
        if not due:
            return ()
        self._draw()
        frames = []
        for eye, index in due:
            rgb = eye.picture()
            for strip in self.strips:
                strip.glow(eye.optic, eye.depth, rgb)
            if self._blocked and eye is self.eyes[0]:
                rgb = np.minimum(rgb // 40 + _CLOTH, 255).astype(np.uint8)
            frames.append(Frame(eye.camera.camera_id, index / eye.camera.fps, index, rgb))
        return tuple(frames)

    def _faces(self, index: int, pose: ParcelPose) -> Floats:
        faces = parcel_faces(self._parcels[index], pose, self._bank, self._wall)
        gloss = self._parcels[index].gloss
        if gloss > 0.0:
            self._shine(faces, index, gloss)
        return faces

    def _shine(self, faces: Floats, index: int, gloss: float) -> None:
        """A lamp whose mirror picture lies somewhere on the front, as the first camera sees it."""
        rng = np.random.default_rng([self._bank.seed, 900 + index])
        if rng.random() < 0.4:
            return
        eye = self.eyes[0].optic.cam[9:12]
        face = faces[0]
        along = face[3:6] / (face[3:6] @ face[3:6])
        down = face[6:9] / (face[6:9] @ face[6:9])
        parcel = self._parcels[index]
        w, h, _ = parcel.size_m
        # On the label or near it, where it does harm.
        a = 0.5 + parcel.label_at[0] / w + rng.uniform(-0.25, 0.25)
        b = 0.5 - parcel.label_at[1] / h + rng.uniform(-0.25, 0.25)
        spot = face[0:3] + along * a + down * b
        ray = spot - eye
        ray = ray / math.sqrt(float(ray @ ray))
        normal = face[9:12]
        face[20] = gloss
        face[21:24] = ray - 2 * float(ray @ normal) * normal

    def _all_faces(self) -> Floats:
        return np.concatenate([self._room, *(faces for _, faces in self._drawn.values())])

    def _sync_standing(self) -> None:
        """What stands elsewhere than before: told to the projectors, and kept for the cameras."""
        gone = [k for k, (pose, _) in self._drawn.items() if self._standing.get(k) != pose]
        new = [k for k, pose in self._standing.items() if k not in self._drawn or k in gone]
        if not gone and not new and self._fresh:
            return
        changed = [self._drawn.pop(k)[1] for k in gone]
        for k in new:
            pose = self._standing[k]
            shadow = shadow_faces(self._parcels[k], pose, self._bank, self._wall)
            self._drawn[k] = (pose, np.concatenate([self._faces(k, pose), shadow]))
            changed.append(self._drawn[k][1])
        self._drawn = dict(sorted(self._drawn.items()))
        faces, tex = self._all_faces(), self._textures
        for k, beam in enumerate(self.beams):
            for rect in rects_of(changed, beam.optic) if self._fresh else (None,):
                self._thrown[k].append(beam.stand(faces, tex.texels, tex.rows, rect))
        self._changed += changed
        self._fresh = True

    def _see_standing(self) -> None:
        """Draws for the cameras what stands elsewhere than when they last looked."""
        self._sync_standing()
        changed, self._changed = self._changed, []
        if not changed and self._seen:
            return
        faces = self._all_faces()
        for eye in self.eyes:
            found = rects_of(changed, eye.optic) if self._seen else None
            eye.light(eye.stand(faces, found), [])
        self._seen = True

    def _draw(self) -> None:
        self._see_standing()
        moving, bodies = self._moving()
        if not self._shaded:
            self._shade(moving, bodies)
        thrown, self._thrown = self._thrown, [[] for _ in self.beams]
        for eye in self.eyes:
            rects = eye.clear_moving()
            rects += eye.move(moving)
            rects += eye.people(bodies)
            eye.light(rects, thrown)

    def _moving(self) -> tuple[list[Floats], list[BodyPose]]:
        """What is carried, and who is there, as they are drawn."""
        moving = [self._faces(one.parcel.index, one.pose) for one in self._carried]
        return moving, [who.pose() for who in self._people]

    def _shade(self, moving: list[Floats], bodies: list[BodyPose]) -> None:
        """What moves is before the projectors where it is now."""
        self._shaded = True
        tex = self._textures
        for k, beam in enumerate(self.beams):
            shadows = beam.move(moving, bodies, tex.texels, tex.rows)
            if shadows:
                self._thrown[k] += shadows
                self._thrown_marks = None


def _together(parts: Iterable[dict[int, tuple[Lit, ...]]]) -> dict[int, tuple[Lit, ...]]:
    found: dict[int, tuple[Lit, ...]] = {}
    for part in parts:
        for index, lits in part.items():
            found[index] = found.get(index, ()) + lits
    return found
