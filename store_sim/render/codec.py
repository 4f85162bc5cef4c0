"""A camera's H.264 stream: what is left of a picture after coding and decoding it.

One encoder and one decoder run along for each camera, as in a network camera: single pictures
without delay or B-frames, a whole picture every two seconds. One thread and bit-exact code: the
same pictures in the same order give the same bytes.
"""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from store_sim.errors import DialError, SimulatorError
from store_sim.render.develop import from_yuv, to_yuv

__all__ = ["H264Stream"]

Rgb = NDArray[np.uint8]

KEYFRAME_S = 2.0


class H264Stream:
    """Codes pictures of one size. DialError for an odd width or height, which H.264 has not."""

    def __init__(self, size: tuple[int, int], fps: float, crf: int) -> None:
        w, h = self._size = size
        if w % 2 or h % 2:
            raise DialError(
                f"dial lens.h264_crf: expected cameras of even width and height, got {w}x{h}; "
                "change the store file or set the dial to 0"
            )
        rate = Fraction(fps).limit_denominator(1001)
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = w, h, "yuv420p"
        encoder.framerate, encoder.time_base = rate, 1 / rate
        encoder.options = {
            "crf": str(crf), "preset": "veryfast", "tune": "zerolatency", "threads": "1"
        }  # fmt: skip
        encoder.gop_size = max(1, round(fps * KEYFRAME_S))
        encoder.thread_count = 1
        encoder.flags |= av.codec.context.Flags.bitexact
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        decoder.flags |= av.codec.context.Flags.low_delay | av.codec.context.Flags.bitexact
        self._encoder, self._decoder = encoder, decoder
        self._count = 0
        self.bytes = 0

    def through(self, rgb: Rgb) -> Rgb:
        """The picture (H, W, 3) uint8 as the decoder gives it; a new array."""
        w, h = self._size
        frame = av.VideoFrame(w, h, "yuv420p")
        luma, blue, red = (_plane(frame, k, w, h) for k in range(3))
        to_yuv(rgb, luma, blue, red)
        frame.pts = self._count
        self._count += 1
        out = np.empty_like(rgb)
        found = 0
        for packet in self._encoder.encode(frame):
            self.bytes += packet.size
            for seen in self._decoder.decode(packet):
                luma, blue, red = (_plane(seen, k, w, h) for k in range(3))
                from_yuv(luma, blue, red, out)
                found += 1
        if found != 1:
            raise SimulatorError(
                f"expected one decoded picture for one coded, got {found}; this build of libx264 "
                "delays pictures, set the dial lens.h264_crf to 0"
            )
        return out


def _plane(frame: av.VideoFrame, index: int, width: int, height: int) -> NDArray[np.uint8]:
    """A plane of a frame as an array into its memory, without the padding of its lines."""
    plane = frame.planes[index]
    w, h = (width, height) if index == 0 else (width // 2, height // 2)
    lines: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return lines[: plane.line_size * h].reshape(h, plane.line_size)[:, :w]
