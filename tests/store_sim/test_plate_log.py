"""Logs of plates from files: any usual shape of CSV is read, anything else is named by its line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from contracts.store_file import load_store_file
from store_sim.errors import RecordingError
from store_sim.plate_log import PlateLog, read_plate_log, write_plate_chunks
from store_sim.replay import RecordedStream

ROOT = Path(__file__).parents[2]


def read(tmp_path: Path, text: str | bytes) -> PlateLog:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_plate_log(path)


PLAIN = "t_s,plate,weight_g\n0.0,a,10.5\n0.0,b,-20\n0.1,a,11\n0.1,b,-21\n0.2,a,12\n0.2,b,-22\n"


def same(log: PlateLog) -> None:
    assert log.plate_ids == ("a", "b")
    assert log.t_s.tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert log.grams.tolist() == [[10.5, -20.0], [11.0, -21.0], [12.0, -22.0]]
    assert log.grams.dtype == np.float32
    assert (log.rows, log.bad_rows) == (6, 0)


@pytest.mark.parametrize("change", [
    lambda text: text,
    lambda text: text.rstrip("\n"),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: "\ufeff" + text,
    lambda text: text.replace(",", ";"),
    lambda text: text.replace(",", "\t"),
    lambda text: text.replace(",", ";").replace(".", ","),
    lambda text: text.replace(",", "\t").replace(".", ","),
    lambda text: "sep=;\n" + text.replace(",", ";"),
    lambda text: text.replace("t_s,plate,weight_g", " T_S, Plate ,WEIGHT_G"),
    lambda text: text.replace(",a,", ',"a",'),
    lambda text: text.replace(",a,", ", a ,"),
    lambda text: "\n" + text.replace("0.1,a", "\n0.1,a") + "\n\n",
])  # fmt: skip
def test_the_usual_shapes_of_csv(tmp_path: Path, change: object) -> None:
    assert callable(change)
    same(read(tmp_path, change(PLAIN)))


def test_utf_16_from_a_spreadsheet(tmp_path: Path) -> None:
    same(read(tmp_path, PLAIN.replace(",", "\t").encode("utf-16")))


def test_columns_in_another_order_and_more_of_them(tmp_path: Path) -> None:
    lines = ["weight_g,note,plate,shelf,t_s"]
    for line in PLAIN.splitlines()[1:]:
        t, plate, weight = line.split(",")
        lines.append(f"{weight},x,{plate},3,{t}")
    same(read(tmp_path, "\n".join(lines)))


def test_rows_in_any_order(tmp_path: Path) -> None:
    head, *rows = PLAIN.splitlines()
    by_plate = sorted(rows, key=lambda row: row.split(",")[1])
    same(read(tmp_path, "\n".join([head, *by_plate])))
    log = read(tmp_path, "\n".join([head, *reversed(rows)]))
    assert log.plate_ids == ("b", "a")
    assert log.t_s.tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert log.grams[:, 1].tolist() == [10.5, 11.0, 12.0]


def test_kilograms_only_if_the_column_says_so(tmp_path: Path) -> None:
    log = read(tmp_path, "t_s,plate,weight_kg\n0,a,1.25\n1,a,1.5\n")
    assert log.grams[:, 0].tolist() == [1250.0, 1500.0]
    assert read(tmp_path, "t_s,plate,weight_g\n0,a,1.25\n").grams[0, 0] == 1.25


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "null", "None", " ", "-", "N/A"])
def test_missing_weights_are_no_reading(tmp_path: Path, nothing: str) -> None:
    log = read(tmp_path, f"t_s,plate,weight_g\n0,a,1\n0,b,2\n1,a,{nothing}\n1,b,3\n")
    assert math.isnan(log.grams[1, 0])
    assert log.grams[1, 1] == 3.0
    assert log.bad_rows == 0
    assert log.notes == ("1 rows hold no weight",)


def test_names_are_free_text(tmp_path: Path) -> None:
    log = read(tmp_path, 't_s,plate,weight_g\n0,"Regal 3, Böden",1\n0,Wäge#2,2\n1,Wäge#2,3\n')
    assert log.plate_ids == ("Regal 3, Böden", "Wäge#2")
    assert math.isnan(log.grams[1, 0])


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_times_since_1970_in_any_unit(tmp_path: Path, unit: str, factor: float) -> None:
    begin = 1_580_249_000.25
    rows = [f"{(begin + n / 4) * factor:.0f},a,{n}" for n in range(8)]
    if unit == "s":
        rows = [f"{begin + n / 4},a,{n}" for n in range(8)]
    log = read(tmp_path, "t_s,plate,weight_g\n" + "\n".join(rows))
    assert log.t_s.tolist() == pytest.approx([begin + n / 4 for n in range(8)], abs=1e-3)


def test_small_milliseconds_are_told_by_their_steps(tmp_path: Path) -> None:
    rows = [f"{round(n * 1000 / 60)},a,{n}" for n in range(60)]
    log = read(tmp_path, "t_s,plate,weight_g\n" + "\n".join(rows))
    assert log.t_s[-1] == pytest.approx(59 / 60, abs=1e-3)
    assert "milliseconds" in log.notes[0]
    slow = [f"{n * 2},a,{n}" for n in range(60)]
    assert read(tmp_path, "t_s,plate,weight_g\n" + "\n".join(slow)).t_s[-1] == 118.0
    said = read(tmp_path, "t_ms,plate,weight_g\n" + "\n".join(slow))
    assert said.t_s[-1] == pytest.approx(0.118)


def test_readings_at_one_time_are_averaged(tmp_path: Path) -> None:
    log = read(tmp_path, "t_s,plate,weight_g\n0,a,1\n0,a,3\n0,b,5\n1,a,7\n1,b,\n1,b,9\n")
    assert log.grams.tolist() == [[2.0, 5.0], [7.0, 9.0]]


def test_gateways_with_clocks_of_their_own_are_put_together(tmp_path: Path) -> None:
    rows = [
        f"{n / 60 + plate * 0.0021:.4f},p{plate},{100 * plate + n}"
        for n in range(120)
        for plate in range(6)
    ]
    log = read(tmp_path, "t_s,plate,weight_g\n" + "\n".join(rows))
    assert 119 <= len(log.t_s) <= 122
    assert np.isfinite(log.grams).mean() > 0.95
    assert np.diff(log.t_s) == pytest.approx(1 / 60, rel=0.02)
    assert np.nanmax(np.abs(np.diff(log.grams, axis=0) - 1)) <= 1.0


def test_a_few_bad_rows_are_left_out_counted_and_said(tmp_path: Path) -> None:
    rows = [f"{n / 10},a,{n}" for n in range(400)]
    rows[100] = "10.0,a,heavy"
    rows[150] = "15.0,a"
    rows[200] = "later,a,3"
    rows[250] = "25.0,,3"
    rows[300] = "30.0,a,inf"
    log = read(tmp_path, "t_s,plate,weight_g\n" + "\n".join(rows) + "\n40.0,a,1e")
    assert log.bad_rows == 6
    assert log.first_bad == "line 102: expected a number for the weight, got 'heavy'"
    assert log.rows == 395
    assert len(log.t_s) == 395


@pytest.mark.parametrize(("rows", "message"), [
    ("1,a,2\n2,a,x\n3,a,4", r"line 3: expected a number for the weight, got 'x'; 1 of 3 rows"),
    ("1,a,2\nnoon,a,3", "line 3: expected a number for the time, got 'noon'"),
    ("1,a,2\nnan,a,3", "line 3: expected a time, got 'nan'"),
    ("1,a,2\n2,a", r"line 3: expected 3 fields, got 2: '2,a'"),
    ("1,a,2\n2, ,3", "line 3: expected the name of a plate, got nothing"),
    ('1,a,2\n2,"a,3', "line 3: expected a row of CSV"),
    ("1,a,2\n2,a,-inf", "line 3: expected a weight, got '-inf'"),
    ("1,a,2\n2,a,1.234,5", r"line 3: .*|1 of 2"),
    ("", "expected rows after the header, got none"),
])  # fmt: skip
def test_bad_rows_are_an_error_with_their_line(tmp_path: Path, rows: str, message: str) -> None:
    if message.endswith("1 of 2"):
        # A field too many is passed over like any column without a name.
        assert read(tmp_path, f"t_s,plate,weight_g\n{rows}\n").grams[1, 0] == pytest.approx(1.234)
        return
    with pytest.raises(RecordingError, match=message):
        read(tmp_path, f"t_s,plate,weight_g\n{rows}\n")


@pytest.mark.parametrize(("content", "message"), [
    (b"", "the file is empty"),
    (b"\n\n", "holds no text"),
    (bytes(range(256)) * 20, "not a text file"),
    (b"t_s,weight_g\n1,2\n", r"line 1: .*no column plate"),
    (b"\ntime,plate,grams\n1,a,2\n", r"line 2: .*no column t_s and no weight_g"),
    (b"t_s|plate|weight_g\n1|a|2\n", "separated by comma, semicolon or tab.*columns run together"),
    (b"0.0,a,12\n0.1,a,12\n", "line 1: expected a header"),
])  # fmt: skip
def test_files_that_are_no_log(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        read(tmp_path, content)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        read_plate_log(tmp_path / "none.csv")
    with pytest.raises(RecordingError, match="got a folder"):
        read_plate_log(tmp_path)


def test_a_column_of_numbers_taken_for_plates_is_noticed(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},{n * 7},1" for n in range(6000))
    with pytest.raises(RecordingError, match="is the column `plate` right"):
        read(tmp_path, f"t_s,plate,weight_g\n{rows}\n")


def test_large_files_are_read_in_pieces_with_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_sim.plate_log.CHUNK_CHARACTERS", 1000)
    rows = [f"{n / 60:.4f},p{p},{n + 1000 * p}.5" for n in range(300) for p in range(4)]
    rows[700] = rows[700] + "x"
    path = tmp_path / "log.csv"
    path.write_text("t_s,plate,weight_g\n" + "\n".join(rows) + "\n")
    told: list[tuple[float, int]] = []
    log = read_plate_log(path, lambda share, count: told.append((share, count)))
    assert log.first_bad.startswith("line 702: ")
    assert (log.rows, log.bad_rows) == (1199, 1)
    assert log.grams.shape == (300, 4)
    assert np.isnan(log.grams).sum() == 1
    assert log.grams[299].tolist() == [299.5, 1299.5, 2299.5, 3299.5]
    assert len(told) == 20
    assert told == sorted(told)
    assert told[-1] == (1.0, 1199)


def test_a_log_becomes_the_plates_of_a_recording(tmp_path: Path) -> None:
    """As `sortie replay` reads them: from where videos begin, in the store's order."""
    store_path = ROOT / "store_sim" / "stores" / "demo.yaml"
    store = load_store_file(store_path)
    ids = [plate.plate_id for plate in store.plates]
    t_s = 1.6e9 + np.arange(7200) / 60
    grams = np.arange(7200, dtype=np.float32)[:, None] + np.array([0, 50_000], np.float32)
    log = PlateLog((ids[3], ids[0]), t_s, grams)
    (tmp_path / "store.yaml").write_text(store_path.read_text(encoding="utf-8"))
    files = write_plate_chunks(log, tmp_path, ids, begin_s=1.6e9 + 10.0)
    assert [file.name for file in files] == ["0000.npz", "0001.npz"]
    batches = [tick.scales for tick in RecordedStream(tmp_path, phone=lambda _: None)]
    rows = [batch for batch in batches if batch is not None]
    whole = np.concatenate([batch.grams for batch in rows])
    assert rows[0].t_s[0] == pytest.approx(0.0, abs=1e-6)
    assert whole.shape == (6600, 48)
    assert whole[:, 3].tolist() == grams[600:, 0].tolist()
    assert whole[:, 0].tolist() == grams[600:, 1].tolist()
    assert np.isnan(whole[:, [1, 2, 4]]).all()


def test_a_log_of_plates_that_the_store_does_not_know_is_refused(tmp_path: Path) -> None:
    log = PlateLog(("x",), np.zeros(1), np.zeros((1, 1), np.float32))
    with pytest.raises(RecordingError, match="plates that the store file does not: x; name them"):
        write_plate_chunks(log, tmp_path, ["a", "b"])
