"""SIGKILL of real processes, twenty rounds: hub, broker and nodes, at any moment."""

from __future__ import annotations

from sortie.torture.rounds import run_rounds

ROUNDS = 20


def test_twenty_rounds_lose_nothing() -> None:
    told: list[str] = []
    document = run_rounds(ROUNDS, seed=1, tell=told.append)
    assert document["violations"] == []
    assert document["seeds"] == ROUNDS
    assert len(told) == ROUNDS
    assert document["visits"] > 0
    faults = document["faults"]
    for name in ("killed_hub", "killed_broker"):
        assert faults[name] > 0
    assert any(name.startswith("killed_node") for name in faults)
    assert any(name.startswith("killed_hub_at_") for name in faults)
    checks = document["checks"]
    assert checks["acknowledged is stored once"] >= ROUNDS
    assert checks["debits equal credits"] == ROUNDS + 1
