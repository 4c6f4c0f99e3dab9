"""Models in the form of Hugging Face: a folder with config.json, or a name on the hub, built untrained.

Nothing of a folder is run: the class is one of transformers, by its name, its weights are read as those of
any checkpoint, and code that comes with a model is refused. Of a folder of sentence-transformers the pooling of tokens
is read too, so that the model returns the vector that is released. Source of the pooling: Reimers and Gurevych,
Sentence-BERT, EMNLP 2019.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import CheckpointError, in_one_line
from audit.file_limits import read_bounded, require_plausible

PREFIX = "hf:"
CONFIG = "config.json"
MODULES = "modules.json"
MOST_BYTES = 2**22
"""Of a JSON file."""
LARGEST, MOST_LAYERS = 10**7, 1000
"""Of the numbers in a configuration, and of its layers: the model is built before its weights are read."""
POOLINGS = ("mean", "cls", "max")
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


class SentenceEncoder(nn.Module):
    """A transformer whose tokens become one vector a text, (n, d), as sentence-transformers makes them."""

    def __init__(self, transformer: nn.Module, pooling: str, *, normalized: bool) -> None:
        super().__init__()
        self.transformer, self.pooling, self.normalized = transformer, pooling, normalized
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
        return functional.normalize(z, dim=1) if self.normalized else z


def is_folder(path: Path) -> bool:
    """Return whether a folder holds a model in the form of Hugging Face."""
    return path.is_dir() and (path / CONFIG).is_file()


def build_untrained(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build a model, without its weights, from a local folder or a name on the hub, of which the configuration is read.

    Args:
        arguments: Of the configuration, for instance num_labels.

    Raises:
        CheckpointError: transformers is not installed, it knows no such model, the model brings code of its own, or is
            larger than the files beside it.
    """
    try:
        import transformers  # noqa: PLC0415 - an extra, which takes seconds to import
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{PREFIX}{name} needs transformers, which is not installed. Install it: pip install 'irene-audit[text]'."
        ) from None
    folder = Path(name)
    if is_folder(folder):
        _require_sane(folder / CONFIG, _json(folder / CONFIG))
    steps = _steps(folder / MODULES) if (folder / MODULES).is_file() else None
    try:
        config = transformers.AutoConfig.from_pretrained(
            name, trust_remote_code=False, local_files_only=folder.is_dir(), attn_implementation="eager", **arguments
        )
        make: Callable[[object], nn.Module] = (
            transformers.AutoModel.from_config if steps else _class_of(transformers.PreTrainedModel, config)
        )
        with torch.device("meta"):
            _require_held(folder, make(config))
        made = make(config)
    except Exception as error:  # whatever a stranger's configuration raises on the way
        raise CheckpointError(
            f"{PREFIX}{name} cannot be built: {in_one_line(error)[:300]}. Give a folder with a {CONFIG} of a model "
            "that transformers knows without code of the model's own."
        ) from None
    return SentenceEncoder(made, steps[0], normalized=steps[1]) if steps else made


def _class_of(base: type[nn.Module], config: object) -> type[nn.Module]:
    """Return the class of transformers that a configuration names."""
    names = getattr(config, "architectures", None) or []
    if not names:
        raise ValueError(f"its {CONFIG} names no class under 'architectures'")
    found = getattr(sys.modules["transformers"], str(names[0]), None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"transformers has no model {str(names[0])[:100]!r}")
    return found


def _steps(path: Path) -> tuple[str, bool]:
    """Return how sentence-transformers pools the tokens, and whether it makes vectors of length 1."""
    pooling, normalized = "", False
    found = _json(path)
    for step in found if isinstance(found, list) else []:
        kind = str(step.get("type", "")).rpartition(".")[2] if isinstance(step, dict) else ""
        if kind == "Pooling":
            pooling = _pooling(path.parent / str(step.get("path", "")) / CONFIG, path.parent)
        elif kind == "Normalize":
            normalized = True
        elif kind != "Transformer":
            raise CheckpointError(
                f"{path} has a step {kind[:60]!r}; Transformer, Pooling and Normalize are known. Build the model in a "
                "file of yours: --arch file.py:factory."
            )
    if not pooling:
        raise CheckpointError(f"{path} names no pooling of tokens. Give the folder of the transformer alone.")
    return pooling, normalized


def _pooling(path: Path, folder: Path) -> str:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CheckpointError(f"{folder / MODULES} names a path outside of its folder. Copy the model again.")
    config = _json(path)
    if not isinstance(config, dict):
        config = {}
    old = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    named = [name for name in POOLINGS if config.get(f"pooling_mode_{old[name]}")]
    others = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    mode = config.get("pooling_mode", named[0] if len(named) == len(others) == 1 else None)
    if mode not in POOLINGS:
        told = mode or ", ".join(others) or "nothing"
        raise CheckpointError(
            f"{path} pools tokens by {str(told)[:100]}; {', '.join(POOLINGS)} are known. Build the model in a file of "
            "yours: --arch file.py:factory."
        )
    return str(mode)


def _json(path: Path) -> Any:
    """Read a JSON file of a model's folder; raise a CheckpointError if it cannot be read."""
    try:
        return json.loads(read_bounded(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {in_one_line(error)}. Copy the model's folder again.") from None


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
    own = prefix + "transformer."
    if any(key.startswith(own) for key in state):
        return
    for key in [key for key in state if key.startswith(prefix)]:
        state[own + key.removeprefix(prefix)] = state.pop(key)
