"""Recordings: what all sensors of a store gave, in a folder that anything can look at.

    manifest.json           what is here, of which schema, with sizes and SHA-256 of every file
    store.yaml              the store file
    cameras/CAMERA.mp4      H.264, yuv420p, plays in a browser; picture times are the frames' times
    plates/0000.npz         t_s (N,) float64, grams (N, P) float32, a minute each
    gates.jsonl             {"t_s": 4.2, "gate_id": "...", "shopper": 0} or, real, {..., "code": ""}
    truth/*.jsonl           what really happened (store_sim.truth); nobody but the auditor opens it

A scan carries the shopper's number and no code: codes are used up when they are used, so each
replay issues fresh ones. Where staff showed a badge it says "staff": true.

A recording is written beside its place (FOLDER.partial) and moved there when it is whole. While it
is written, videos are in fragments and `times.json` says when each begins, so that of a recording
that was never finished everything but the last seconds is left.

`store_sim.recording.manifest` describes the versions of the format and how older ones are read.
"""

from __future__ import annotations

from store_sim.recording.manifest import (
    RECORDING_SCHEMA,
    CameraEntry,
    FileEntry,
    Manifest,
    PlatesEntry,
    RecordingDigests,
    Simulation,
    file_entry,
    read_manifest,
    upgraded,
)
from store_sim.recording.writer import (
    RecordingWriter,
    record_simulation,
    shopper_code,
    shopper_of,
    shown_by,
)

__all__ = [
    "RECORDING_SCHEMA",
    "CameraEntry",
    "FileEntry",
    "Manifest",
    "PlatesEntry",
    "RecordingDigests",
    "RecordingWriter",
    "Simulation",
    "file_entry",
    "read_manifest",
    "record_simulation",
    "shopper_code",
    "shopper_of",
    "shown_by",
    "upgraded",
]
