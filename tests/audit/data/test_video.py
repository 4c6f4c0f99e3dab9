"""Clips become the frames that were asked for, spaced in time and upright; what would be guessed is asked or noted."""

import io
import struct
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support.clips import shade, sound, turned, write
from torch import Tensor

from audit.data.files.video_file import Clip
from audit.data.labelled import LabelledData
from audit.data.loading import batches
from audit.data.model_input import digest
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnreadableError

pytest.importorskip("av")
SAID: dict[str, Any] = {"frames": 5, "clip_axes": "tchw", "transform": "unit", "image_size": 16}
R3D = "torchvision.models.video:r3d_18"
MIDDLES = [2, 6, 10, 14, 18]
"""Of five equal parts of twenty frames."""


def opened(folder: Path, *, arch: str | None = None, **options: Any) -> LabelledData:
    said = {"class_folders": "sex"} | SAID | options
    return open_data(str(folder), "audit", {name: one for name, one in said.items() if one is not None}, arch=arch)


def told(folder: Path, error: type[IreneError] = DataError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unread(path: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        _ = opened(path.parents[1]).inputs[0]
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def shades(clip: Tensor) -> list[float]:
    """Return how bright each frame is in its lower right, (t, c, h, w) in [0, 1] or uint8."""
    whole = clip.float() * (255 if clip.is_floating_point() else 1)
    return whole[:, :, 10:, 10:].mean(dim=(1, 2, 3)).tolist()


def close(found: list[float], frames: list[int], of: int = 20) -> bool:
    return np.allclose(found, [shade(one, of) for one in frames], atol=4)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.mkv", "ffv1", "gray"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
    ],
)
def test_a_clip_is_its_frames_evenly_spaced(tmp_path: Path, name: str, codec: str, form: str) -> None:
    data = opened(write(tmp_path / "f" / name, codec=codec, form=form).parents[1])
    x = data.inputs[0]
    assert x.shape == (5, 3, 16, 16) and x.dtype == torch.float32 and close(shades(x), MIDDLES)
    assert data.options == {"part": "audit", **SAID}
    told = "each clip was seen as 5 frames, evenly spaced over all of it, 2 seconds, so 0.4 seconds apart"
    assert any(note.startswith(told) for note in data.notes)
    assert "the model was given clips as (t, c, h, w)" in data.notes


def test_frames_have_the_colours_and_the_order_of_axes_that_were_said(tmp_path: Path) -> None:
    write(tmp_path / "f/a.mp4", codec="libx264", colours=(200, 100, 50))
    data = opened(tmp_path, clip_axes="cthw")
    assert data.inputs[0].shape == (3, 5, 16, 16)
    assert torch.allclose(data.inputs[0].mean(dim=(1, 2, 3)) * 255, torch.tensor([200.0, 100, 50]), atol=4)
    assert "the model was given clips as (c, t, h, w)" in data.notes
    assert torch.equal(data.inputs[0].permute(1, 0, 2, 3), opened(tmp_path).inputs[0])


def test_what_no_file_says_is_asked_at_once(tmp_path: Path) -> None:
    write(tmp_path / "f/a.avi"), write(tmp_path / "m/b.avi", 30)
    nothing: dict[str, Any] = {"frames": None, "clip_axes": None, "transform": None, "image_size": None}
    message = told(tmp_path, **nothing)
    assert message.startswith(
        "The clips have 20 to 30 frames, and no file says what the model takes of them. Give --fr"
    )
    assert "--transform" in message and "--clip-axes" in message and "cthw is (c, t, h, w)" in message
    message = told(tmp_path, **nothing, arch=R3D)
    assert "--frames" in message and "--transform" not in message and "--clip-axes" not in message
    assert "--frames" not in told(tmp_path, clip_axes=None)
    assert "frames is 0" in told(tmp_path, frames=0) and "seconds is 0" in told(tmp_path, seconds=0)
    assert "sample_rate is for sounds, and the rows are clips" in told(tmp_path, sample_rate=8000)
    published = "torchvision.models:ResNet18_Weights.DEFAULT.transforms"
    assert "an order of axes of its own" in told(tmp_path, transform=published, image_size=None)


def test_an_architecture_of_torchvisions_brings_its_transform_and_its_order(tmp_path: Path) -> None:
    write(tmp_path / "f/a.avi")
    data = opened(tmp_path, arch=R3D, transform=None, clip_axes=None, image_size=None)
    assert data.inputs[0].shape == (3, 5, 112, 112)
    assert any("transformed as published for torchvision.models.video:r3d_18, to (c, t, h, w)" in n for n in data.notes)
    assert data.options["transform"].endswith("R3D_18_Weights.KINETICS400_V1.transforms")  # type: ignore[union-attr]
    assert opened(tmp_path, arch=R3D, clip_axes=None).options["clip_axes"] == "cthw"


def test_a_transform_of_the_users_takes_all_frames(tmp_path: Path) -> None:
    write(tmp_path / "rows/f/a.avi")
    own = tmp_path / "own.py"
    own.write_text("def bright():\n    return lambda x: x.float().mean(dim=(1, 2, 3))\ndef text():\n    return str\n")
    found = opened(tmp_path / "rows", transform=f"{own}:bright", clip_axes=None, image_size=None).inputs[0]
    assert found.shape == (5,) and (found.diff() > 0).all()
    with pytest.raises(DataError, match="made a str of"):
        _ = opened(tmp_path / "rows", transform=f"{own}:text", clip_axes=None, image_size=None).inputs[0]


def test_frames_are_chosen_by_time_and_not_by_number(tmp_path: Path) -> None:
    late = [0, *range(1000, 1950, 50)]  # one frame for a second, and then twenty in another
    data = opened(write(tmp_path / "f/a.mkv", codec="libx264", at=late).parents[1])
    assert close(shades(data.inputs[0]), [0, 0, 1, 9, 17])
    assert "1 of 1 clips have a frame rate that varies; their frames were chosen by time, not by number" in data.notes


def test_a_clip_of_fewer_frames_repeats_them_and_one_that_is_longer_may_be_cut(tmp_path: Path) -> None:
    write(tmp_path / "f/a.mp4", 3), write(tmp_path / "m/b.mp4")
    data = opened(tmp_path)
    assert close(shades(data.inputs[0]), [0, 0, 1, 2, 2], of=3)
    assert "1 of 2 clips have fewer than 5 frames, and some were seen twice" in data.notes
    data = opened(tmp_path, seconds=0.5)
    assert close(shades(data.inputs[0]), [0, 1, 2, 2, 2], of=3)
    assert close(shades(data.inputs[1]), [0, 1, 2, 3, 4])
    assert "1 of 2 clips end before 0.5 seconds, and their last frame stands still" in data.notes
    assert any("evenly spaced over its first 0.5 seconds, 0.1 seconds apart" in note for note in data.notes)


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1, (1, 2))),
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2, (1, 2))),
        ((0, 1, -1, 0), lambda x: np.rot90(x, 3, (1, 2))),
        ((-1, 0, 0, 1), lambda x: x[:, :, ::-1]),
        ((1, 0, 0, -1), lambda x: x[:, ::-1]),
        ((0, 1, 1, 0), lambda x: x.swapaxes(1, 2)),
    ],
)
def test_a_clip_is_turned_and_mirrored_as_the_camera_says(tmp_path: Path, matrix: Any, upright: Any) -> None:
    path = write(tmp_path / "f/a.mp4")
    plain = Clip(2).read(io.BytesIO(path.read_bytes())).permute(0, 2, 3, 1).numpy()
    found = Clip(2).read(io.BytesIO(turned(path, matrix).read_bytes())).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found, upright(plain))
    assert "1 of 1 clips carry the camera's orientation and were turned upright" in opened(tmp_path).notes


def test_deep_grey_and_transparent_frames_are_seen_and_noted(tmp_path: Path) -> None:
    write(tmp_path / "f/a.mp4", codec="libx264", form="yuv420p10le")
    write(tmp_path / "f/b.mkv", codec="ffv1", form="gray")
    write(tmp_path / "f/c.mov", codec="qtrle", form="argb")
    data = opened(tmp_path)
    assert all(close(shades(data.inputs[row]), MIDDLES) for row in range(3))
    assert {
        "1 of 3 clips hold more than 8 bits a channel and were scaled to 8",
        "1 of 3 clips have an alpha channel, which was left out as training loaders do: what is transparent shows its "
        "colour",
    } <= {*data.notes}


def test_a_size_that_nobody_named_is_told_where_clips_have_another(tmp_path: Path) -> None:
    write(tmp_path / "f/a.avi")
    (note,) = [one for one in opened(tmp_path, image_size=None).notes if "--image-size" in one]
    assert note.startswith(
        "clips were scaled to 224 × 224 pixels, since --image-size was not given; the smallest has 32"
    )


def test_files_that_hold_no_whole_clip_are_told_by_their_names(tmp_path: Path) -> None:
    whole = {name: write(tmp_path / name, size=(64, 64)).read_bytes() for name in ("a.avi", "a.mkv", "a.mp4")}
    whole["a.gif"] = write(tmp_path / "a.gif", codec="gif", form="rgb8").read_bytes()
    whole["fast.mp4"] = write(tmp_path / "fast.mp4").read_bytes()
    path = tmp_path / "rows/f/a.mp4"
    path.parent.mkdir(parents=True)
    assert "it holds no pictures, only sound" in unread(sound(path))
    for content in (b"", b"no clip", b"#EXTM3U\n/etc/passwd", *(one[: len(one) // 3] for one in whole.values())):
        path.write_bytes(content)
        assert "Cannot read the clip" in unread(path)
    for name in ("a.mkv", "a.gif"):  # whose first frames can be decoded
        with pytest.raises(ValueError, match="it is cut off or damaged"):
            Clip(5).read(io.BytesIO(whole[name][: len(whole[name]) // 3]))
    turned(tmp_path / "a.mp4", (1, 1, -1, 1)).replace(path)
    assert "at no right angle" in unread(path)


def test_what_a_clip_declares_is_bounded_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "rows/f/a.mp4")
    content = bytearray(path.read_bytes())
    for name, values in (("stsz", (1, 20_000_000)), ("stts", (1, 20_000_000, 1))):
        struct.pack_into(f">{len(values)}I", content, content.index(name.encode()) + 8, *values)
    whole = path.read_bytes()
    path.write_bytes(content)
    assert "and declares 1.6 GB" in unread(path)
    path.write_bytes(whole.replace(b"stsz", b"cmov"))
    assert "its tables are compressed" in unread(path)
    path.write_bytes(whole)
    monkeypatch.setattr("audit.data.files.video_file.MOST_FOOTAGE", 32 * 16 * 19)
    assert "more than 9,728 pixels in all" in unread(path)
    monkeypatch.setattr("audit.data.files.video_file.MOST_PIXELS", 500)
    assert "32 by 16 pixels; 500 are read at most" in unread(path)
    monkeypatch.undo()
    monkeypatch.setattr("audit.file_limits.FREELY", 2**12)
    with pytest.raises(ValueError, match=r"and declares 3\.1 MB"):
        Clip(16).read(io.BytesIO(write(path, size=(256, 256)).read_bytes()))


def test_a_decoder_that_is_not_on_the_list_does_not_run(tmp_path: Path) -> None:
    path = write(tmp_path / "rows/f/a.avi", codec="zmbv", form="bgr0")
    assert "its codec, zmbv, is not read" in unread(path)
    path.write_bytes(path.read_bytes().replace(b"ZMBV", b"????"))
    assert "its codec, of no known name, is not read" in unread(path)


def test_without_pyav_one_line_says_how_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "f/a.avi")
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'irene-audit[video]'" in told(tmp_path, IreneError)


def test_every_source_of_files_takes_clips(tmp_path: Path) -> None:
    held = {
        name: write(tmp_path / "clips" / name, frames).read_bytes() for name, frames in (("a.mp4", 20), ("b.avi", 9))
    }
    frame = pd.DataFrame({"file_name": [*held], "sex": ["f", "m"]})
    frame.to_csv(tmp_path / "clips/metadata.csv", index=False)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.assign(file_name=list(held.values())).to_parquet(tmp_path / "rows.parquet")
    with tarfile.open(tmp_path / "rows.tar", "w") as archive:
        for place, name in enumerate(held):
            archive.add(tmp_path / "clips" / name, name)
            (tmp_path / "label").write_text("fm"[place])
            archive.add(tmp_path / "label", f"{name[0]}.cls")
    found = [
        opened(tmp_path / "clips", class_folders=None),
        opened(tmp_path / "rows.csv", class_folders=None, video="file_name", data_root=str(tmp_path / "clips")),
        opened(tmp_path / "rows.parquet", class_folders=None, video="file_name"),
        opened(tmp_path / "rows.tar", class_folders=None),
    ]
    digests = {tuple(digest(data.inputs[row]) for row in range(2)) for data in found}
    assert len(digests) == 1 and len({*digests.pop()}) == 2
    assert [data.options.get("video") for data in found] == [None, "file_name", "file_name", None]
    assert "Both an image and a video column" in told(tmp_path / "rows.csv", class_folders=None, image="x", video="y")
    with pytest.raises(DataError, match=r"looks like files of clips\. .* say --video file_name"):
        open_data(str(tmp_path / "rows.csv"), "audit", {})


def test_a_gif_is_a_clip_where_its_column_says_so(tmp_path: Path) -> None:
    write(tmp_path / "a.gif", codec="gif", form="rgb8")
    pd.DataFrame({"path": ["a.gif"], "sex": ["f"]}).to_csv(tmp_path / "rows.csv", index=False)
    x = opened(tmp_path / "rows.csv", class_folders=None, video="path").inputs[0]
    assert x.shape == (5, 3, 16, 16) and (torch.tensor(shades(x)).diff() > 20).all()
    with pytest.raises(DataError, match="frames is for clips, and the rows are images"):
        opened(tmp_path / "rows.csv", class_folders=None, image="path", clip_axes=None)


def test_clips_beside_images_are_refused_and_broken_ones_are_left_out_by_workers(tmp_path: Path) -> None:
    write(tmp_path / "f/a.mp4"), write(tmp_path / "m/b.webm", codec="libvpx-vp9")
    (tmp_path / "m/c.mkv").write_bytes(b"no clip")
    loader = batches(opened(tmp_path).inputs, batch_size=2, workers=1)
    assert [rows for rows, _ in loader] == [[0, 1], []]
    (tmp_path / "m/d.png").write_bytes(b"")
    assert "are images and clips. A model takes one of them" in told(tmp_path)
