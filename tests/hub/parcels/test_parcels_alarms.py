"""What staff say to an alarm, and what becomes of those that nobody answers."""

from __future__ import annotations

import pytest

from hub.errors import RejectedError
from hub.parcels.commands import ClearAlarm
from tests.hub.parcels.wall_kit import Bench, code_of


def test_an_answer_that_cannot_be_changes_nothing(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.tell(bench.thing("x", None, "stands", 0.6))
    bench.wait(5.0)
    bench.scan(code_of("o1"))
    bench.tell(bench.thing("x", None, "moves", 0.6))
    ((number, alarm),) = bench.wall().alarms.items()
    assert (alarm.kind, bench.session().wrong) == ("wrong_taken", ["x"])
    before = bench.hub.digest()
    with pytest.raises(RejectedError, match="an alarm about a parcel that was taken"):
        bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="missing"))
    assert bench.hub.digest() == before
    bench.do(ClearAlarm(wall_id="wall-1", number=number))
    assert bench.session().wrong == []
