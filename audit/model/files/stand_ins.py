"""What stands in for the objects beside a file's weights, so that nothing of theirs is imported or run.

torch's weights-only reader makes objects of the types that it is told, by calling them. Here it is told classes of
this file in their places, under their names: they take whatever they are made of, and keep nothing of it. So a type
is listed if what it holds is no weight of a model, and if nobody would miss a warning of it.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable

import numpy as np
import torch
from torch import Tensor

KINDS = "biuf"
"""Of arrays that become tensors: truth, whole numbers, floats."""


class Inert:
    """An object that is no weight: made of anything, it holds nothing."""

    def __init__(self, *given: object) -> None:
        del given

    def __setstate__(self, state: object) -> None:
        """Take an object's attributes, and forget them."""


class Items:
    """A mapping with attributes beside its items, or with a default: a plain one, whose items may be weights."""

    def __new__(cls, *given: object) -> OrderedDict[object, object]:  # type: ignore[misc]  # the reader fills no other
        """Return an empty mapping."""
        del given
        return OrderedDict()


class Kind:
    """A NumPy type, of which the letters alone are kept: `f4`."""

    def __init__(self, letters: object = "", *given: object) -> None:
        del given
        self.letters = letters if isinstance(letters, str) else ""
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        """Take the order of bytes; whatever else a type may have makes none of plain numbers."""
        self.order = str(state[1]) if isinstance(state, tuple) and len(state) > 1 else "<"
        if not isinstance(state, tuple) or any(part is not None for part in state[2:5]):
            self.letters = ""


class Array:
    """A NumPy array, put together here from the bytes that the file holds, and no larger than these."""

    def __init__(self, *given: object) -> None:
        del given
        self.tensor: Tensor | None = None
        """The numbers; None if they are no plain ones, or not as many as the shape says."""

    def __setstate__(self, state: object) -> None:
        """Take version, shape, type, order of axes and bytes."""
        match state:
            case (_, tuple() as shape, Kind(letters=letters, order=order), fortran, bytes() as content):
                self.tensor = _tensor(shape, f"{'<' if order not in '<>' else order}{letters}", bool(fortran), content)


def _tensor(shape: tuple[object, ...], letters: str, fortran: bool, content: bytes) -> Tensor | None:
    sizes = [size for size in shape if isinstance(size, int)]
    if not re.fullmatch(rf"[<>][{KINDS}]\d{{1,2}}", letters) or len(sizes) != len(shape):
        return None
    try:
        numbers = np.frombuffer(content, np.dtype(letters)).reshape(sizes, order="F" if fortran else "C")
        return torch.from_numpy(numbers.astype(numbers.dtype.newbyteorder("="), copy=True))
    except (TypeError, ValueError):  # float128, or another number of bytes
        return None


MAPPINGS = re.compile(
    r"collections\.defaultdict"  # of plain items; its factory is a reference that is not called
    r"|(pytorch_lightning|lightning(\.pytorch|\.fabric)?|lightning_fabric)\.utilities\.(parsing|data)\.AttributeDict"
    r"|easydict\.EasyDict|addict\.addict\.Dict|yacs\.config\.CfgNode"  # settings whose items are attributes too
)
"""Types whose items may be weights."""
HARMLESS = re.compile(
    # what people measure and count: a number or a word of it in a log
    r"numpy\.(_?core\.multiarray\.scalar|(bool_?|u?int\d+|float\d+|str_|bytes_|longdouble))"
    r"|numpy\.dtypes\.\w+DType|numpy\.random\._pickle\.\w+"  # which kind of number; the state of a generator
    r"|datetime\.(datetime|date|time|timedelta|timezone)|uuid\.UUID|decimal\.Decimal|fractions\.Fraction"
    r"|pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path"  # where a file lay; nothing is opened
    r"|torch\.torch_version\.TorchVersion|torch\._C\.Generator"
    # settings: names and values
    r"|argparse\.Namespace|types\.SimpleNamespace|ml_collections\.config_dict\.config_dict\.ConfigDict"
    r"|omegaconf\.(dictconfig\.DictConfig|listconfig\.ListConfig|base\.\w*Metadata|base\.SCMode|nodes\.\w+Node)"
    # what settings refer to by name, and what a call of it would be: partial(torch.optim.Adam, lr=…) is not called
    r"|typing\.\w+|functools\.partial|torch\.optim\.(\w+\.)*\w+"
    r"|builtins\.(int|float|complex|str|bytes|bool|list|dict|tuple|set|frozenset|type|object|slice|range|NoneType)"
    # records of a training: which epoch was best, and the last values of a loss
    r"|(pytorch_lightning|lightning\.pytorch)\.callbacks\.(\w+\.)*\w+"
    r"|mm(engine|cv)\.(logging\.history_buffer\.HistoryBuffer|config\.config\.ConfigDict)"
)
"""Types that hold no weights, each of which can be left out unread."""
ARRAYS = {"numpy.ndarray": Array, "numpy.dtype": Kind} | {
    f"numpy.{core}.multiarray._reconstruct": Array for core in ("core", "_core")
}


def unknown(types: Iterable[str], skipped: Collection[str]) -> set[str]:
    """Return which types have no stand-in, unless the user lets them be left out."""
    return {
        name for name in types
        if not (name in skipped or name in ARRAYS or HARMLESS.fullmatch(name) or MAPPINGS.fullmatch(name))
    }  # fmt: skip


def stand_ins(types: Iterable[str], *, items: bool) -> list[tuple[type, str]]:
    """Return what torch's reader takes for objects of these types; `items`: those of unlisted types are mappings."""
    return [(_stand_in(name, items), name) for name in types]


def _stand_in(name: str, items: bool) -> type:
    if name in ARRAYS:
        return ARRAYS[name]
    return Items if MAPPINGS.fullmatch(name) or (items and not HARMLESS.fullmatch(name)) else Inert
