"""Images of every depth and kind become the picture that they show, or are refused: nothing is clipped."""

import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from audit.data.files.contents import InFolder
from audit.data.files.image_file import as_rgb, read_image, survey
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.errors import DataError

DARK, LIGHT = 1000, 60000
"""Of 65,535: .0153 and .9155."""


def folder(root: Path, images: Mapping[str, Image.Image | NDArray[Any]], **saved: Any) -> Path:
    """Write a folder of images with alternating classes."""
    root.mkdir(exist_ok=True)
    for name, image in images.items():
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(root / name, **saved)
    pd.DataFrame(
        {"file_name": list(images), "sex": ["m", "f"] * (len(images) // 2) + ["m"] * (len(images) % 2)}
    ).to_csv(root / "metadata.csv", index=False)
    return root


def read(path: Path) -> Image.Image:
    with path.open("rb") as file:
        return read_image(file, str(path))


def opened(root: Path, **options: Any) -> LabelledData:
    return open_data(str(root), "audit", {"transform": "unit", "image_size": 16} | options)


def means(data: LabelledData) -> list[float]:
    return [float(data.inputs[row].mean()) for row in range(len(data))]


def full(value: int, kind: Any) -> NDArray[Any]:
    return np.full((16, 16), value, kind)


@pytest.mark.parametrize("kind", ["png", "tiff", "pgm"])
def test_grey_of_16_bits_is_scaled_by_its_depth_and_a_note_counts_it(tmp_path: Path, kind: str) -> None:
    images = {f"{i}.{kind}": full(value, "u2") for i, value in enumerate((DARK, LIGHT))} | {"8.png": full(51, "u1")}
    data = opened(folder(tmp_path / "scans", images))
    assert means(data) == pytest.approx([0.01526, 0.91554, 0.2], abs=1e-4)
    assert data.inputs[0].shape == (3, 16, 16)
    assert "2 of 3 images hold 16 bits a pixel and were scaled by their depth, not clipped" in data.notes


def test_a_transform_of_the_users_own_sees_8_bits_of_a_deep_image(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from torchvision.transforms.functional import pil_to_tensor\n"
        "def see():\n    return lambda image: pil_to_tensor(image).float() / (255 if image.mode == 'RGB' else 0)\n"
    )
    images = {f"{i}.png": full(value, "u2") for i, value in enumerate((DARK, LIGHT))}
    data = opened(folder(tmp_path / "scans", images), transform=f"{own}:see", image_size=None)
    assert means(data) == pytest.approx([0.01526, 0.91554], abs=0.002)


def test_grey_of_12_bits_in_a_deep_file_keeps_its_levels(tmp_path: Path) -> None:
    images = {f"{i}.png": full(value, "u2") for i, value in enumerate((2000, 2001))}
    dark, light = means(opened(folder(tmp_path / "scans", images)))
    assert 0 < light - dark < 1 / 255


def test_white_is_zero_is_heeded_at_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "x.tiff"
    Image.fromarray(full(DARK, "u2")).save(path, tiffinfo={262: 0})
    with Image.open(path) as written:
        assert written.tag_v2[262] == 0  # type: ignore[attr-defined]
    assert np.asarray(read(path)).mean() == 65535 - DARK


@pytest.mark.parametrize(("name", "kind"), [("x.tiff", "f4"), ("x.tiff", "i4"), ("x.pfm", "f4")])
def test_numbers_without_a_known_range_are_refused_in_one_line(tmp_path: Path, name: str, kind: str) -> None:
    root = folder(tmp_path / "scans", {"a.png": full(3, "u1")})
    Image.fromarray(full(1, kind)).save(root / name, format="PPM" if name.endswith("pfm") else None)
    pd.DataFrame({"file_name": ["a.png", name], "sex": ["m", "f"]}).to_csv(root / "metadata.csv", index=False)
    for call in (lambda: opened(root), lambda: read(root / name)):
        with pytest.raises(DataError, match=rf"{name} holds .*no file says which range.*Scale the images") as caught:
            call()
        assert "\n" not in str(caught.value)


def rgb_of_16_bits(path: Path, value: int) -> None:
    """Write a PNG of 48 bits a pixel, which Pillow cannot write: two pixels wide and high."""
    import zlib  # noqa: PLC0415

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    line = b"\0" + struct.pack(">HHH", value, value, value) * 2
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(line * 2)) + chunk(b"IEND", b""))


def test_colours_of_16_bits_keep_their_brightness(tmp_path: Path) -> None:
    for value in (DARK, LIGHT):
        rgb_of_16_bits(tmp_path / "x.png", value)
        assert np.asarray(as_rgb(read(tmp_path / "x.png"))).mean() / 255 == pytest.approx(value / 65535, abs=0.005)


def test_one_bit_palettes_inks_and_transparent_images_show_their_colours(tmp_path: Path) -> None:
    one = Image.new("1", (16, 16), 1)
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([0, 0, 0, 51, 102, 255])
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    glass = Image.new("RGBA", (16, 16), (51, 102, 255, 0))
    root = folder(tmp_path / "mixed", {"1.png": one, "p.png": palette, "i.tiff": ink, "a.png": glass})
    palette.save(root / "p.png", transparency=b"\0\x80")
    data = opened(root)
    colours = [data.inputs[row].mean(dim=(1, 2)).tolist() for row in range(4)]
    blue = [0.2, 0.4, 1]
    assert colours == [pytest.approx(colour, abs=0.01) for colour in ([1, 1, 1], blue, [1, 0, 0], blue)]
    notes = [note for note in data.notes if "images" in note]
    assert [note[: note.index(" ", 12)] for note in notes] == ["2 of 4 images", "1 of 4 images"]
    assert "have an alpha channel, which was left out" in notes[0]
    assert "are in CMYK" in notes[1]


def test_a_camera_that_was_turned_is_turned_back_and_told(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16))
    image.paste((255, 255, 255), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right
    data = opened(folder(tmp_path / "phone", {"a.png": image}, exif=exif))
    assert data.inputs[0][:, :, 8:].min() == 1
    assert data.inputs[0][:, :, :8].max() == 0
    assert "1 of 1 images carry the camera's orientation in EXIF and were turned upright" in data.notes
    deep = folder(tmp_path / "deep", {"a.png": Image.fromarray(np.arange(256, dtype="u2").reshape(16, 16))}, exif=exif)
    assert opened(deep).inputs[0][0, 0, -1] == 0


UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What is seen of the stored pixels under each orientation of EXIF."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize(("shape", "depth"), [((12, 20), "u1"), ((12, 20), "u2"), ((12, 20, 3), "u1")])
def test_every_orientation_is_turned_upright_to_the_pixel(
    tmp_path: Path, orientation: int, kind: str, shape: tuple[int, ...], depth: str
) -> None:
    stored = np.random.default_rng(0).integers(0, np.iinfo(depth).max, shape, dtype=depth, endpoint=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{kind}"
    Image.fromarray(stored).save(path, exif=exif)
    seen = np.asarray(read(path))
    wanted = UPRIGHT[orientation](stored)
    np.testing.assert_array_equal(seen if seen.ndim == wanted.ndim else seen[..., 0], wanted)


def test_of_several_frames_the_first_is_seen_and_told(tmp_path: Path) -> None:
    first, second = Image.new("L", (16, 16), 0), Image.new("L", (16, 16), 255)
    data = opened(folder(tmp_path / "film", {"a.gif": first}, save_all=True, append_images=[second]))
    assert data.inputs[0].max() == 0
    assert "1 of 1 images hold several frames, of which the first was seen" in data.notes


def test_usual_images_are_read_as_ever_and_nothing_is_noted(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = opened(folder(tmp_path / "plain", {"a.png": pixels}))
    torch.testing.assert_close(data.inputs[0], torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    assert [note for note in data.notes if "images" in note] == []


def test_a_survey_decodes_no_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.new("RGB", (32, 32))
    for name in ("a.png", "b.jpg"):
        image.save(tmp_path / name)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _self: pytest.fail("decoded"))
    assert survey(InFolder(tmp_path, ["a.png", "b.jpg"], "")).notes == ()


def test_a_jpeg_of_hundreds_of_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    held = io.BytesIO()
    Image.new("L", (64, 64), 128).save(held, "JPEG", progressive=True)
    content = held.getvalue()
    assert read_image(io.BytesIO(content), "a.jpg").size == (64, 64)
    last = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(ValueError, match="more than 100 scans"):
        read_image(io.BytesIO(content[:-2] + 100 * last + content[-2:]), "a.jpg")


def of_many_scans(form: str, **saved: Any) -> bytes:
    """Return a progressive JPEG whose first scan stands there 101 times, as it would be written by another program."""
    held = io.BytesIO()
    image = Image.new("L", (64, 64), 128)
    image.save(held, form, progressive=True, **saved)
    content = held.getvalue()
    first = content.index(b"\xff\xda")
    scan = content[first : content.index(b"\xff\xda", first + 2)]
    return content[:first] + 100 * scan + content[first:]


def test_scans_are_counted_in_whatever_holds_a_jpeg() -> None:
    two = of_many_scans("MPO", save_all=True, append_images=[Image.new("L", (64, 64))])
    with Image.open(io.BytesIO(two)) as image:
        assert image.format == "MPO"
    one = of_many_scans("JPEG")
    words = {256: (4, 64), 257: (4, 64), 258: (3, 8), 259: (3, 7), 262: (3, 1), 277: (3, 1)}
    words |= {278: (4, 64), 273: (4, 14 + 12 * 9), 279: (4, len(one))}
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(words.items()))
    inside = b"II*\0" + struct.pack("<IH", 8, len(words)) + entries + bytes(4) + one
    for content in (two, inside):
        with pytest.raises(ValueError, match="more than 100 scans"):
            read_image(io.BytesIO(content), "a")
