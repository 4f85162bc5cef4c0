"""Evidence: asked for only when needed, checked, served to staff and to its own dispute, erased."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contracts import messages as m
from hub.errors import RejectedError
from hub.evidence.desk import ASKED_MAX
from hub.evidence.folder import EvidenceFolder
from hub.rules import Rules
from tests.hub.after_kit import COLA, Place, digest_of
from tests.hub.bearing import bearing

STRIP = b"\xff\xd8\xff strip of three pictures"
NAME = "boot-1-1"
WAIT = Rules(review_wait_s=600.0)


def with_evidence(day: Any, *, kept_s: float = 1000.0, sha256: str | None = None) -> None:
    """Puts evidence onto the last reach of the script."""
    at_s, name, payload = day.script[-1]
    text = payload.decode()
    assert '"sortie.reach.closed.v1"' in text
    found = m.Evidence(
        evidence_id=NAME,
        sha256=sha256 or digest_of(STRIP),
        media_type="image/jpeg",
        bytes=len(STRIP),
        expires_s=at_s + kept_s,
    )
    marked = text.replace('"data":{', f'"data":{{"evidence":[{found.model_dump_json()}],')
    day.script[-1] = (at_s, name, marked.encode())


def unsure_with_strip(place: Place, day: Any, **more: Any) -> tuple[dict[str, str], str]:
    """A visit in review whose unclear reach has a strip on its node."""
    day.born(0.0)
    opened = place.opened()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    reach = day.reach(2.1, "t1", COLA, sure=False)
    with_evidence(day, **more)
    for at_s, y_m in ((3.0, 3.4), (3.5, 1.2), (4.0, 0.6), (4.5, 0.1)):
        day.step(at_s, "t1", 1.1 if y_m > 3 else 5.0, y_m)
    day.watermark(5.5)
    place.play(day.script, 7.0)
    return opened, reach


def sure_with_strip(place: Place, day: Any) -> dict[str, str]:
    """A settled visit whose line has a strip on its node."""
    opened = place.opened()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", COLA)
    with_evidence(day)
    for at_s, y_m in ((3.0, 3.4), (3.5, 1.2), (4.0, 0.6), (4.5, 0.1)):
        day.step(at_s, "t1", 1.1 if y_m > 3 else 5.0, y_m)
    day.watermark(5.5)
    place.play(day.script, 9.0)
    assert place.phone(opened["token"])["stage"] == "final"
    return opened


def send_strip(place: Place, data: bytes = STRIP, *, token: str = "tok") -> Any:
    return place.http.put(
        f"/api/v1/nodes/node-shelf/evidence/{NAME}",
        content=data,
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db", rules=WAIT), tmp_path)


@pytest.fixture
def quiet_day(day: Any) -> Any:
    return type(day)()


def test_nobody_is_asked_for_what_nobody_needs(place: Place, day: Any) -> None:
    sure_with_strip(place, day)
    place.errands.step()
    assert place.bus.asked() == []
    answer = send_strip(place)
    assert answer.status_code == 422
    assert "asked for" in answer.json()["detail"]


def test_a_review_asks_the_node_and_staff_see_it(place: Place, quiet_day: Any) -> None:
    _opened, reach = unsure_with_strip(place, quiet_day)
    place.errands.step()
    assert place.bus.asked() == [NAME]
    assert send_strip(place, token="wrong").status_code == 403
    assert send_strip(place, token="other").status_code == 403, "another node's token"
    assert send_strip(place, b"\xff\xd8\xff something else").status_code == 422
    assert send_strip(place, b"x" * 4_000_001).status_code == 413
    url = f"/api/v1/staff/evidence/{digest_of(STRIP)}"
    assert place.http.get(url).status_code == 404
    assert send_strip(place).status_code == 204
    assert send_strip(place).status_code == 204, "the same again is fine"
    picture = place.http.get(url)
    assert (picture.content, picture.headers["content-type"]) == (STRIP, "image/jpeg")
    rows = place.http.get("/api/v1/staff/reviews").json()["visits"][0]["evidence"]
    assert [(row["reach_id"], row["state"]) for row in rows] == [(reach, "here")]
    place.now_s += 60.0
    place.errands.step()
    assert place.bus.asked() == [NAME], "what is here is not asked for again"


def test_a_dispute_asks_and_only_its_own_phone_sees_it(place: Place, day: Any) -> None:
    opened = sure_with_strip(place, day)
    stranger = place.opened()
    sha256 = digest_of(STRIP)
    own = f"/api/v1/phones/me/evidence/{sha256}"
    mine = bearing(opened["token"])
    assert place.http.get(own, headers=mine).status_code == 404, "nothing is disputed yet"
    assert place.dispute(opened["token"]).status_code == 201
    place.errands.step()
    assert send_strip(place).status_code == 204
    assert place.http.get(own, headers=mine).content == STRIP
    other = bearing(stranger["token"])
    assert place.http.get(own, headers=other).status_code == 404
    rows = place.http.get("/api/v1/phones/me/disputes", headers=mine).json()
    assert rows[0]["evidence"] == [{"sha256": sha256, "state": "here"}]
    queue = place.http.get("/api/v1/staff/disputes").json()["disputes"]
    assert queue[0]["evidence"][0]["state"] == "here"


def test_a_silent_node_is_asked_with_growing_pauses_and_then_no_more(
    place: Place, quiet_day: Any
) -> None:
    unsure_with_strip(place, quiet_day, kept_s=100_000.0)
    asked_at = []
    for _ in range(4_000):
        before = len(place.bus.asked())
        place.errands.step()
        if len(place.bus.asked()) > before:
            asked_at.append(place.now_s)
        place.now_s += 0.5
    assert len(asked_at) == ASKED_MAX
    pauses = [round(b - a) for a, b in pairwise(asked_at)]
    assert pauses == sorted(pauses)
    place.errands.step()
    rows = place.http.get("/api/v1/staff/reaches/r1/evidence").json()
    assert [row["state"] for row in rows] == ["missing"]


def test_a_node_says_that_it_is_gone(place: Place, quiet_day: Any) -> None:
    unsure_with_strip(place, quiet_day)
    place.errands.step()
    answer = place.http.put(
        f"/api/v1/nodes/node-shelf/evidence/{NAME}/gone", headers={"Authorization": "Bearer tok"}
    )
    assert answer.status_code == 204
    rows = place.http.get("/api/v1/staff/reaches/r1/evidence").json()
    assert [row["state"] for row in rows] == ["missing"]


def test_expired_evidence_is_neither_asked_for_nor_kept(place: Place, quiet_day: Any) -> None:
    unsure_with_strip(place, quiet_day, kept_s=3.0)
    place.errands.step()
    assert place.bus.asked() == []
    place.now_s += 700.0
    place.errands.step()
    assert place.http.get("/api/v1/staff/reaches/r1/evidence").json() == []


def test_staff_may_ask_without_a_review(place: Place, day: Any) -> None:
    sure_with_strip(place, day)
    answer = place.http.post("/api/v1/staff/reaches/r1/evidence")
    assert (answer.status_code, place.bus.asked()) == (202, [NAME])


def test_evidence_is_no_part_of_the_state(place: Place, quiet_day: Any) -> None:
    unsure_with_strip(place, quiet_day)
    before = place.frozen()
    place.errands.step()
    send_strip(place)
    assert place.frozen() == before
    assert place.rebuilt().digest() == place.shop.hub.digest()


def test_the_folder_keeps_its_quota_and_forgets_by_age(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    pieces = [b"\xff\xd8\xff" + bytes([n]) * 40_000 for n in range(4)]

    def folder() -> EvidenceFolder:
        return EvidenceFolder(
            tmp_path / "e", quota_bytes=100_000, keep_s=50.0, unix_s=lambda: now[0]
        )

    kept = folder()
    assert not (tmp_path / "e").exists(), "nothing was sent"
    for data in pieces[:3]:
        kept.keep(data, sha256=digest_of(data), media_type="image/jpeg")
        now[0] += 10.0
    assert kept.read(digest_of(pieces[0])) is None
    assert kept.read(digest_of(pieces[2])) == (pieces[2], "image/jpeg")
    assert kept.expelled == 1
    again = folder()
    assert again.bytes_kept == kept.bytes_kept
    with pytest.raises(RejectedError, match="sha256"):
        again.keep(pieces[3], sha256=digest_of(pieces[0]), media_type="image/jpeg")
    with pytest.raises(RejectedError, match="image/jpeg"):
        again.keep(b"GIF89a", sha256=digest_of(b"GIF89a"), media_type="image/jpeg")
    now[0] += 60.0
    assert again.sweep() == 2
    assert again.bytes_kept == 0
    assert list((tmp_path / "e").iterdir()) == []
