"""Synthetic speech with known voices and languages: random numbers read aloud by espeak-ng.

The same numbers are said in every language, so that nothing but the sound tells which one it is. Needs the
program `espeak-ng` (Debian: apt-get install espeak-ng); its voice variants are the speakers.
"""

import io
import re
import shutil
import subprocess
import wave
from dataclasses import dataclass

import numpy as np
import scipy.signal
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError

LANGUAGES = ("en-us", "de", "fr-fr", "es", "it", "pl", "hu", "sv")
RATE, FRAME, STEP, MELS, FRAMES = 16_000, 400, 160, 40, 160
"""Samples a second, samples in a frame and between frames, mel bands, frames in an utterance of 1.6 s."""
LOUDNESS = 10 ** (-30 / 20)
"""Quieter speech than this root mean square is made as loud."""

Sound = NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """A variant that espeak-ng can speak as."""

    name: str
    sex: str


def load(*, takes: int = 4, seed: int = 0) -> LabelledData:
    """Let every voice say random numbers in every language: mel spectrograms, (160, 40), as GE2E encoders take them.

    Args:
        takes: Utterances of each voice in each language, at a pitch and speed of their own.
        seed: Of the numbers, pitches and speeds.

    Raises:
        DataError: There is no espeak-ng here.
    """
    generator = np.random.default_rng(seed)
    spoken: list[tuple[Voice, str]] = [
        (voice, language) for voice in voices() for language in LANGUAGES for _ in range(takes)
    ]
    sounds = [_say(voice, language, generator) for voice, language in spoken]
    return labelled(
        torch.stack([spectrogram(sound) for sound in sounds]),
        {"sex": [voice.sex for voice, _ in spoken], "language": [language for _, language in spoken]},
        group=[voice.name for voice, _ in spoken],
        group_name="voice",
        name="synthetic speech",
    )


def voices() -> list[Voice]:
    """List espeak-ng's voice variants with their sex.

    Raises:
        DataError: There is no espeak-ng here.
    """
    if shutil.which("espeak-ng") is None:
        raise DataError("No program espeak-ng here. Install it, for instance by apt-get install espeak-ng.")
    told = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"/([MF])\s+\S+\s+!v/(.+?)\s*(?:\(.*)?$", told, re.MULTILINE)
    return [Voice(name, {"M": "male", "F": "female"}[sex]) for sex, name in found]


def spectrogram(sound: Sound) -> Tensor:
    """Return the power in 40 mel bands of the first 1.6 s of speech, (160, 40)."""
    window = torch.hann_window(FRAME, dtype=torch.float64)
    padded = torch.from_numpy(np.pad(sound, (0, max(0, FRAMES * STEP - len(sound))))[: FRAMES * STEP])
    spectrum = torch.stft(padded, FRAME, STEP, window=window, pad_mode="constant", return_complex=True)
    return (mel_bands() @ spectrum.abs().square()).T[:FRAMES].float()


def mel_bands() -> Tensor:
    """Return Slaney's mel filters of equal area, (40, 201): what the encoder's authors take from librosa."""
    edges = torch.from_numpy(_hertz(np.linspace(0, _mel(RATE / 2), MELS + 2)))  # (42,)
    bins = torch.linspace(0, RATE / 2, FRAME // 2 + 1, dtype=torch.float64)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0) * (2 / (edges[2:] - edges[:-2]))[:, None]


def _mel(hertz: float) -> float:
    return 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))  # above 1 kHz, where it is logarithmic


def _hertz(mels: Sound) -> Sound:
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


def _say(voice: Voice, language: str, generator: np.random.Generator) -> Sound:
    """Speak two random numbers, from the first sound on, at 16 kHz and at least at the usual loudness."""
    text = " ".join(str(number) for number in generator.integers(10_000, 1_000_000, size=2))
    pitch, speed = generator.integers(30, 71), generator.integers(140, 191)
    command = ["espeak-ng", "-v", f"{language}+{voice.name}", "-p", str(pitch), "-s", str(speed), "--stdout", text]
    recorded = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(recorded)) as file:
        rate = file.getframerate()
    start = recorded.index(b"data") + 8  # a stream has no length in its header, so wave would read too much
    samples = np.frombuffer(recorded[start : start + (len(recorded) - start) // 2 * 2], dtype="<i2") / 2**15
    sound = scipy.signal.resample_poly(samples, RATE, rate)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    sound = sound[loud[0] :] if len(loud) else sound
    return sound * max(1.0, LOUDNESS / max(float(np.sqrt((sound**2).mean())), 1e-9))
