"""`sortie plates`: its table, its JSON, and what it says of files that are no good."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from sortie.errors import UsageError
from sortie.plates_cmd import PlatesResult, run_plates
from store_sim.errors import RecordingError
from tests.vision import plate_logs
from tests.vision.plate_logs import PlateStory


def write(path: Path, log: PlateStory, begin_s: float = 1_580_249_000.0) -> Path:
    with path.open("w") as file:
        file.write("t_s,plate,weight_g\n")
        for t_s, row in zip(log.t, log.x, strict=True):
            stamp = f"{begin_s + t_s:.6f}"
            file.writelines(
                f"{stamp},{name},{grams:.1f}\n"
                for name, grams in zip(log.names, row.tolist(), strict=True)
            )
    return path


def run(
    source: Path, json_file: Path | None = None, **options: float
) -> tuple[PlatesResult, str, str]:
    out, err = io.StringIO(), io.StringIO()
    result = run_plates(source, json_file, out=out, err=err, **options)
    return result, out.getvalue(), err.getvalue()


def small(path: Path, *extra: str) -> Path:
    """Twenty seconds of four plates; 105 g are taken from p2 after ten."""
    rng = np.random.default_rng(1)
    rows = []
    for n in range(600):
        grams = 3000.0 + rng.normal(0, 0.5, 4) - np.array([0, 0, 105.0, 0]) * (n >= 300)
        rows += [f"{n / 30:.3f},p{p},{grams[p]:.1f}" for p in range(4)]
    path.write_text("\n".join(["t_s,plate,weight_g", *rows, *extra]) + "\n")
    return path


def test_the_log_of_a_real_store_from_file_to_json(tmp_path: Path) -> None:
    log = plate_logs.real_store(21)
    result_file = tmp_path / "out.json"
    _, out, err = run(write(tmp_path / "log.csv", log), result_file)
    document = json.loads(result_file.read_text())
    assert [set(event) for event in document["events"]] == [{"t_s", "plates", "weight_delta_g"}] * 2
    for event, truth in zip(document["events"], log.happened, strict=True):
        ordered = sorted(truth.gains, key=lambda plate: truth.gains[plate])
        assert event["plates"] == [log.names[plate] for plate in ordered]
        assert event["weight_delta_g"] == pytest.approx(truth.delta_g, abs=8.0)
        assert event["t_s"] == pytest.approx(1_580_249_000.0 + truth.t_s, abs=3.0)
    assert (document["plates"], document["rows"]) == (348, 348 * 2040)
    assert (document["rows_left_out"], err) == (0, "")
    assert out.splitlines()[-1] == "2 weight events in 34.0 s of 348 plates (709920 rows)"


def test_the_table_says_when_what_and_where(tmp_path: Path) -> None:
    result, out, err = run(small(tmp_path / "log.csv"))
    assert len(result.report.events) == 1
    assert re.search(r"^ *(9\.9\d|10\.0\d) +-105 +taken +p2 *$", out, re.MULTILINE)
    assert "1 weight event in 20.0 s of 4 plates (2400 rows)" in out
    assert err == ""


def test_names_with_brackets_and_colours_are_shown_as_they_are(tmp_path: Path) -> None:
    path = small(tmp_path / "log.csv")
    path.write_text(path.read_text().replace(",p2,", ",[red]:smile:,"))
    assert "[red]:smile:" in run(path)[1]


def test_nothing_happened(tmp_path: Path) -> None:
    path = small(tmp_path / "log.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:1100]) + "\n")
    _, out, _ = run(path, tmp_path / "out.json")
    assert out == "0 weight events in 9.1 s of 4 plates (1099 rows)\n"
    assert json.loads((tmp_path / "out.json").read_text())["events"] == []


def test_rows_left_out_are_counted_and_said(tmp_path: Path) -> None:
    path = small(tmp_path / "log.csv", "20.1,p1,much")
    result, _, err = run(path, tmp_path / "out.json")
    assert "1 rows left out; the first is line 2402: expected a number" in err
    assert json.loads((tmp_path / "out.json").read_text())["rows_left_out"] == 1
    assert len(result.report.events) == 1


def test_the_lightest_event_can_be_chosen(tmp_path: Path) -> None:
    path = small(tmp_path / "log.csv")
    assert run(path, least_g=200.0)[0].report.events == ()


def test_a_file_that_is_no_log_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(RecordingError, match="line 1: expected a header"):
        run(path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_where_the_result_goes_is_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere; make it"):
        run(tmp_path / "none.csv", tmp_path / "nowhere" / "out.json")
    with pytest.raises(UsageError, match="got a folder"):
        run(tmp_path / "none.csv", tmp_path)


def test_progress_is_for_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sortie.plates_cmd.PROGRESS_EVERY_S", 0.0)
    err = Terminal()
    run_plates(small(tmp_path / "log.csv"), out=io.StringIO(), err=err)
    assert "read 100% of log.csv, 2400 rows" in err.getvalue()
    assert "looked at 100%" in err.getvalue()
    assert err.getvalue().endswith("\r\033[K")
