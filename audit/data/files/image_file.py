"""One image of a file as RGB: its depth scaled and never clipped, turned as the camera says."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from audit.data.files.contents import Contents
from audit.errors import DataError
from audit.file_limits import MIB, MOST_OBLONG, MOST_PIXELS, MOST_SCANS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Formats that are decoded; PostScript, which Pillow would hand to an interpreter, is not among them."""
BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, STRIP_HEIGHT, TILE_WIDTH, TILE_HEIGHT = 258, 259, 262, 278, 322, 323
"""Tags of TIFF."""
JPEG_INSIDE = (6, 7)
"""Compressions of TIFF."""
WHITE_IS_ZERO = 0
"""Grey that is written the other way round, which Pillow heeds for 8 bits alone."""
SCAN = b"\xff\xda"
"""Before each scan of a JPEG; among its numbers 0xff never stands before another mark."""
SIXTEEN_BITS = 2**16 - 1
UPRIGHT = 1
ON_A_SIDE = (5, 6, 7, 8)
"""Orientations by which width and height change places."""
DEEP = "hold 16 bits a pixel and were scaled by their depth, not clipped"
TURNED = "carry the camera's orientation in EXIF and were turned upright"
TRANSPARENT = "have an alpha channel, which was left out as training loaders do: what is transparent shows its colour"
FRAMES = "hold several frames, of which the first was seen"
INKS = "are in CMYK and were converted to RGB without a colour profile"


def read_image(file: IO[bytes], name: str) -> Image.Image:
    """Decode an image as RGB of 8 bits, or as grey of 16 (`I;16`, 0 to 65,535) where it is deeper.

    Raises DataError if its numbers have a range that the file does not say; whatever Pillow raises if it is broken.
    """
    # Of a path Pillow maps plain TIFF into memory, with the lines of one that EXIF turns cut at the wrong length.
    with Image.open(file, formats=FORMATS) as image:
        _require_small(image, file)
        largest = _largest(image, name)
        is_inverted = isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO
        upright = ImageOps.exif_transpose(image) if _orientation(image, file) != UPRIGHT else image
        if largest is not None:
            return _scaled(upright, largest, is_inverted=is_inverted)
        if upright.mode == "P" and isinstance(upright.info.get("transparency"), bytes):
            upright = upright.convert("RGBA")  # else Pillow warns; the colours are the same
        return upright.convert("RGB")


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image of `read_image` with 8 bits a channel."""
    if image.mode == "RGB":
        return image
    grey = (np.asarray(image).astype(np.float64) / SIXTEEN_BITS * 255).round().astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


@dataclass(frozen=True)
class Survey:
    """What the heads of images say."""

    notes: tuple[str, ...]
    """What a reader should know of how they are read, with counts."""
    sizes: Mapping[tuple[int, int], int]
    """Number of images by width and height, in pixels, as they are seen: upright."""

    @property
    def smallest(self) -> tuple[int, int] | None:
        """Width and height of the smallest image; None if none could be opened."""
        return min(self.sizes, key=lambda size: (min(size), size), default=None)

    @property
    def cut(self) -> tuple[int, float]:
        """How many images are no squares, and which share of their pixels a centred square leaves out, on average."""
        shares = {size: 1 - min(size) / max(size) for size in self.sizes if size[0] != size[1]}
        count = sum(self.sizes[size] for size in shares)
        return count, sum(share * self.sizes[size] for size, share in shares.items()) / max(1, count)


def survey(contents: Contents) -> Survey:
    """Look at the heads of images.

    Raises DataError at the first whose range is not known; passes by those that cannot be opened.
    """
    found: Counter[str] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for row in range(len(contents)):
        try:
            with contents.opened(row) as file, Image.open(file, formats=FORMATS) as image:
                _require_small(image, file)
                facts = _facts(image, file, contents.name(row))
                found.update(facts)
                is_turned = TURNED in facts and _orientation(image, file) in ON_A_SIDE
                sizes[image.size[::-1] if is_turned else image.size] += 1
        except DataError:
            raise
        except Exception:
            continue
    return Survey(tuple(f"{count:,} of {len(contents):,} images {fact}" for fact, count in found.items()), sizes)


def _require_small(image: Image.Image, file: IO[bytes]) -> None:
    """Refuse an image by the size that its head declares, or by the scans of a JPEG, before it is decoded."""
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it has {image.width:,} by {image.height:,} pixels; {MOST_PIXELS:,} are read at most")
    if max(image.size) > MOST_OBLONG * max(1, min(image.size)):
        raise ValueError(f"it is {image.width:,} pixels wide and {image.height:,} high, too long to be scaled")
    if jpegs := _jpegs(image):  # each scan may go over all of the pixels again
        place, most = file.tell(), MOST_SCANS * jpegs
        file.seek(0)
        tail, scans = b"", 0
        while scans <= most and (block := file.read(MIB)):
            scans += (tail + block).count(SCAN)
            tail = block[-1:]
        file.seek(place)
        if scans > most:
            raise ValueError(f"it has more than {most:,} scans")


def _jpegs(image: Image.Image) -> int:
    """Return how many JPEGs make up an image: one a strip or tile of a TIFF that holds such; 0 of other formats."""
    if not isinstance(image, TiffImageFile):
        return int(image.format in ("JPEG", "MPO"))
    tags = image.tag_v2
    if tags.get(COMPRESSION) not in JPEG_INSIDE:
        return 0
    wide = min(image.width, max(1, tags.get(TILE_WIDTH, image.width)))
    high = min(image.height, max(1, tags.get(TILE_HEIGHT, tags.get(STRIP_HEIGHT, image.height))))
    return int(math.ceil(image.width / wide) * math.ceil(image.height / high))


def _facts(image: Image.Image, file: IO[bytes], name: str) -> list[str]:
    facts = {
        DEEP: _largest(image, name) is not None,
        TURNED: _orientation(image, file) != UPRIGHT,
        TRANSPARENT: image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
        FRAMES: getattr(image, "is_animated", False),
        INKS: image.mode == "CMYK",
    }
    return [fact for fact, holds in facts.items() if holds]


def _largest(image: Image.Image, name: str) -> int | None:
    """Return the largest number that a deep image can hold; None for one of 8 bits a channel or fewer."""
    if image.mode.startswith("I;16"):
        bits = image.tag_v2.get(BITS_PER_SAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16
        return int(2 ** int(bits)) - 1
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return SIXTEEN_BITS  # both hold 16 bits at most, and Pillow has scaled a PPM to them
    if image.mode in ("I", "F"):
        kind = "whole numbers of 32 bits" if image.mode == "I" else "floats"
        raise DataError(
            f"{name} holds {kind}, and no file says which range they have: black and white are not known. "
            "Scale the images to 8 or 16 bits and save them again."
        )
    return None


def _orientation(image: Image.Image, file: IO[bytes]) -> int:
    """Return the orientation, without decoding a PNG, as Pillow would, unless something stands behind its pixels."""
    try:
        if isinstance(image, PngImageFile) and not _ends_in_text(file):
            return int(Image.Image.getexif(image).get(ExifTags.Base.Orientation, UPRIGHT))
        return int(image.getexif().get(ExifTags.Base.Orientation, UPRIGHT))
    except Exception:
        return UPRIGHT


def _ends_in_text(file: IO[bytes]) -> bool:
    """Tell whether a PNG has EXIF or text behind its pixels."""
    place, is_behind = file.tell(), False
    file.seek(8)
    try:
        while len(head := file.read(8)) == 8:
            kind = head[4:]
            is_behind |= kind == b"IDAT"
            if is_behind and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)  # and the checksum
        return False
    finally:
        file.seek(place)


def _scaled(image: Image.Image, largest: int, *, is_inverted: bool) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    if is_inverted:
        np.subtract(largest, values, out=values)
    values *= SIXTEEN_BITS / largest
    return Image.fromarray(values.round(out=values).astype(np.uint16))
