"""One sound of a file as one channel at a rate that was asked for: nothing is resampled or cut in silence."""

import importlib
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from audit.data.files.contents import Contents
from audit.errors import DataError, IreneError
from audit.file_limits import require_plausible

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")
SINGLE = 4
"""Bytes of a float32."""
MOST_RATE = 1_000_000
"""Samples a second of a file; those of bats have 384,000."""
MOST_STEPS = 100_000
"""Of two rates without their common divisor: the filter that resamples has twenty numbers for each."""


@dataclass(frozen=True)
class Sound:
    """What a model takes of each file."""

    rate: int | None = None
    """Samples a second; None for that of the files, which is one."""
    seconds: float | None = None
    """Length of each; None for their own."""

    def __post_init__(self) -> None:
        if self.rate is not None and (not isinstance(self.rate, int) or not 1 <= self.rate <= 10_000_000):
            raise DataError(f"sample_rate is {self.rate!r}; it is samples a second. Give a number such as 16000.")
        seconds = self.seconds
        if seconds is not None and (not isinstance(seconds, int | float) or not 0 < seconds <= 86_400):
            raise DataError(f"seconds is {seconds!r}; it is the length of each sound. Give a number such as 3.")

    def read(self, file: IO[bytes], name: str) -> Tensor:
        """Return a sound, (samples,) float32 in [-1, 1]: its first seconds, or all of it and then silence.

        Raises DataError where soundfile is missing or the rate is another one; whatever it raises if it is broken.
        """
        with _sound(file, self.rate) as sound:
            x: NDArray[np.float32] = sound.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = int(sound.samplerate)
        if not len(x):
            raise ValueError("it lasts no time")
        if self.rate is not None and rate != self.rate:
            both = math.gcd(rate, self.rate)
            x = resample_poly(x, self.rate // both, rate // both).astype(np.float32)
        if self.seconds is not None:
            wanted = round(self.seconds * (self.rate or rate))
            x = np.pad(x[:wanted], (0, max(0, wanted - len(x))))
        if not np.isfinite(x).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        return torch.from_numpy(np.ascontiguousarray(x))


def survey(contents: Contents, sound: Sound, *, any_length: bool) -> tuple[Sound, tuple[str, ...]]:
    """Look at the heads of sounds; return how they are read, with the rate that all have, and what to say of that.

    Raises DataError if they differ in rate or, unless `any_length`, in length, and nobody said what to do.
    """
    rates, channels, lengths = Counter[int](), Counter[int](), Counter[int]()
    for row in range(len(contents)):
        try:
            with contents.opened(row) as file, _sound(file, sound.rate) as head:
                rates[head.samplerate] += 1
                channels[head.channels] += 1
                lengths[math.ceil(head.frames * (sound.rate or head.samplerate) / head.samplerate)] += 1
        except IreneError:
            raise
        except Exception:  # told when it is read
            continue
    if not rates:
        return sound, ()
    if sound.rate is None and len(rates) > 1:
        found = " and ".join(f"{rate:,}" for rate in sorted(rates)[:3])
        raise DataError(
            f"The sounds have {found} samples a second. Name the rate that the model was trained on: --sample-rate."
        )
    rate = sound.rate or next(iter(rates))
    if sound.seconds is None and len(lengths) > 1 and not any_length:
        raise DataError(
            f"The sounds last from {min(lengths) / rate:.3g} to {max(lengths) / rate:.3g} seconds, and a batch has one "
            "length. Give --seconds: each is cut after so many or filled up with silence; or a --transform."
        )
    return replace(sound, rate=rate), tuple(_told(rates, channels, lengths, replace(sound, rate=rate)))


def _told(rates: Counter[int], channels: Counter[int], lengths: Counter[int], sound: Sound) -> Iterator[str]:
    total = rates.total()
    if others := total - rates[sound.rate or 0]:
        yield f"{others:,} of {total:,} sounds had another rate and were resampled to {sound.rate:,} samples a second"
    if several := total - channels[1]:
        yield f"{several:,} of {total:,} sounds have several channels, of which the mean was heard"
    wanted = None if sound.seconds is None else round(sound.seconds * (sound.rate or 0))
    if wanted is not None:
        longer = sum(count for length, count in lengths.items() if length > wanted)
        shorter = sum(count for length, count in lengths.items() if length < wanted)
        if longer:
            yield f"{longer:,} of {total:,} sounds were cut after {sound.seconds:g} seconds"
        if shorter:
            yield f"{shorter:,} of {total:,} sounds were filled up with silence to {sound.seconds:g} seconds"


@contextmanager
def _sound(file: IO[bytes], wanted: int | None) -> Iterator[Any]:
    """Open a sound that can be held, and so can what it is at the rate that is wanted."""
    try:
        soundfile = importlib.import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: the package without its library
        raise IreneError(
            f"Cannot import soundfile for audio: {error}. Install it: pip install 'irene-audit[audio]'."
        ) from None
    size = file.seek(0, 2)
    file.seek(0)
    with soundfile.SoundFile(file) as sound:
        if sound.format not in FORMATS:
            raise ValueError(f"{sound.format} is not read")
        require_plausible(SINGLE * sound.frames * sound.channels, size)
        if not 1 <= sound.samplerate <= MOST_RATE:
            raise ValueError(f"it has {sound.samplerate:,} samples a second; {MOST_RATE:,} are read at most")
        if wanted is not None:
            require_plausible(SINGLE * (sound.frames * wanted // sound.samplerate), size)
            if max(wanted, sound.samplerate) > MOST_STEPS * math.gcd(wanted, sound.samplerate):
                raise ValueError(f"{sound.samplerate:,} samples a second have no simple ratio to {wanted:,}")
        yield sound
