"""A beam at the simulated wall, closed loop: projector off its file's place, bumped, and mended.

What stands where is told from the truth with errors of seeing: a few millimetres of outline, and up
to two centimetres of depth.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from contracts.store_file import load_store_file
from contracts.wall_messages import LabelRead, Mark, MarkSeen, ProjectionJudged, Thing
from sortie.stores import store_path
from store_sim.wall import WallCase, WallWorld, cases
from store_sim.wall.cases import Fault
from store_sim.wall.parcels import corners_of
from tests.vision.projection.loop import Stepped
from vision.projection import Beam, BeamOut, Optics
from vision.wall import WallObservation


class Wall(Stepped):
    """The demo store's wall with its one camera and projector; `truth` is the simulator's."""

    step_s = 1 / 30

    def __init__(self, case: WallCase, seed: int) -> None:
        store = load_store_file(store_path("demo"))
        self.wall = store.walls[0]
        self.world = WallWorld(self.wall, case, seed)
        self.projector = self.wall.projectors[0]
        self.beam = Beam(self.projector, self.wall)
        one = self.wall.cameras[0]
        self.camera = Optics.of(self.wall, one.intrinsics, one.pose)
        self.marks: list[Mark] = []
        self.judged: list[ProjectionJudged] = []
        self.states: dict[str, MarkSeen] = {}
        self._rng = np.random.default_rng(seed)
        self._errors: dict[int, tuple[float, np.ndarray]] = {}
        self._tick = 0
        self.want = False

    @property
    def now_s(self) -> float:
        return self._tick * self.step_s

    def things(self) -> list[Thing]:
        found = []
        for index, (parcel, pose) in self.world.standing().items():
            corners = corners_of(parcel, pose)
            if index not in self._errors:
                self._errors[index] = (
                    float(np.clip(self._rng.normal(0, 0.008), -0.02, 0.02)),
                    self._rng.normal(0, 0.001, 2),
                )
            deeper, beside = self._errors[index]
            v_m = float(corners[:, 1].mean()) + deeper
            outline = self.camera.on_depth(self.camera.project(corners), v_m)[:, [0, 2]] + beside
            text = parcel.text
            label = LabelRead(symbology=parcel.symbology, text=text, reads=3) if text else None
            found.append(
                Thing(
                    thing_id=f"thing-{index}", state="stands", v_m=v_m, since_s=0.0,
                    label=label,
                    outline_m=tuple((float(u), float(z)) for u, z in outline), seen_s=self.now_s,
                )
            )  # fmt: skip
        return found

    def step(self) -> BeamOut:
        self._tick += 1
        self.world.step(self.now_s)
        seen = [
            WallObservation(
                one.camera_id, self.wall.wall_id, one.t_s, active=False,
                capture=np.asarray(cv2.cvtColor(one.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
                if self.want else None,
            )
            for one in self.world.frames(self.now_s)
        ]  # fmt: skip
        name = self.projector.projector_id
        out = self.beam.step(
            self.now_s, self.things(), self.marks, seen, plugged=self.world.plugged(name)
        )
        if out.picture is not None:
            self.world.show(name, out.picture)
        return self.hear(out)

    def off_mm(self) -> list[float]:
        """How far from the middles of faces their light is that is aimed there."""
        model = Optics.from_json(self.beam.snapshot()["model"])
        middles = np.array([pose.at_m for _, pose in self.world.standing().values()])
        truly, _ = self.world.beams[0].optic.pixels(middles)
        apart = np.linalg.norm(model.project(middles) - truly, axis=1)
        return [float(px) * model.mm_per_px(at) for px, at in zip(apart, middles, strict=True)]

    def lit(self) -> dict[str, set[str]]:
        """Looks that truly fall on parcels, by what their labels say."""
        texts = {one.name: one.text or one.name for one in self.world.truth.parcels}
        return {
            texts[name]: {one.look for one in lits} for name, lits in self.world.truth.lit().items()
        }


def test_a_projector_off_its_place_is_calibrated_bumped_and_mended() -> None:
    quiet = replace(
        cases()["labels-12"], orders=(), faults=(Fault("bump", after_scans=0, delay_s=12.0),)
    )
    wall = Wall(quiet, 3)
    before = wall.off_mm()
    assert wall.until("true", 15.0).points > 100
    assert np.median(before) > 5.0
    assert np.percentile(wall.off_mm(), 95) < 1.0

    chosen = [one for one in wall.things() if one.label][:4]
    wall.marks = [
        Mark(
            mark_id=f"m-{k}", look="take_a" if k < 2 else "not_this", thing_id=one.thing_id,
            label_text=one.label and one.label.text,
        )
        for k, one in enumerate(chosen)
    ]  # fmt: skip
    wanted = {one.label_text: {str(one.look)} for one in wall.marks}
    wall.run(1.5)
    assert {one.state for one in wall.states.values()} == {"seen"}
    assert wall.lit() == wanted
    wall.run(12.05 - wall.now_s)
    wall.until("off", 1.5)
    wall.step()
    assert wall.lit() == {}
    wall.until("true", 20.0)
    assert np.percentile(wall.off_mm(), 95) < 1.0
    wall.run(1.0)
    assert wall.lit() == wanted


def test_covered_markers_leave_the_wall_dark() -> None:
    wall = Wall(replace(cases()["board-not-found"], orders=()), 4)
    one = next(one for one in wall.things() if one.label)
    wall.marks = [
        Mark(
            mark_id="m", look="take_a", thing_id=one.thing_id,
            label_text=one.label and one.label.text,
        )
    ]  # fmt: skip
    said = wall.until("off", 15.0)
    assert said.reason.startswith("calibration board not found")
    wall.run(1.0)
    assert wall.states["m"].state == "withheld"
    assert wall.lit() == {}
