"""Sounds become one channel at one rate and one length; what would be guessed is asked, what was changed is noted."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from audit.data.files.audio_file import Sound
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnreadableError
from audit.model.forward import first_input

soundfile = pytest.importorskip("soundfile")
RATE = 8000


def tone(seconds: float, *, rate: int = RATE, hertz: float = 440.0, channels: int = 1) -> Any:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, *[np.zeros_like(wave)] * (channels - 1)], axis=1)


def write(folder: Path, sounds: dict[str, tuple[Any, int]]) -> Path:
    for name, (sound, rate) in sounds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, sound, rate)
    return folder


def opened(folder: Path, **options: Any) -> LabelledData:
    return open_data(str(folder), "audit", {"class_folders": "sex"} | options)


def told(folder: Path, error: type[IreneError] = DataError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_sound_is_its_samples_in_one_channel(tmp_path: Path, suffix: str) -> None:
    folder = write(tmp_path, {f"f/a.{suffix}": (tone(0.5), RATE), f"m/b.{suffix}": (tone(0.5, channels=2), RATE)})
    data = opened(folder)
    assert data.inputs[0].shape == (4000,) and data.inputs[0].dtype == torch.float32
    torch.testing.assert_close(data.inputs[0], torch.from_numpy(tone(0.5)[:, 0]).float(), atol=1e-4, rtol=0)
    torch.testing.assert_close(data.inputs[1], data.inputs[0] / 2, atol=1e-4, rtol=0)
    assert "1 of 2 sounds have several channels, of which the mean was heard" in data.notes
    assert data.options == {"part": "audit", "sample_rate": RATE}


def test_sounds_of_several_rates_are_a_question_and_resampled_on_request(tmp_path: Path) -> None:
    folder = write(tmp_path, {"f/a.wav": (tone(1), RATE), "m/b.wav": (tone(1, rate=22050), 22050)})
    assert "have 8,000 and 22,050 samples a second. Name the rate" in told(folder)
    data = opened(folder, sample_rate=RATE)
    assert data.inputs[1].shape == (RATE,)
    torch.testing.assert_close(data.inputs[1][200:-200], data.inputs[0][200:-200], atol=0.01, rtol=0)
    assert "1 of 2 sounds had another rate and were resampled to 8,000 samples a second" in data.notes
    assert data.options["sample_rate"] == RATE


def test_sounds_of_several_lengths_are_a_question_and_cut_or_filled_on_request(tmp_path: Path) -> None:
    folder = write(tmp_path, {"f/a.wav": (tone(1), RATE), "m/b.wav": (tone(0.25), RATE)})
    assert "The sounds last from 0.25 to 1 seconds, and a batch has one length. Give --seconds" in told(folder)
    data = opened(folder, seconds=0.5)
    assert [len(data.inputs[row]) for row in (0, 1)] == [4000, 4000]
    assert data.inputs[1][2000:].abs().max() == 0 and data.inputs[1][:2000].abs().max() > 0.4
    assert {"1 of 2 sounds were cut after 0.5 seconds", "1 of 2 sounds were filled up with silence to 0.5 seconds"} <= {
        *data.notes
    }


def test_a_transform_of_the_users_takes_the_samples_of_any_length(tmp_path: Path) -> None:
    folder = write(tmp_path / "sounds", {"f/a.wav": (tone(1), RATE), "m/b.wav": (tone(0.25), RATE)})
    own = tmp_path / "own.py"
    own.write_text("def mean():\n    return lambda x: x.abs().mean()[None]\ndef text():\n    return lambda x: 'a'\n")
    data = opened(folder, transform=f"{own}:mean")
    assert data.inputs[0].item() == pytest.approx(1 / np.pi, abs=0.01)
    with pytest.raises(DataError, match="made a str of"):
        opened(folder, transform=f"{own}:text").inputs[0]
    assert "are for images and clips, and the rows are sounds" in told(folder, transform="imagenet")
    assert "sample_rate is 0" in told(folder, sample_rate=0)
    assert "seconds is -1" in told(folder, seconds=-1)


def test_a_broken_sound_is_unreadable_and_one_that_declares_hours_is_not_unfolded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, {"f/a.wav": (tone(0.5), RATE), "m/b.wav": (tone(0.5), RATE)})
    data = opened(folder)
    for content in (b"", b"no sound", (folder / "f/a.wav").read_bytes()[:20]):
        (folder / "m/b.wav").write_bytes(content)
        with pytest.raises(UnreadableError, match=r"Cannot read the sound .*b\.wav"):
            data.inputs[1]
    soundfile.write(folder / "m/b.flac", np.zeros(20_000_000, dtype=np.int16), RATE)
    assert (folder / "m/b.flac").stat().st_size < 400_000
    monkeypatch.setattr("audit.file_limits.FREELY", 2**24)
    (folder / "m/b.wav").unlink()
    with pytest.raises(UnreadableError, match=r"declares 80\.0 MB"):
        opened(folder).inputs[1]


def test_a_sound_of_no_length_is_unreadable_and_not_silence(tmp_path: Path) -> None:
    data = opened(write(tmp_path, {"f/a.wav": (tone(0), RATE), "m/b.wav": (tone(0.5), RATE)}), seconds=0.5)
    with pytest.raises(UnreadableError, match=r"a\.wav: it lasts no time"):
        data.inputs[0]
    assert data.inputs[1].shape == (4000,)


def test_a_model_that_takes_more_than_samples_is_told_what_makes_it(tmp_path: Path) -> None:
    data = opened(write(tmp_path, {"f/a.wav": (tone(0.1), RATE), "m/b.wav": (tone(0.1), RATE)}))
    with pytest.raises(DataError, match=r"A sound is its samples, \(t,\).*--transform file\.py:factory"):
        first_input(nn.Conv1d(1, 2, 3), data)


def test_images_and_sounds_together_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, {"f/a.wav": (tone(0.5), RATE)})
    (folder / "f/b.png").write_bytes(b"")
    assert "are images and sounds. A model takes one of them" in told(folder)


@pytest.mark.parametrize(
    ("rate", "samples", "said"),
    [
        (2_000_000_000, 400, "it has 2,000,000,000 samples a second; 1,000,000 are read at most"),
        (999_983, 400, "999,983 samples a second have no simple ratio to 16,000"),
        (1, 20_000, "it has 40.0 kB and declares 1.3 GB"),
    ],
)
def test_the_rate_of_a_file_asks_for_no_memory(rate: int, samples: int, said: str) -> None:
    head = struct.pack("<IHHIIHH", 16, 1, 1, rate, min(2 * rate, 2**32 - 1), 2, 16)
    rest = b"WAVEfmt " + head + b"data" + struct.pack("<I", 2 * samples) + bytes(2 * samples)
    with pytest.raises(ValueError, match=said):
        Sound(rate=16000).read(io.BytesIO(b"RIFF" + struct.pack("<I", len(rest)) + rest), "a.wav")


def test_a_high_or_odd_rate_that_can_be_resampled_is(tmp_path: Path) -> None:
    for rate in (384_000, 44_056, 99_991):
        soundfile.write(tmp_path / "a.wav", tone(0.1, rate=rate), rate)
        with (tmp_path / "a.wav").open("rb") as file:
            assert len(Sound(rate=16000).read(file, "a.wav")) == pytest.approx(1600, abs=1)
