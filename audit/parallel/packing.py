"""Functions and results on their way between processes: large arrays are left in files, and their place is sent."""

import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from audit.data.on_disk import require_room
from audit.data.shared_files import Place, given_away, new_file, owned, place_of
from audit.plugins import USERS

LARGE = 2**20
"""Bytes from which on an array goes to a file."""


def packed(value: object) -> bytes:
    """Return a value, which may be a function inside another, as bytes; arrays that are mapped stay where they are.

    Other large ones are written to the folder of shared files, once each.
    """
    with _users_modules_sent():
        return _pack(_Asked, value)


def answered(value: object) -> bytes:
    """Return a result as bytes; an array that is mapped stays where it is and is the receiver's from now on."""
    return _pack(_Answered, value)


def unpacked(content: bytes) -> Any:
    """Return what was packed."""
    return pickle.loads(content)


def _pack(kind: "type[_Asked] | type[_Answered]", value: object) -> bytes:
    buffer = io.BytesIO()
    kind(buffer).dump(value)
    return buffer.getvalue()


@contextmanager
def _users_modules_sent() -> Iterator[None]:
    """Send what stands in users' files itself: a worker could not import it by a name."""
    modules = [module for name, module in [*sys.modules.items()] if name.startswith(USERS)]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


class _Asked(cloudpickle.Pickler):  # type: ignore[misc]
    """Packs what a worker is to do."""

    def reducer_override(self, value: Any) -> Any:
        """Send the place of a large array in the array's stead."""
        torch = sys.modules.get("torch")  # a worker that needs none imports none
        if torch and type(value) is torch.Tensor and value.nbytes >= LARGE and _is_plain(value):
            return torch.from_numpy, (value.numpy(),)
        if not isinstance(value, np.ndarray) or value.nbytes < LARGE or value.dtype.hasobject:
            return super().reducer_override(value)
        if place := place_of(value):
            return _mapped, (place,)
        if value.flags.c_contiguous:
            return _copied, (_saved(value), False)
        if value.flags.f_contiguous:
            return _copied, (_saved(value.T), True)
        return super().reducer_override(np.asarray(value))


class _Answered(cloudpickle.Pickler):  # type: ignore[misc]
    """Packs what a worker has done."""

    def reducer_override(self, value: Any) -> Any:
        """Send the place of an array in a file."""
        if isinstance(value, np.memmap):
            if place := place_of(value):
                given_away(place.path)
                return _received, (place,)
            return np.array, (np.asarray(value),)
        return super().reducer_override(value)


def _is_plain(value: Any) -> bool:
    """Return whether a tensor is an array in memory, row by row, of a type that NumPy has."""
    kind = str(value.dtype).removeprefix("torch.")
    strided = value.device.type == "cpu" and str(value.layout) == "torch.strided" and value.is_contiguous()
    return strided and not value.requires_grad and kind in np.sctypeDict


def _saved(values: NDArray[Any]) -> Place:
    """Write an array to a file of its own in the shared folder; who made the folder deletes it."""
    with new_file() as file:
        require_room(file.fileno(), values.nbytes)
        np.asarray(values).tofile(file)
        return Place(str(Path(file.name).resolve()), 0, values.dtype.str, values.shape)


def _mapped(place: Place) -> NDArray[Any]:
    return place.open()


def _copied(place: Place, turned: bool) -> NDArray[Any]:
    """Return an array that was in memory as one that may be written to; what is not touched stays in the file."""
    found = np.asarray(place.open("c"))
    return found.T if turned else found


def _received(place: Place) -> NDArray[Any]:
    found = place.open()
    assert isinstance(found, np.memmap)
    return owned(found)
