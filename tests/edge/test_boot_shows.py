"""What a boot's projectors show while nothing more can be stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from contracts.messages import Message, NodeConfig, WallAttended
from contracts.wall import Wall
from edge.boot import Boot, Mail
from edge.evidence import EvidenceSettings, EvidenceStore
from edge.exchange import NodeInputs, NodeOutputs
from edge.outbox import Outbox, OutboxSettings
from edge.shows import Shows
from hardware.projectors import MemoryProjector
from tests.contracts.test_wall import wall as wall_document
from tests.edge.process_kit import node_settings

ROWS_MAX, RESERVE = 16, 4


class Core:
    """Says a word each step and wants the projector lit; one word cannot be stored."""

    camera_ids: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.steps = 0

    def step(self, inputs: NodeInputs, now_s: float) -> NodeOutputs:
        self.steps += 1
        word: Message = WallAttended(wall_id="wall-1", t_s=now_s, somebody=True)
        lit = np.full((1080, 1920, 3), 9, np.uint8)
        return NodeOutputs(events=(word,), pictures={"beam-1": lit} if self.steps == 1 else {})

    def quiet_bays(self) -> frozenset[str]:
        return frozenset()

    def snapshot(self, cameras: object) -> dict[str, object]:
        return {"plates": {}, "shelf": {}}


class Wire:
    """A broker that is away."""

    connected = False
    session = 0

    def publish(self, letter: object) -> bool:
        return False


def test_a_node_that_can_store_nothing_more_is_dark_until_it_goes_on(tmp_path: Path) -> None:
    wall = Wall.model_validate(wall_document())
    config = NodeConfig(revision=1, store_id="demo", node_id="node-t", walls=(wall,))
    outbox = Outbox(
        tmp_path / "outbox.db",
        boot_id="b1",
        settings=OutboxSettings(rows_max=ROWS_MAX, reserve_rows=RESERVE),
    )
    beam = MemoryProjector("beam-1", width=1920, height=1080)
    now_s = [100.0]
    shows = Shows(
        config,
        open_projector=lambda _name: beam,
        open_light=lambda name: NotImplemented,
        clock=lambda: now_s[0],
        say=lambda words: None,
    )
    core = Core()
    boot = Boot(
        node_settings(tmp_path, 1),
        config,
        boot_id="b1",
        core=core,  # type: ignore[arg-type]
        outbox=outbox,
        bus=Wire(),  # type: ignore[arg-type]
        evidence=EvidenceStore(tmp_path / "kept", EvidenceSettings(), unix_s=lambda: 1e9),
        tiles=None,
        make_worker=lambda camera: NotImplemented,
        shows=shows,
        clock=lambda: now_s[0],
        unix_s=lambda: 1e9,
        say=lambda words: None,
    )
    steps = ROWS_MAX + RESERVE + 1
    for _ in range(steps):
        now_s[0] += 0.1
        boot.step(Mail())
    assert core.steps == steps
    assert beam.shown is not None
    assert beam.shown.max() == 9
    boot.step(Mail())
    assert core.steps == steps, "it stands still"
    assert beam.shown.max() == 0
    outbox.forget("b1", ROWS_MAX)
    boot.step(Mail())
    assert core.steps == steps + 1
    assert beam.shown.max() == 9
    boot.close(save=False)
    outbox.close()
