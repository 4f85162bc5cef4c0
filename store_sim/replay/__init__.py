"""Replays of recordings and of anybody's own folder of videos.

A folder with a `manifest.json` is a recording of ours (store_sim.recording) and is checked against
it. A folder without one is somebody's own:

    *.yaml                  one store file
    CAMERA.mp4              videos named after its cameras, in the folder or in `cameras/`; any
                            format and frame rate, held upright or turned as a phone notes it
    times.json              {"CAMERA": second at which its video begins}; others begin at 0
    plates/*.npz            t_s (N,), grams (N, P): columns are the store file's plates in its order
    plates.csv              or a plain log of plates, as store_sim.plate_log reads
    gates.jsonl             {"t_s": 4.2, "gate_id": "...", "code": "..."} a line
    truth/visits.jsonl      what really happened, as in store_sim.truth; for the auditor

All but the store file and one video, or plates, may be missing.
"""

from __future__ import annotations

from store_sim.recording.manifest import read_manifest
from store_sim.replay.plates import PlateReadings
from store_sim.replay.recorded import RecordedStream
from store_sim.replay.visits import read_visits

__all__ = ["PlateReadings", "RecordedStream", "read_manifest", "read_visits"]
