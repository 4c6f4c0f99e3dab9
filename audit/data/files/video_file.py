"""Some frames of one clip of a file, evenly spaced in time: as RGB of 8 bits, upright as the camera says."""

import importlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.data.columns import Ints
from audit.data.files.contents import Contents
from audit.errors import DataError, IreneError
from audit.file_limits import MIB, MOST_FOOTAGE, MOST_OBLONG, MOST_PIXELS, require_plausible

FORMATS = {b"\x1aE\xdf\xa3": "matroska", b"RIFF": "avi", b"GIF8": "gif"}
"""What reads a file by its first bytes; no other format of FFmpeg's is ever tried, some of which open more files."""
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""The same of MP4 and MOV, behind the length of their first part."""
DECODERS = (
    "h264", "hevc", "vvc", "vp8", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1",
    "msmpeg4v2", "msmpeg4", "h263", "h263i", "flv", "wmv1", "wmv2", "wmv3", "vc1", "theora", "mjpeg", "mjpegb",
    "dvvideo", "jpeg2000", "prores", "dnxhd", "cfhd", "ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo",
    "qtrle", "png", "gif", "cinepak", "svq1", "svq3", "v210", "indeo3", "indeo5",
)  # fmt: skip
"""Decoders that may run: those of codecs that cameras, editors and the web write."""
ATTACHED = 0x400
"""FFmpeg's mark of a cover picture, which is no clip."""
UNEVEN = 1.5
"""Times the median distance between two frames, beyond which a rate is told as one that varies."""
SLACK = 0.1
"""Seconds that may lack of the length that a file declares, beside two frames: sounds rarely end with a frame."""
MICROSECONDS = 1_000_000
"""In a second, which FFmpeg counts the length of a file in."""
ONE_THREAD = 1
"""For each clip: more would be waited for, for ever, by a forked process that reads rows."""
UNKNOWN = 2**32 - 1
"""Length of an AVI that was written as a stream."""
GIF_TAIL = 64
"""Bytes that may stand behind the end of a GIF, if they are zeros."""
SAMPLE = 80
"""Bytes of memory that FFmpeg takes for each sample of an MP4 or MOV, before it reads any."""
TABLE = re.compile(rb"stsz|trun|cmov")
"""Names of tables whose samples may take no room in the file, and of a head that is compressed."""
TABLE_HEAD = 16
"""Bytes of a table's name, and of what stands before its count."""
UPRIGHT = 1, 0, 0, 1
CUT = "it is cut off or damaged"
DEEP = "hold more than 8 bits a channel and were scaled to 8"
TURNED = "carry the camera's orientation and were turned upright"
TRANSPARENT = "have an alpha channel, which was left out as training loaders do: what is transparent shows its colour"
STRETCHED = "have pixels that are not square and were seen as they are stored, as training loaders do"
SEVERAL = "hold several streams of pictures, of which the first was seen"
VARYING = "have a frame rate that varies; their frames were chosen by time, not by number"


@dataclass(frozen=True)
class Footage:
    """What a file holds, before its frames are decoded."""

    size: tuple[int, int]
    """Width and height in pixels, upright."""
    starts: Ints
    """When each frame begins, in order, in ticks, (n,)."""
    end: int
    """When the last one ends."""
    tick: Fraction
    """Seconds."""
    facts: tuple[str, ...] = ()
    """What a reader should know of how it is read."""

    @property
    def seconds(self) -> float:
        """Return how long it lasts."""
        return float((self.end - int(self.starts[0])) * self.tick)


@dataclass(frozen=True)
class Clip:
    """What a model takes of each file."""

    frames: int
    """How many, in the middle of as many equal parts of the time."""
    seconds: float | None = None
    """How much of each is seen, from its beginning; beyond its end its last frame stands still. None for all of it."""

    def __post_init__(self) -> None:
        if not isinstance(self.frames, int) or not 1 <= self.frames <= 100_000:
            raise DataError(f"frames is {self.frames!r}; it is how many the model takes. Give a number such as 16.")
        if self.seconds is not None and (not isinstance(self.seconds, int | float) or not 0 < self.seconds <= 86_400):
            raise DataError(f"seconds is {self.seconds!r}; it is how much of a clip is seen. Give a number such as 2.")

    def chosen(self, footage: Footage) -> Ints:
        """Return when the frames begin that are seen, in order, (frames,); one may be seen several times."""
        first = int(footage.starts[0])
        whole = float(footage.end - first) if self.seconds is None else self.seconds / float(footage.tick)
        middles = first + (np.arange(self.frames) + 0.5) * whole / self.frames
        found: Ints = footage.starts[np.maximum(np.searchsorted(footage.starts, middles, "right") - 1, 0)]
        return found

    def read(self, file: IO[bytes]) -> Tensor:
        """Return the frames that are seen, (frames, 3, h, w) uint8.

        Raises IreneError where PyAV is missing; whatever PyAV raises, or ValueError, if the file is broken.
        """
        footage = watched(file)
        wide, high = footage.size
        require_plausible(3 * wide * high * self.frames, file.seek(0, 2))
        wanted, found = self.chosen(footage), list[NDArray[np.uint8]]()
        with _opened(file) as (container, stream):
            for frame in container.decode(stream):
                time = _time(frame)
                picture = _upright(frame) if time >= wanted[len(found)] else None
                while picture is not None and len(found) < len(wanted) and time >= wanted[len(found)]:
                    found.append(picture)
                if len(found) == len(wanted):
                    break
        if len(found) < len(wanted):
            raise ValueError("its last frames cannot be decoded")
        if len({picture.shape for picture in found}) > 1:
            raise ValueError("its frames change their size")
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


@dataclass
class Seen:
    """What was found of all clips."""

    facts: Counter[str] = field(default_factory=Counter)
    lengths: list[float] = field(default_factory=list)
    """Of each that could be opened, in seconds."""
    counts: list[int] = field(default_factory=list)
    """Its frames."""
    doubled: int = 0
    """Clips of which some frames are seen more than once."""
    sizes: set[tuple[int, int]] = field(default_factory=set)


def survey(contents: Contents, clip: Clip | None) -> Seen:
    """Go through the clips without decoding more than a frame of each; pass by those that cannot be opened.

    Raises IreneError where PyAV is missing.
    """
    seen = Seen()
    for row in range(len(contents)):
        try:
            with contents.opened(row) as file:
                footage = watched(file)
        except IreneError:
            raise
        except Exception:  # told when it is read
            continue
        seen.facts.update(footage.facts)
        seen.lengths.append(footage.seconds)
        seen.counts.append(len(footage.starts))
        seen.sizes.add(footage.size)
        seen.doubled += clip is not None and len(np.unique(clip.chosen(footage))) < clip.frames
    return seen


def notes(seen: Seen, clip: Clip) -> Iterator[str]:
    """Yield what to say of how clips are read."""
    total = len(seen.lengths)
    if not total:
        return
    if clip.seconds is None:
        apart = _range(seen.lengths, clip.frames)
        where = f"evenly spaced over all of it, {_range(seen.lengths)} seconds, so {apart} seconds apart"
    else:
        where = f"evenly spaced over its first {clip.seconds:g} seconds, {clip.seconds / clip.frames:.3g} seconds apart"
    yield f"each clip was seen as {clip.frames:,} frames, {where}; a model that was trained on others sees other motion"
    if clip.seconds is not None and (shorter := sum(length < clip.seconds - SLACK for length in seen.lengths)):
        yield f"{shorter:,} of {total:,} clips end before {clip.seconds:g} seconds, and their last frame stands still"
    elif seen.doubled:
        yield f"{seen.doubled:,} of {total:,} clips have fewer than {clip.frames:,} frames, and some were seen twice"
    yield from (f"{count:,} of {total:,} clips {fact}" for fact, count in seen.facts.items())


def _range(lengths: list[float], parts: int = 1) -> str:
    low, high = (f"{one / parts:.3g}" for one in (min(lengths), max(lengths)))
    return low if low == high else f"{low} to {high}"


def watched(file: IO[bytes]) -> Footage:
    """Go through a file and decode its first frame. Raises what `Clip.read` does."""
    with _opened(file) as (container, stream):
        times, end, first = list[int](), 0, None
        begins, ends = math.inf, -math.inf
        for packet in container.demux():
            if packet.is_corrupt:
                raise ValueError(CUT)
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None and packet.time_base:
                begins = min(begins, float(time * packet.time_base))
                ends = max(ends, float((time + (packet.duration or 0)) * packet.time_base))
            if packet.stream.index != stream.index:
                continue
            first = next(iter(packet.decode()), None) if first is None else first
            if time is None or packet.is_discard:
                continue
            times.append(time)
            end = max(end, time + (packet.duration or 0))
            if len(times) * stream.width * stream.height > MOST_FOOTAGE:
                raise ValueError(f"its frames have more than {MOST_FOOTAGE:,} pixels in all")
        if first is None or not times:
            raise ValueError("no frame of it can be decoded")
        starts = np.array(sorted(times), dtype=np.int64)
        gaps = np.diff(starts)
        usual = float(np.median(gaps)) if len(gaps) else 0.0
        declared = (container.duration or 0) / MICROSECONDS
        if declared - max(ends, ends - begins) > SLACK + 2 * usual * stream.time_base or _has_no_end(file):
            raise ValueError(CUT)
        end = max(end, int(starts[-1]) + max(1, round(usual)))
        facts = tuple(fact for fact, holds in _facts(container, stream, first, gaps).items() if holds)
        high, wide = _upright(first).shape[:2]
    return Footage((wide, high), starts, end, stream.time_base, facts)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[tuple[Any, Any]]:
    """Open a file and find its pictures, the first stream of them. What FFmpeg raises becomes a ValueError."""
    try:
        av = importlib.import_module("av")
    except (ImportError, OSError) as error:
        raise IreneError(
            f"Cannot import av for video: {error}. Install it: pip install 'irene-audit[video]'."
        ) from None
    reader = _reader(file)
    if reader == "mov":
        _require_short_tables(file)
    bounds = {"max_pixels": str(2 * MOST_PIXELS), "codec_whitelist": ",".join(DECODERS)}
    options = {**bounds, "format_whitelist": reader, "protocol_whitelist": "none"}
    try:
        with av.open(file, format=reader, options=options, metadata_errors="replace") as container:
            pictures = _pictures(container)
            if not pictures:
                raise ValueError(f"it holds no pictures{', only sound' if container.streams.audio else ''}")
            stream = pictures[0]
            codec = stream.codec_context.name if stream.codec_context else "of no known name"
            if codec not in DECODERS:
                raise ValueError(f"its codec, {codec}, is not read; H.264 is, for instance")
            _require_small(stream.width, stream.height)
            stream.codec_context.options = bounds
            stream.codec_context.thread_count = ONE_THREAD
            yield container, stream
    except av.error.FFmpegError as error:
        raise ValueError(error.strerror or type(error).__name__) from None


def _reader(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    found = "mov" if head[4:8] in BOXES else FORMATS.get(head[:4])
    if found is None or (found == "avi" and head[8:] != b"AVI "):
        raise ValueError("it is no MP4, MOV, AVI, Matroska, WebM or GIF")
    return found


def _require_short_tables(file: IO[bytes]) -> None:
    """Refuse an MP4 or MOV whose tables of a few bytes unfold to more samples than the file can hold."""
    size, place, samples = file.seek(0, 2), 0, 0
    while place < size:
        file.seek(place)
        head = file.read(16).ljust(16, b"\0")
        length = int.from_bytes(head[:4], "big")
        length = int.from_bytes(head[8:], "big") if length == 1 else length or size - place
        if length < len(head[:8]):
            break
        if head[4:8] != b"mdat":  # pictures and sounds, which are no tables
            file.seek(place)
            samples += _samples(file, min(length, size - place))
        place += length
    file.seek(0)
    require_plausible(SAMPLE * samples, size)


def _samples(file: IO[bytes], length: int) -> int:
    """Return how many samples the tables in the next part of a file declare."""
    found, part = 0, b""
    while length > 0 and (block := file.read(min(MIB, length))):
        length -= len(block)
        part += block
        whole = len(part) - (TABLE_HEAD if length > 0 else 0)  # what begins behind it is read with the next block
        for table in TABLE.finditer(part):
            if table.start() >= whole:
                break
            if table[0] == b"cmov":
                raise ValueError("its tables are compressed")
            count = table.end() + (8 if table[0] == b"stsz" else 4)
            found += int.from_bytes(part[count : count + 4], "big")
        part = part[whole:]
    return found


def _pictures(container: Any) -> list[Any]:
    return [one for one in container.streams.video if not int(one.disposition) & ATTACHED]


def _require_small(wide: int, high: int) -> None:
    if wide * high > MOST_PIXELS:
        raise ValueError(f"it has {wide:,} by {high:,} pixels; {MOST_PIXELS:,} are read at most")
    if max(wide, high) > MOST_OBLONG * max(1, min(wide, high)):
        raise ValueError(f"it is {wide:,} pixels wide and {high:,} high, too long to be scaled")


def _has_no_end(file: IO[bytes]) -> bool:
    """Tell whether a GIF lacks its last mark, or an AVI bytes that it declares: FFmpeg reads what there is."""
    reader, size = _reader(file), file.seek(0, 2)
    if reader == "avi":
        file.seek(4)
        declared = int.from_bytes(file.read(4), "little")
        return declared != UNKNOWN and declared > size
    if reader == "gif":
        file.seek(-min(GIF_TAIL, size), 2)
        return not file.read().rstrip(b"\0").endswith(b";")
    return False


def _facts(container: Any, stream: Any, first: Any, gaps: Ints) -> dict[str, bool]:
    parts, shape = first.format.components, stream.sample_aspect_ratio
    return {
        DEEP: max(one.bits for one in parts) > 8,
        TURNED: _matrix(first) != UPRIGHT,
        TRANSPARENT: any(one.is_alpha for one in parts) or stream.metadata.get("alpha_mode") == "1",
        STRETCHED: bool(shape) and shape != 1,
        SEVERAL: len(_pictures(container)) > 1,
        VARYING: len(gaps) > 0 and gaps.max() > UNEVEN * np.median(gaps),
    }


def _upright(frame: Any) -> NDArray[np.uint8]:
    """Return a frame as RGB, (h, w, 3), turned and mirrored as its matrix says."""
    if frame.is_corrupt:
        raise ValueError(CUT)
    x: NDArray[np.uint8] = frame.reformat(format="rgb24", threads=ONE_THREAD).to_ndarray()
    across, down_of_x, across_of_y, down = _matrix(frame)
    if across == down == 0:
        x, across, down = x.swapaxes(0, 1), across_of_y, down_of_x
    return x[:: down or 1, :: across or 1]


def _matrix(frame: Any) -> tuple[int, ...]:
    """Return the signs of where x and y of a frame lead when it is shown: right and down of x, right and down of y."""
    found = next((one for one in frame.side_data if one.type.name == "DISPLAYMATRIX"), None)
    if found is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(found), dtype=np.int32).tolist()
    signs = tuple(int(np.sign(one)) for one in (a, b, c, d))
    if abs(signs[0]) != abs(signs[3]) or abs(signs[1]) != abs(signs[2]) or abs(signs[0]) == abs(signs[1]):
        raise ValueError("it is to be shown aslant, at no right angle")
    return signs


def _time(frame: Any) -> int:
    time = frame.dts if frame.pts is None else frame.pts
    if time is None:
        raise ValueError("its frames do not say when they are shown")
    return int(time)
