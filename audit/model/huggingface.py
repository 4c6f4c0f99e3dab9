"""Models in the form of Hugging Face: a folder with config.json, or a name on the hub, built untrained.

Nothing of a folder is run: the class is one of transformers, by its name, its weights are read as those of
any checkpoint, and code that comes with a model is refused. Of a folder of sentence-transformers the steps behind the
transformer are read too, so that the model returns the vector that is released.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import CheckpointError, in_one_line
from audit.file_limits import require_plausible
from audit.model.files.sentence_steps import CONFIG, OWN, Dense, Steps, read_json, read_steps

PREFIX = "hf:"
LARGEST, MOST_LAYERS = 10**7, 1000
"""Of the numbers in a configuration, and of its layers: the model is built before its weights are read."""
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


class SentenceEncoder(nn.Module):
    """A transformer whose tokens become one vector a text, (n, d), as sentence-transformers makes them."""

    def __init__(self, transformer: nn.Module, steps: Steps) -> None:
        super().__init__()
        self.transformer, self.pooling, self.normalized = transformer, steps.pooling, steps.normalized
        self.dense = nn.Sequential(*map(DenseStep, steps.dense))
        self.register_load_state_dict_pre_hook(_as_of_the_transformer)  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        """Return the vectors of texts, (n, d), of tokens (n, t) and of a mask (n, t) that is 0 at padding."""
        made = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **others)
        tokens: Tensor = made.last_hidden_state
        kept = attention_mask[:, :, None].to(tokens.dtype)
        if self.pooling == "cls":
            z = tokens[:, 0]
        elif self.pooling == "max":
            z = tokens.masked_fill(kept == 0, -torch.inf).amax(dim=1)
        else:
            z = (tokens * kept).sum(dim=1) / kept.sum(dim=1).clamp_min(1e-9)
        z = self.dense(z)
        return functional.normalize(z, dim=1) if self.normalized else z


class DenseStep(nn.Module):
    """A linear layer of sentence-transformers, and what follows it."""

    def __init__(self, step: Dense) -> None:
        super().__init__()
        self.linear = nn.Linear(step.inputs, step.outputs, bias=step.bias)
        self.activation = getattr(nn, step.activation)()

    def forward(self, z: Tensor) -> Tensor:
        """Return vectors, (n, outputs), of vectors, (n, inputs)."""
        told: Tensor = self.activation(self.linear(z))
        return told


def is_folder(path: Path) -> bool:
    """Return whether a folder holds a model in the form of Hugging Face."""
    return path.is_dir() and (path / CONFIG).is_file()


def build_untrained(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build a model, without its weights, from a local folder or a name on the hub, of which the configuration is read.

    Args:
        arguments: Of the configuration, for instance num_labels.

    Raises:
        CheckpointError: transformers is not installed, it knows no such model, the model brings code of its own, is
            larger than the files beside it, or a folder does not hold all of it.
    """
    try:
        import transformers  # noqa: PLC0415 - an extra, which takes seconds to import
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{PREFIX}{name} needs transformers, which is not installed. Install it: pip install 'irene-audit[text]'."
        ) from None
    folder = Path(name)
    if is_folder(folder):
        _require_sane(folder / CONFIG, read_json(folder / CONFIG))
    steps = read_steps(folder)
    try:
        with _offline() if folder.is_dir() else nullcontext():
            config = transformers.AutoConfig.from_pretrained(
                name, trust_remote_code=False, local_files_only=folder.is_dir(), **arguments
            )
            config._attn_implementation = "eager"  # a configuration may name one on the hub, whose code would run
            make: Callable[[object], nn.Module] = (
                transformers.AutoModel.from_config if steps else _class_of(transformers.PreTrainedModel, config)
            )
            with torch.device("meta"):
                _require_held(folder, make(config))
            made = make(config)
    except Exception as error:  # whatever a stranger's configuration raises on the way
        if isinstance(error, _not_fetched()):
            raise CheckpointError(
                f"{folder / CONFIG} names a part of the model that does not lie in its folder, for which nothing is "
                f"fetched. {OWN}"
            ) from None
        raise CheckpointError(
            f"{PREFIX}{name} cannot be built: {in_one_line(error)[:300]}. Give a folder with a {CONFIG} of a model "
            "that transformers knows without code of the model's own."
        ) from None
    return SentenceEncoder(made, steps) if steps else made


@contextmanager
def _offline() -> Iterator[None]:
    """Fetch nothing for a while: the configuration in a folder may name a backbone anywhere on the hub."""
    hub: Any = importlib.import_module("huggingface_hub.constants")  # comes with transformers
    before, hub.HF_HUB_OFFLINE = hub.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _not_fetched() -> tuple[type[Exception], ...]:
    """Return the errors of what the hub holds and nobody fetches."""
    errors = importlib.import_module("huggingface_hub.errors")
    return errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError


def _class_of(base: type[nn.Module], config: object) -> type[nn.Module]:
    """Return the class of transformers that a configuration names."""
    names = getattr(config, "architectures", None) or []
    if not names:
        raise ValueError(f"its {CONFIG} names no class under 'architectures'")
    found = getattr(sys.modules["transformers"], str(names[0]), None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"transformers has no model {str(names[0])[:100]!r}")
    return found


def _require_sane(path: Path, config: Any) -> None:
    """Refuse a configuration that would be built for ever."""
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds no configuration. Copy the model's folder again.")
    for key, value in config.items():
        if isinstance(value, dict):
            _require_sane(path, value)
        most = MOST_LAYERS if "layers" in key or "depth" in key else LARGEST
        if isinstance(value, int) and not isinstance(value, bool) and value > most:
            raise CheckpointError(f"{path} says {key} = {value:,}; {most:,} is the most that is built. Check the file.")


def _require_held(folder: Path, planned: nn.Module) -> None:
    """Refuse a model that memory has no room for, or that is far larger than the files that hold its weights."""
    held = sum(one.stat().st_size for one in folder.glob("*") if one.suffix in WEIGHTS) if folder.is_dir() else 0
    needed = sum(value.numel() * value.element_size() for value in planned.state_dict().values())
    require_plausible(needed, held or needed)


def _as_of_the_transformer(_module: nn.Module, state: dict[str, Tensor], prefix: str, *_others: object) -> None:
    """Take weights that were saved of the transformer alone."""
    own, behind = prefix + "transformer.", prefix + "dense."
    if any(key.startswith(own) for key in state):
        return
    for key in [key for key in state if key.startswith(prefix) and not key.startswith(behind)]:
        state[own + key.removeprefix(prefix)] = state.pop(key)
