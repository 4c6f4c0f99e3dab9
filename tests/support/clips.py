"""Tiny clips that PyAV writes, whose frames can be told apart by how bright they are."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

TICK = Fraction(1, 1000)
RATE = 10
"""Frames a second."""


def shade(frame: int, frames: int) -> int:
    """Return how bright a frame is."""
    return round(20 + 200 * frame / max(1, frames - 1))


def write(
    path: Path,
    frames: int = 20,
    *,
    codec: str = "mpeg4",
    form: str = "yuv420p",
    size: tuple[int, int] = (32, 16),
    at: Sequence[int] = (),
    colours: Any = None,
    **options: str,
) -> Path:
    """Write a clip, every frame of one grey, with its upper left eighth in white.

    Args:
        at: When each frame begins, in milliseconds; ten a second if left out.
        colours: Red, green and blue of all frames instead of greys.
        options: Of the codec.
    """
    import av  # noqa: PLC0415 - not everyone has it

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options=options)
        (stream.width, stream.height), stream.pix_fmt = size, form
        stream.codec_context.time_base = TICK
        for place in range(frames):
            pixels = np.full((size[1], size[0], 3), shade(place, frames), dtype=np.uint8)
            if colours is not None:
                pixels[:] = colours
            else:
                pixels[: size[1] // 2, : size[0] // 4] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (at[place] if at else place * 1000 // RATE), TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, matrix: Sequence[int]) -> Path:
    """Write the matrix into an MP4, by which a player turns or mirrors it: across and down of x, of y."""
    a, b, c, d = matrix
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    for place, value in zip((0, 1, 3, 4), (a, b, c, d), strict=True):
        content[start + 4 * place : start + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path


def sound(path: Path) -> Path:
    """Write a second of silence, and no pictures."""
    import av  # noqa: PLC0415 - not everyone has it

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
