"""One forward pass of a stranger's model: on its own device, at its own batch size, its inputs left as they were."""

import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.data.loading import batches, first_readable
from audit.data.model_input import ModelInput, each, parts, rows_of, sizes, take, to
from audit.errors import BottleneckError, DataError, first_line, require_number
from audit.model.features.saved_batches import SavedBatches
from audit.model.layers import Taps
from audit.model.structure.call import call, cast, required, takes
from audit.model.structure.eval_mode import evaluating, require_evaluating
from audit.model.structure.layout import Padding, Pool, require_pooling
from audit.model.structure.outputs import picked, tensors
from audit.model.structure.scores import Scores, require_scores
from audit.parallel.ranks import Ranks

PROBES = 8
"""Rows on which it is seen what a model goes by."""
MISSING = re.compile(r"missing \d+ required")
TOKENS = "input_ids"
SOUND = "sample_rate"
"""An option of rows that are sounds."""
OF_TYPES = re.compile(r"dtype|scalar type|data type|not implemented for '")
"""In what torch says of arguments that are lacking, and of whole numbers where it wants floats."""


@dataclass(frozen=True)
class Encoder:
    """A model, and how it is run over rows."""

    model: nn.Module
    """Takes inputs (n, …), or several (audit.data.model_input); left exactly as found, on the device it is on."""
    pool: Pool = "mean"
    """How maps (c, h, w) and tokens (t, d) become one vector a row: see audit.model.structure.layout.Pool."""
    batch_size: int = 128
    fixed_batch: int | None = None
    """Rows that the model takes, if it takes no other number."""
    workers: int = 0
    """Processes that read inputs, beside this one."""
    padding: Padding = None
    """The token that fills texts up and is left out of means, or "none"; None: as an attention mask, or an embedding of
    the model, says."""
    passes: int = 1
    """Passes whose mean is taken, of a model whose answer depends on chance; such a one is refused at 1."""
    scores: Scores | None = None
    """What the output holds for a task; None: as the model makes known."""
    output: str | None = None
    """Which part of what the model returns holds them: see audit.model.structure.outputs.picked; None: all of it, or
    the one part that may be the task's scores."""
    ranks: Ranks | None = None
    """The processes that share the rows, of which the first alone goes on with them; None: this one runs all."""
    saved: SavedBatches | None = None
    """Where what the model gives is kept until the evidence is written; None: nowhere."""

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise BottleneckError(
                f"The model is a {type(self.model).__name__}. Give a torch.nn.Module, as irene.load(…).module is."
            )
        require_pooling(self.pool, self.padding)
        require_scores(self.scores, self.output)
        least = {"batch_size": 1, "passes": 1, "workers": 0} | ({} if self.fixed_batch is None else {"fixed_batch": 1})
        for name, few in least.items():
            require_number(f"Encoder: {name}", getattr(self, name), few)
            object.__setattr__(self, name, int(getattr(self, name)))


@dataclass(frozen=True)
class Pass:
    """The result of one forward pass over b inputs."""

    output: object
    """The part of the model's output that is asked for: the first b rows if it is a tensor."""
    z: dict[str, Tensor]
    """Representations by layer, (b, d)."""
    changed_inputs: bool
    """Whether the model changed its inputs in place."""


def run_model(encoder: Encoder, x: ModelInput, taps: Taps, passes: int = 1) -> Pass:
    """Run a tapped model on a copy of x, (b, …), padded to the rows that it takes if it takes no other number.

    Of several passes the representations and the output, if it is a tensor, are the means. A row alone is run twice in
    one batch: a squeeze() in a model would take its axis away.
    """
    b, least = rows_of(x), encoder.fixed_batch or 2
    padded = x if b >= least else take(x, np.minimum(np.arange(least), b - 1))
    found = [_pass(encoder, padded, taps, b) for _ in range(passes)]
    if passes == 1:
        return found[0]
    z = {name: torch.stack([one.z[name] for one in found]).mean(dim=0) for name in found[0].z}
    outputs = [one.output for one in found if isinstance(one.output, Tensor) and one.output.is_floating_point()]
    output = torch.stack(outputs).mean(dim=0) if len(outputs) == passes else found[0].output
    return Pass(output, z, any(one.changed_inputs for one in found))


def _pass(encoder: Encoder, padded: ModelInput, taps: Taps, b: int) -> Pass:
    model = encoder.model
    kept = cast(model, to(padded, device_of(model)))
    given = each(torch.clone, kept)
    output = picked(call(model, given), encoder.output)
    require_evaluating(model)
    pairs = zip(parts(given).values(), parts(kept).values(), strict=True)
    same = all(torch.equal(one.view(torch.uint8), other.view(torch.uint8)) for one, other in pairs)  # NaN is not NaN
    z = {name: rows[:b] for name, rows in taps.take().items()}
    return Pass(output[:b] if isinstance(output, Tensor) and output.ndim else output, z, not same)


def with_arguments(model: nn.Module, data: LabelledData) -> LabelledData:
    """Return rows with every single number that the model's forward() takes by its name, such as a length.

    Raises DataError if a row is a tuple with a number that the model takes by its place and answers otherwise with: it
    may be an input or a label.
    """
    names = [part for part in data.numbers if isinstance(part, str) and takes(model, part)]
    for place in data.numbers:
        argument = takes(model, place) if isinstance(place, int) else None
        if argument and _answers_otherwise(model, data, data.with_numbers([place])):
            raise DataError(
                f"Part {int(place) + 1} of each row of {data.name} is a single number: a label, or {argument!r}, which "
                "the model's forward() takes there. Name the labels, irene.labelled(rows, ('gender', None)), or give "
                f"rows that are mappings by the names of the arguments, with {argument!r} or without it."
            )
    return data.with_numbers(names)


def _answers_otherwise(model: nn.Module, data: LabelledData, other: LabelledData) -> bool:
    """Return whether a model takes other inputs, and answers them otherwise, or takes these alone."""
    found = []
    with evaluating(model), torch.inference_mode():
        for rows in (other, data):
            x = sample_rows(rows)
            try:
                made = call(model, to(x, device_of(model)))
            except Exception:  # whatever their code raises says that it does not take them
                return rows is data
            found.append([part.float() for _, part in tensors(made)])
    return len(found[0]) != len(found[1]) or any(
        one.shape != same.shape or not torch.allclose(one, same, equal_nan=True)
        for one, same in zip(*found, strict=True)
    )


def first_input(model: nn.Module, data: LabelledData, *, rows: int = 2) -> ModelInput:
    """Return the first readable input, `rows` times, (rows, …) each; raise a DataError if the model cannot take it."""
    first = each(lambda one: one.unsqueeze(0), first_readable(data))
    x = to(take(first, np.zeros(rows, dtype=np.int64)), device_of(model))
    try:
        with evaluating(model), torch.inference_mode():
            call(model, each(torch.clone, x))
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, KeyError) as error:
        raise _not_taken(model, data, x, first_line(error)) from None
    except DataError as error:
        raise _not_taken(model, data, x, str(error).removeprefix("The model failed with ")) from error.__cause__
    return x


def _not_taken(model: nn.Module, data: LabelledData, x: ModelInput, fact: str) -> DataError:
    wanted = required(model)
    if len(wanted) > len(parts(x)) and MISSING.search(fact):
        way = f"Give each row as a mapping of tensors by the names of what forward() takes: {', '.join(wanted)}."
    elif fact.startswith("SystemExit"):
        way = "Take out of forward() what ends the program."
    elif OF_TYPES.search(fact) and not all(one.is_floating_point() for one in parts(x).values()):
        way = "Give floats, as x.float() makes them."
    elif "no padding token" in fact:
        way = "Say which token fills texts up, that of the tokenizer: --arch hf:FOLDER --arch-arg pad_token_id=NUMBER."
    elif TOKENS in parts(x):
        way = (
            "Where there are more tokens than it has places for, or other ones than it has words for, name the "
            "tokenizer that it was trained with, and in its tokenizer_config.json how many it takes (model_max_length)."
        )
    elif SOUND in data.options:
        way = (
            "A sound is its samples, (t,). What the model takes in their place, such as (1, t) or a spectrogram, a "
            "factory makes: --transform file.py:factory."
        )
    elif all(one.ndim == 2 for one in parts(x).values()):
        way = (
            "Give the features that it was trained on. In a table, a column of text or of few whole numbers becomes "
            "one number a class; name those that are one number with --continuous."
        )
    else:
        way = "Give the data and the image size that it was trained on."
    shape = sizes(each(lambda one: one[0], x))
    return DataError(f"The model cannot take the inputs of {data.name}, of shape {shape} ({fact.rstrip('.')}). {way}")


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def sample_rows(data: LabelledData, rows: int = PROBES) -> ModelInput:
    """Return so many readable inputs or fewer from all over the data, (b, …) each."""
    places = np.unique(np.linspace(0, len(data) - 1, rows).astype(np.int64))
    read, x = next(iter(batches(data.take(places).inputs, batch_size=len(places), workers=0)))
    return x if read else each(lambda one: one.unsqueeze(0), first_readable(data))
