"""How the value at a layer becomes one vector a row, once it is known which of its axes is what."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Literal, TypeGuard, get_args

import torch
from torch import Tensor

from audit.data.model_input import ModelInput, each, parts, sizes
from audit.errors import BottleneckError, DataError, require_known
from audit.model.structure.positions import UNTRIED, Fate

Pool = Literal["mean", "flatten", "first", "last", "channels-first", "channels-last", "time-first"]
"""How a map or a sequence becomes one vector a row.

`mean` over its positions, where the model makes known which axis holds the channels; `flatten`, all of it; `first`, the
first position, which is where a transformer with a class token keeps its summary; `last`, the last one, as a recurrent
layer's last step. The other three are the mean too, of
a value whose axes the user names: (n, c, …), (n, …, c) or (t, n, d).
"""
ENDS = ("first", "last")
NAMED: Mapping[str, tuple[int, int]] = {"channels-first": (0, 1), "channels-last": (0, -1), "time-first": (1, -1)}
"""The axes of rows and of channels that a user may name."""
WAYS = (
    "Name them with --pool channels-first (n, c, …), channels-last (n, …, c) or time-first (t, n, d), or take all of "
    "it with --pool flatten"
)
MASK = "attention_mask"
"""The argument of a model that says which tokens are text, (n, t), and which are padding: 0."""
Padding = int | Literal["none"] | None
"""The token that fills a text up to the length of the longest, "none" where there is none; None: not said."""


def require_pooling(pool: object, padding: object) -> None:
    """Raise an IreneError for a pool that there is not, or a padding that is no token, "none" or None."""
    require_known("pool", pool, get_args(Pool))
    if padding is not None and not (isinstance(padding, Integral) and not isinstance(padding, bool)):
        require_known("padding", padding, ("none", "the number of a token"))


Tokens = Literal["unseen", "all", "a part"]
"""Of a model's input: no embedding was seen to take (n, t); one takes the input as it is; one takes a part of it."""


@dataclass(frozen=True)
class Layout:
    """Which axis of the value at a layer is what."""

    rows: int = 0
    channels: int | None = None
    """None where nobody knows; only a value of more than two axes needs it."""
    source: str = ""
    """Who makes the channels known, for instance "Conv1d" or "--pool channels-last"."""
    directions: int = 0
    """Of a recurrent layer's last state, (layers · directions, n, d); 0 for any other value."""
    shape: tuple[int, ...] = ()
    """Of the value for a few rows."""
    fate: Fate | None = None
    """What becomes of its positions, of which the mean is taken unasked; None where it is not, or nothing follows."""
    beyond: str = ""
    """What the model takes of its positions beyond their mean, or may take; "" where it takes the mean alone."""

    def note(self, name: str, pool: Pool) -> str:
        """Say in one line what was taken for what at a layer of this name; "" where nothing was pooled."""
        if self.directions:
            taken = "all layers joined" if pool == "flatten" else "the last layer"
            return f"{name}: the last state of a recurrent layer, {taken}"
        if pool == "flatten" or self.channels is None or not has_positions(self.shape, self.rows):
            return ""
        behind = [axis for axis in range(len(self.shape)) if axis != self.rows]
        place = "first" if self.channels == behind[0] else "last"
        rows = ", time before rows" if self.rows else ""
        count = math.prod(self.shape[axis] for axis in behind if axis != self.channels)
        how = f"the {pool} of {count} positions" if pool in ENDS else f"mean over {count} positions"
        return f"{name}: channels {place}{rows}, by {self.source}; {how}{self.beyond}"

    def stirred(self, value: Tensor) -> Tensor:
        """Return a value with noise as large as it: positions that are all alike could be moved unseen."""
        noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(0)).to(value)
        spread = value.float().std().nan_to_num()
        return value + noise * (spread if spread > 0 else 1.0)

    def levelled(self, value: Tensor, filled: Tensor | None) -> Tensor:
        """Return a value with the mean of its positions at each of them, but for those of padding, (n, t)."""
        moved, flat = self._flat(value)
        free = torch.ones_like(flat[:, :1], dtype=torch.bool)
        if filled is not None and filled.shape[1] == flat.shape[2]:
            free = ~filled.to(flat.device)[:, None]
        mean = torch.where(free, flat, 0).sum(dim=2, keepdim=True) / free.sum(dim=2, keepdim=True).clamp_min(1)
        return self._like(moved, torch.where(free, mean, flat))

    def moved(self, value: Tensor, filled: Tensor | None) -> Tensor:
        """Return a value with its positions in another order, but for those of padding, (n, t)."""
        moved, flat = self._flat(value)
        free = torch.arange(flat.shape[2])
        if filled is not None and filled.shape[1] == flat.shape[2]:
            free = free[~filled.cpu().any(dim=0)]
        order = torch.arange(flat.shape[2])
        round_trip = free[torch.randperm(len(free), generator=torch.Generator().manual_seed(1))]
        order[round_trip] = round_trip.roll(1)  # none stays where it is
        return self._like(moved, flat[:, :, order.to(value.device)])

    def _flat(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return a value as (n, c, …), and as (n, c, positions)."""
        assert self.channels is not None
        moved = value.movedim((self.rows, self.channels), (0, 1))
        return moved, moved.flatten(2)

    def _like(self, moved: Tensor, flat: Tensor) -> Tensor:
        """Return (n, c, positions) in the axes that the value had."""
        assert self.channels is not None
        return flat.reshape(moved.shape).movedim((0, 1), (self.rows, self.channels))


@dataclass(frozen=True)
class Pooling:
    """How the values at layers become one vector a row."""

    pool: Pool = "mean"
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """By layer; a value of two axes needs none."""
    padding: int | None = None
    """The token that fills a text up; None where there is none."""
    tokens: Tokens = "unseen"
    """Where the model's tokens are, as an embedding of its makes known."""
    text: str = ""
    """The part of the model's input that an embedding takes; "" for an input that is one tensor."""
    masked: bool = False
    """Whether an attention mask among the model's inputs says which tokens are padding."""

    def filled(self, given: Mapping[str, object]) -> Tensor | None:
        """Return which tokens are padding, (n, t); None if the model was given none of tokens with padding.

        Args:
            given: What the model was given, by the names of its arguments or by place.
        """
        mask = given.get(MASK)
        if self.masked and isinstance(mask, Tensor):
            odd = mask[(mask != 0) & (mask != 1)]
            if len(odd) and self.notes:
                raise BottleneckError(
                    f"{MASK} is to be 1 for text and 0 for padding, and holds {odd[0].item():g}, so that padding "
                    "cannot be told from text. Let the model take such a mask, or name a layer behind its own pooling."
                )
            return mask == 0
        x = given.get(self.text) if self.text in given else next(iter(given.values()), None)
        if self.padding is None or not isinstance(x, Tensor) or not (self.tokens == "all" or is_tokens(x)):
            return None
        return x == self.padding

    def text_in(self, x: ModelInput) -> Tensor | None:
        """Return the part of inputs like x that is of tokens, (n, t), by its type or by what the model makes of it."""
        found = parts(x)
        if self.tokens == "all":
            return found[self.text]
        return next((one for one in found.values() if is_tokens(one)), None)

    def require_told(self, padding: Padding) -> None:
        """Raise a DataError where padding may be among the tokens, and neither the user says nor anybody could see."""
        if padding is None and not self.masked and self.tokens == "a part" and self.pool not in ENDS and self.notes:
            raise DataError(
                "The model's tokens are only a part of its input, so that padding cannot be told from text and would "
                "be averaged into every row. Say --padding none if there is none, pool by flatten, or name a layer "
                "behind the model's own pooling."
            )

    def told(self, padding: Padding, x: ModelInput) -> "Pooling":
        """Return the same with the padding that a user names for inputs like x; a DataError if they are no tokens."""
        if padding is None:
            return self
        if self.text_in(x) is None and not (padding == "none" and self.tokens == "a part"):
            kinds = ", ".join(str(one.dtype) for one in parts(x).values())
            raise DataError(
                f"--padding {padding} is given, and the inputs are not of tokens, (n, t): they are {kinds} of shape "
                f"{sizes(each(lambda one: one[0], x))}. Leave it out."
            )
        return replace(self, padding=None if padding == "none" else padding, masked=False)

    @property
    def notes(self) -> list[str]:
        """What was taken for what, for the reader of the evidence."""
        found = [told for name, layout in self.layouts.items() if (told := layout.note(name, self.pool))]
        if found and self.masked:
            return [*found, f"tokens that {MASK} leaves out stay out of means"]
        padded = found and self.padding is not None
        return [*found, f"token {self.padding} is padding, and stays out of means"] if padded else found


def is_tokens(x: object) -> TypeGuard[Tensor]:
    """Return whether a model's input is numbers of tokens, (n, t)."""
    return isinstance(x, Tensor) and x.ndim == 2 and not x.is_floating_point() and x.dtype != torch.bool


def pooled(name: str, value: Tensor, pool: Pool, layout: Layout, *, filled: Tensor | None = None) -> Tensor:
    """Return a value of two axes or more as one vector a row, (n, d).

    Args:
        name: Of the layer, for the error.
        value: What the layer gave, floats.
        filled: Which tokens of the model's input are padding, (n, t), if any are.

    Raises:
        BottleneckError: It is not known which axis holds the channels, or where in the value the padding is.
    """
    if layout.directions:
        own = value if pool == "flatten" else value[-layout.directions :]  # of the last layer
        return own.movedim(1, 0).flatten(1)  # (n, directions · d)
    if value.ndim == 2 or pool == "flatten":
        return value.movedim(layout.rows, 0).flatten(1)
    if not has_positions(tuple(value.shape), layout.rows):
        return value.movedim(layout.rows, 0).flatten(1)  # one axis alone is longer than 1: nothing to pool
    rows, channels = NAMED.get(pool, (layout.rows, layout.channels))
    if channels is None:
        raise unknown_axes(name, value.shape)
    if pool in ENDS and value.ndim > 3:
        raise BottleneckError(
            f"Layer {name!r} gives maps of shape {list(value.shape[1:])}, which have no {pool} token. Pool them by "
            "mean or flatten."
        )
    moved = value.movedim((rows, channels), (0, 1)).flatten(2)  # (n, c, positions)
    if filled is None or not bool(filled.any()):
        return moved[:, :, 0 if pool == "first" else -1] if pool in ENDS else moved.mean(dim=2)
    return _unfilled(name, moved, pool, filled)


def has_positions(shape: Sequence[int], rows: int) -> bool:
    """Return whether a value of this shape has more than one axis longer than 1 beside that of the rows."""
    return sum(length > 1 for axis, length in enumerate(shape) if axis != rows % len(shape)) > 1


def unknown_axes(name: str, shape: Sequence[int], known: Mapping[int, Sequence[str]] | None = None) -> BottleneckError:
    """Return the error of a value whose channels nobody knows, or of which the model says more than one thing."""
    told = " and ".join(f"axis {axis} (by {sources[0]})" for axis, sources in (known or {}).items())
    fact = f"the model has channels on {told}" if told else "nothing in the model says which axis holds its channels"
    return BottleneckError(f"Layer {name!r} gives a value of shape {list(shape)}, and {fact}. {WAYS}.")


def hidden(name: str, layout: Layout) -> BottleneckError:
    """Return the error of a mean that hides what a model takes at one place, or by a weight of each place."""
    taken = layout.fate.taken if layout.fate else None
    assert taken is not None
    behind = f", name what follows ({taken.behind})" if taken.behind else ""
    end = f"--pool {taken.pool} or " if taken.pool in ENDS and len(layout.shape) == 3 else ""
    return BottleneckError(
        f"Layer {name!r} gives a value of shape {list(layout.shape)}, and the model {taken.what}, so that a mean "
        f"over positions {'may' if taken == UNTRIED else 'would'} hide what it hands on. Say {end}--pool flatten"
        f"{behind}, or name the axes of a mean with --pool channels-first (n, c, …) or channels-last (n, …, c)."
    )


def _unfilled(name: str, moved: Tensor, pool: Pool, filled: Tensor) -> Tensor:
    """Pool (n, c, t) over the tokens that are not padding, (n, t)."""
    if pool in ENDS and not bool(filled[:, 0 if pool == "first" else -1].any()):
        return moved[:, :, 0 if pool == "first" else -1]
    if moved.shape[2] != filled.shape[1]:
        raise BottleneckError(
            f"Layer {name!r} gives {moved.shape[2]} positions for {filled.shape[1]} tokens, some of which are padding, "
            "so the padding cannot be told from the text there. Name another layer, or pool by flatten."
        )
    kept = (~filled).to(moved.device)
    empty = int((~kept.any(dim=1)).sum())
    if empty:
        raise BottleneckError(
            f"{empty} of {len(kept)} inputs in a batch are nothing but padding, which has no mean. Leave such rows "
            "out, or pool by flatten."
        )
    if pool in ENDS:
        at = kept.int().argmax(dim=1) if pool == "first" else kept.shape[1] - 1 - kept.flip(1).int().argmax(dim=1)
        return moved[torch.arange(len(moved), device=moved.device), :, at]
    weight = kept.to(moved.dtype)[:, None]  # (n, 1, t)
    return torch.where(kept[:, None], moved, torch.zeros_like(moved)).sum(dim=2) / weight.sum(dim=2)
