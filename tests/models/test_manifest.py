"""Manifests: what is read, what is refused, and with which words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from models.errors import DigestMismatchError, ManifestError, ModelNotFoundError
from models.manifest import (
    WEIGHTS,
    InputSpec,
    Manifest,
    Score,
    list_manifests,
    load_manifest,
    save_manifest,
    verify,
)

CONTENT = b"not a network, but bytes with a digest"


def write_model(folder: Path, name: str = "shelf") -> Manifest:
    (folder / f"{name}.onnx").write_bytes(CONTENT)
    manifest = Manifest(
        name=name,
        task="detect",
        file=f"{name}.onnx",
        classes=("head", "hand"),
        input=InputSpec(width_px=416, height_px=256),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        parameters=1,
        recipe={"epochs": 3},
        pictures=10,
        trained_on="cpu",
        held_out=(Score(metric="mAP50", subject="all", value=0.5, n=7),),
        held_out_on="3 pictures",
        versions={},
        opset=17,
        torch_onnx_max_difference={},
    )
    save_manifest(manifest, folder / f"{name}.json")
    return manifest


def test_a_manifest_survives_the_disk(tmp_path: Path) -> None:
    manifest = write_model(tmp_path)
    assert load_manifest(tmp_path / "shelf.onnx") == manifest
    assert load_manifest(tmp_path / "shelf.json", task="detect") == manifest
    assert list_manifests(tmp_path) == (manifest,)
    assert verify(tmp_path / "shelf.onnx") == tmp_path / "shelf.onnx"
    assert manifest.score("mAP50") == 0.5
    assert manifest.score("mAP50", "arm") is None


def test_a_changed_weight_file_is_refused_naming_both_digests(tmp_path: Path) -> None:
    manifest = write_model(tmp_path)
    (tmp_path / "shelf.onnx").write_bytes(CONTENT + b"!")
    with pytest.raises(DigestMismatchError) as caught:
        verify(tmp_path / "shelf.onnx")
    message = str(caught.value)
    assert manifest.sha256 in message
    assert hashlib.sha256(CONTENT + b"!").hexdigest() in message
    assert "sortie train ship" in message


def test_missing_weights_are_named(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "shelf.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match=r"shelf\.onnx"):
        verify(tmp_path / "shelf.json")


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    write_model(tmp_path, "ceiling")
    with pytest.raises(ModelNotFoundError, match="ceiling"):
        load_manifest(tmp_path / "attic.onnx")


@pytest.mark.parametrize("change", [{"sha256": "abc"}, {"schema_version": 2}, {"surprise": 1}])
def test_a_broken_manifest_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write_model(tmp_path)
    path = tmp_path / "shelf.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ManifestError, match=next(iter(change))):
        load_manifest(path)


def test_a_model_for_something_else_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ManifestError, match="'embed'"):
        load_manifest(tmp_path / "shelf.json", task="embed")


def test_all_shipped_weights_match_and_stay_small() -> None:
    manifests = list_manifests()
    assert {manifest.name for manifest in manifests} >= {"shelf", "ceiling", "embedding", "change"}
    for manifest in manifests:
        weights = verify(manifest.name)
        assert weights.stat().st_size == manifest.bytes
        assert manifest.pictures > 0
        assert manifest.held_out
        assert manifest.torch_onnx_max_difference
    assert {path.stem for path in WEIGHTS.glob("*.onnx")} == {m.name for m in manifests}
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 12_000_000
