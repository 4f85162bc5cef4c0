"""Mosaics as an H.264 video that plays in a browser."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store_sim.errors import ViewError
from store_sim.stream import STEP_HZ
from store_sim.viewer.mosaic import MOSAIC_SIZE, Mosaic
from store_sim.viewer.pictures import ActionStrip, StripMaker
from store_sim.viewer.shows import Show

__all__ = ["film"]

CRF = 20
KEYFRAME_S = 2
Progress = Callable[[float], None]


def film(
    show: Show,
    out: Path | None,
    *,
    strips: StripMaker | None = None,
    on_strip: Callable[[ActionStrip], None] = lambda _strip: None,
    progress: Progress = lambda _t: None,
) -> int:
    """Goes through a show once: a video into `out`, and strips of pictures as they are done.

    Returns the number of frames. ViewError if the video cannot be written; what stands at `out`
    is replaced when the video is whole.
    """
    if out is None:
        return _play(show, None, strips, on_strip, progress)
    if not out.parent.is_dir():
        raise ViewError(f"{out}: expected an existing folder, got {out.parent}; make it")
    partial = out.with_name(out.name + ".partial")
    try:
        writer = _Writer(partial)
        try:
            frames = _play(show, writer, strips, on_strip, progress)
        finally:
            writer.close()
        partial.replace(out)
    except OSError as error:
        raise ViewError(f"{out}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)
    return frames


class _Writer:
    """The file under way; frames at the rate of snapshots."""

    def __init__(self, path: Path) -> None:
        import av

        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._container.add_stream(
            "libx264", rate=STEP_HZ, options={"crf": str(CRF), "preset": "veryfast"}
        )
        stream.width, stream.height = MOSAIC_SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = KEYFRAME_S * STEP_HZ
        self._stream = stream
        self._frames = 0

    def write(self, rgb: NDArray[np.uint8]) -> None:
        import av

        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        picture.pts = self._frames
        picture.time_base = Fraction(1, STEP_HZ)
        self._frames += 1
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        if self._frames:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def _play(
    show: Show,
    writer: _Writer | None,
    strips: StripMaker | None,
    on_strip: Callable[[ActionStrip], None],
    progress: Progress,
) -> int:
    mosaic = Mosaic(show)
    frames = 0
    for snapshot in show:
        if writer is not None:
            writer.write(mosaic.draw(snapshot))
        if strips is not None:
            for strip in strips.feed(snapshot):
                on_strip(strip)
        frames += 1
        progress(snapshot.t_s)
    for strip in strips.finish() if strips is not None else ():
        on_strip(strip)
    return frames
