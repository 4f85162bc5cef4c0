"""A wall's geometry is checked, and labels of parcels come down to one key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.labels import GS, digital_link, element_string, gs1_fields, label_key, sscc_of
from contracts.wall import Wall, px_per_module
from contracts.wall_messages import Mark

SSCC = "340123450000000017"


def wall(**more: Any) -> dict[str, Any]:
    """A wall 1 m wide that one full-HD camera sees from 1.5 m, 1,280 px a metre."""
    markers = [
        {"marker": k, "size_m": 0.05, "centre_m": centre}
        for k, centre in enumerate(
            [(0.1, 0.0, 0.6), (0.9, 0.0, 0.6), (0.1, 0.3, 1.1), (0.9, 0.3, 1.1)]
        )
    ]
    document = {
        "wall_id": "wall-1",
        "origin_m": (0.0, 0.0),
        "facing_deg": 90.0,
        "width_m": 1.0,
        "height_m": 1.2,
        "depth_m": 0.3,
        "boards": [
            {"board_id": "low", "z_m": 0.5, "clearance_m": 0.3},
            {"board_id": "high", "z_m": 0.85, "clearance_m": 0.3},
        ],
        "markers": markers,
        "labels": [{"symbology": "qr", "modules": 29, "module_mm": 2.4}],
        "cameras": [
            {
                "camera_id": "eye-1",
                "role": "wall",
                "fps": 5,
                "intrinsics": {
                    "width": 1920, "height": 1080, "fx": 1920, "fy": 1920, "cx": 959.5, "cy": 539.5,
                },
                "pose": {
                    "position_m": (-0.5, 1.5, 0.83),
                    "look_at_m": (-0.5, 0.0, 0.83),
                    "up": (0, 0, 1),
                },
            }
        ],
        "projectors": [
            {
                "projector_id": "beam-1",
                "intrinsics": {
                    "width": 1920, "height": 1080, "fx": 1900, "fy": 1900, "cx": 959.5, "cy": 539.5,
                },
                "pose": {
                    "position_m": (-0.5, 1.5, 1.2), "look_at_m": (-0.5, 0.0, 0.83), "up": (0, 0, 1),
                },
            }
        ],
    }  # fmt: skip
    return {**document, **more}


def test_a_wall_says_how_well_its_labels_are_seen() -> None:
    made = Wall.model_validate(wall())
    got = px_per_module(made, made.cameras[0], made.labels[0], (0.5, 0.83))
    assert got == pytest.approx(2.4e-3 * 1920 / 1.5, rel=1e-6)


def test_labels_that_no_camera_resolves_are_refused_with_the_place() -> None:
    small = [{"symbology": "code128", "modules": 156, "module_mm": 0.5}]
    with pytest.raises(ValidationError, match=r"expected at least 2\.6 px a module .* got 0\.6"):
        Wall.model_validate(wall(labels=small))


def test_a_place_that_no_camera_sees_is_refused() -> None:
    with pytest.raises(ValidationError, match="no camera that sees it"):
        Wall.model_validate(wall(width_m=2.5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"boards": []}, "expected boards or hooks"),
        ({"markers": []}, "expected at least four markers"),
        ({"scanners": ["a", "a"]}, "expected each of its scanners once, got a"),
        (
            {"lights": [{"light_id": "l", "board_id": "no", "u0_m": 0, "u1_m": 1, "lamps": 9}]},
            "no board no",
        ),
    ],
)
def test_a_wall_that_cannot_work_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Wall.model_validate(wall(**change))


def test_markers_on_one_depth_or_one_line_are_refused() -> None:
    flat = [
        dict(one, centre_m=(u, 0.0, z))
        for one, (u, z) in zip(
            wall()["markers"], [(0.1, 0.6), (0.9, 0.6), (0.1, 1.1), (0.9, 1.1)], strict=True
        )
    ]
    with pytest.raises(ValidationError, match="not all at one depth"):
        Wall.model_validate(wall(markers=flat))
    line = [
        dict(one, centre_m=(0.1 + 0.2 * k, 0.1 * k, 0.6)) for k, one in enumerate(wall()["markers"])
    ]
    with pytest.raises(ValidationError, match="not on one line"):
        Wall.model_validate(wall(markers=line))


@pytest.mark.parametrize(
    "text",
    [
        SSCC,
        element_string(SSCC),
        "]C1" + element_string(SSCC),
        GS + element_string(SSCC),
        f"(00){SSCC}",
        digital_link(SSCC),
        digital_link(SSCC, host="https://shop.example/parcels"),
        f"00{SSCC}02040063813339313701",
        f"37012{GS}00{SSCC}",
        f" {SSCC} ",
    ],
)
def test_every_way_to_write_an_sscc_is_one_key(text: str) -> None:
    assert sscc_of(text) == SSCC
    assert label_key(text) == f"sscc:{SSCC}"


@pytest.mark.parametrize(
    "text",
    [
        "340123450000000018",
        "00340123450000000018",
        f"00{SSCC}5",
        f"00{SSCC}00{SSCC}",
        f"(00{SSCC}",
        "https://id.gs1.org/00/340123450000000018",
        "https://shop.example/",
        "http://[bad",
        "JD014600006281230701",
    ],
)
def test_what_is_no_right_sscc_stays_a_text(text: str) -> None:
    assert sscc_of(text) is None
    assert label_key(text) == f"text:{text}"


def test_contents_are_read_with_their_separators() -> None:
    fields = gs1_fields(f"02040063813339313712{GS}10LOT-7")
    assert fields == {"02": "04006381333931", "37": "12", "10": "LOT-7"}


def test_no_label_is_no_key() -> None:
    for text in ("", "  ", "x" * 257):
        with pytest.raises(ValueError, match="expected a label of 1 to 256"):
            label_key(text)


def test_an_inviting_mark_names_thing_and_label() -> None:
    with pytest.raises(ValidationError, match="expected thing_id and label_text"):
        Mark(mark_id="m", look="take_a", thing_id="t")
    with pytest.raises(ValidationError, match="expected a thing_id or an area_m"):
        Mark(mark_id="m", look="place")
