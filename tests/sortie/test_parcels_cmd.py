"""`sortie parcels`: route files with faults by line, and the commands at a hub that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from sortie import parcels_cmd
from sortie.errors import AwayError, RefusalError, UsageError
from sortie.parcels_cmd import parcels_app
from sortie.route_file import read_route

SSCC = "340123450000000017"
RUNNER = CliRunner()
GOOD = f"""route_id: r1
wall_id: van-wall
stops:
  - name: 1 First Street
    orders: [o1, o2]
  - name: 2 Second Street
    labels: [00{SSCC}]
"""


def run(*arguments: object) -> Result:
    return RUNNER.invoke(parcels_app, [str(word) for word in arguments])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """What the hub was asked; it answers as one that knows order o1 and one parcel."""
    seen: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body: Any = json.loads(request.content) if request.content else None
        path = request.url.path.removeprefix("/api/v1")
        seen.append((request.method, path, body))
        parcel = {"key": f"sscc:{SSCC}", "order_id": "o1", "state": "ready",
                  "wall_id": "wall-1", "due_minor": 0}  # fmt: skip
        if path.endswith("/stow"):
            return httpx.Response(200, json={"place_m": [[0.25, 0.5], [0.5, 0.5]]})
        if path == "/parcels":
            more = "cursor" not in request.url.params
            return httpx.Response(200, json={"items": [parcel], "next": "n" if more else None})
        if path == "/orders/o1":
            return httpx.Response(200, json={"parcels": [parcel]})
        if path == "/orders/o1/release":
            return httpx.Response(200, json={})
        if path == "/routes":
            said = "stop 2 (2 Second Street): expected a parcel of an order here, got 'x'"
            bad = any("o9" in stop["orders"] for stop in body["stops"])
            return (
                httpx.Response(422, json={"detail": said}) if bad else httpx.Response(201, json={})
            )
        return httpx.Response(404, json={"detail": f"expected another path than {path}"})

    @contextmanager
    def client(hub: str, key: str) -> Iterator[httpx.Client]:
        with httpx.Client(
            transport=httpx.MockTransport(answer), base_url="http://hub/api/v1"
        ) as made:
            yield made

    monkeypatch.setattr(parcels_cmd, "_client", client)
    return seen


def test_stow_says_where(asked: list[Any]) -> None:
    result = run("stow", f"https://id.gs1.org/00/{SSCC}", "wall-1")
    assert f"sscc:{SSCC}: put it at u 0.25 m, z 0.50 m of wall-1" in result.output
    assert asked == [("POST", f"/parcels/sscc:{SSCC}/stow", {"wall_id": "wall-1"})]


def test_list_reads_all_pages(asked: list[Any], tmp_path: Path) -> None:
    result = run("list", "--state", "ready", "--json", tmp_path / "p.json")
    assert result.exit_code == 0
    assert len(json.loads((tmp_path / "p.json").read_text())["parcels"]) == 2
    assert len(asked) == 2


def test_release_says_how_many(asked: list[Any]) -> None:
    assert "o1: 1 of 1 parcels may be fetched" in run("release", "o1").output
    assert asked[0] == ("POST", "/orders/o1/release", {"deadline_s": None})
    with pytest.raises(RefusalError, match="another path"):
        RUNNER.invoke(parcels_app, ["release", "o9"], catch_exceptions=False)


def test_nobody_at_the_hubs_address() -> None:
    with pytest.raises(AwayError, match="nobody answers"):
        RUNNER.invoke(parcels_app, ["list", "--hub", "http://127.0.0.1:9"], catch_exceptions=False)


def write(tmp_path: Path, text: str, name: str = "route.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_route_in_three_ways_is_the_same(tmp_path: Path, asked: list[Any]) -> None:
    stops = [
        {"name": "1 First Street", "orders": ["o1", "o2"], "labels": []},
        {"name": "2 Second Street", "orders": [], "labels": [f"00{SSCC}"]},
    ]
    document = json.dumps({"route_id": "r1", "wall_id": "van-wall", "stops": stops}, indent=1)
    table = f"stop,order,label\n1 First Street,o1,\n1 First Street,o2\n2 Second Street,,00{SSCC}\n"
    for path, more in (
        (write(tmp_path, GOOD), ()),
        (write(tmp_path, document, "route.json"), ()),
        (write(tmp_path, table, "route.csv"), ("--route", "r1", "--wall", "van-wall")),
    ):
        result = run("route", path, *more)
        assert "r1: 2 stops, 3 orders and labels" in result.output
        expected = {"route_id": "r1", "wall_id": "van-wall", "stops": stops}
        assert asked[-1] == ("POST", "/routes", expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stops: []", ":1: expected 1 to 500 stops, got 0"),
        ("- 1", ":1: expected route_id, wall_id and stops"),
        ("stops:\n - name: A\n", ":2: stop 'A': expected an order or a label, got neither"),
        ("stops:\n - orders: [o1]\n", ":2: expected a name of the stop, got none"),
        (
            "stops:\n - name: A\n   orders: [o1]\n - name: B\n   orders: [o1]\n",
            ":4: stop 'B': order o1 stands in line 2 already",
        ),
        (
            f"stops:\n - name: A\n   labels: [{SSCC}, 00{SSCC}]\n",
            ":2: stop 'A': sscc:340123450000000017 stands in line 2 already",
        ),
        ("stops:\n - name: A\n   order: [o1]\n", ":3: expected one of name, orders, labels"),
        ("stops:\n - name: A\n   orders: o1\n", ":3: expected a list, got a single value"),
        ("stops:\n - name: A\n   orders: [o1\n", "not YAML or JSON"),
        ("stops:\n - name: A\n   name: B\n", ":3: expected name once, got it twice"),
        (
            "stops:\n - name: A\n   labels: ['']\n",
            ":2: stop 'A': expected a label of 1 to 256 characters, got 0 of them",
        ),
    ],
)
def test_faults_have_their_line(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as told:
        read_route(path)
    assert says in str(told.value)
    assert str(path) in str(told.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stop,where\nA,o1\n", ":1: expected a header of stop, order and label"),
        ("stop,order\nA,o1,x,y\n", ":2: expected 2 columns, got 4"),
        ("stop,order\nA,\n", ":2: stop 'A': expected an order or a label"),
        ("order,stop\no1\n", ":2: expected a name of the stop, got none"),
        ("stop,stop,order\nA,B,o1\n", ":1: expected a header of stop, order and label"),
    ],
)
def test_faults_of_a_table_have_their_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"route\.csv") as told:
        read_route(write(tmp_path, text, "route.csv"))
    assert says in str(told.value)


def test_what_only_the_hub_knows_has_its_line_too(tmp_path: Path, asked: list[Any]) -> None:
    path = write(tmp_path, GOOD.replace("o2", "o9"))
    with pytest.raises(UsageError, match=r"route.yaml:6: stop 2 \(2 Second Street\): expected a"):
        RUNNER.invoke(parcels_app, ["route", str(path)], catch_exceptions=False)
    assert run("route", path, "--check").exit_code == 0
    assert len(asked) == 1


def test_a_field_that_the_hub_refuses_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_asked: Any, **_more: Any) -> Any:
        raise RefusalError(422, "body.stops.1.labels.0: Value error, expected a label")

    monkeypatch.setattr(parcels_cmd, "_ask", refuse)
    with pytest.raises(UsageError, match=r"route.yaml:6: body.stops.1.labels.0: Value error"):
        RUNNER.invoke(parcels_app, ["route", str(write(tmp_path, GOOD))], catch_exceptions=False)


def test_lists_within_lists_are_no_route(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"route.yaml:1: expected a list of stops, got lists"):
        read_route(write(tmp_path, "stops: " + "[" * 5_000))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--hub", "http://hub:port"), "--hub http://hub:port: expected an address like"),
        (("--key", "schlüssel"), "--key: expected an API key of the hub"),
    ],
)
def test_an_address_or_a_key_that_is_none_is_told(words: tuple[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RUNNER.invoke(parcels_app, ["list", *words], catch_exceptions=False)


def test_something_else_that_answers_is_no_hub() -> None:
    page = httpx.MockTransport(lambda _request: httpx.Response(200, text="<html>"))
    with (
        httpx.Client(transport=page, base_url="http://hub:9/api/v1") as client,
        pytest.raises(AwayError, match="a hub at hub:9, something else answers"),
    ):
        parcels_cmd._ask(client, "GET", "/parcels")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_route(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="expected UTF-8"):
        read_route(tmp_path / "bytes.yaml")
    with pytest.raises(UsageError, match="expected wall_id"):
        RUNNER.invoke(
            parcels_app,
            ["route", str(write(tmp_path, "stops:\n - {name: A, orders: [o1]}\n"))],
            catch_exceptions=False,
        )
