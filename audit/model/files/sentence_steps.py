"""The steps of sentence-transformers behind a transformer: how tokens are pooled, and which layers follow.

Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019; the layout is that of their package, `modules.json`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.errors import CheckpointError, in_one_line
from audit.file_limits import read_bounded

MODULES, CONFIG, PROMPTS = "modules.json", "config.json", "config_sentence_transformers.json"
TRANSFORMER = "sentence_bert_config.json"
MOST_BYTES = 2**22
"""Of a JSON file."""
FEATURES, TOKENS = "feature-extraction", "last_hidden_state"
POOLINGS = ("mean", "cls", "max")
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid")
"""Of torch.nn, behind a dense step."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
MOST_DENSE, WIDEST = 8, 2**16
OWN = "Build the model in a file of yours: --arch file.py:factory."


@dataclass(frozen=True)
class Dense:
    """A linear layer and what follows it."""

    inputs: int
    outputs: int
    bias: bool
    activation: str
    """A class of torch.nn."""
    weights: Path


@dataclass(frozen=True)
class Steps:
    """What makes one vector a text, (n, d), of the transformer's tokens, (n, t, d)."""

    pooling: str
    dense: tuple[Dense, ...]
    normalized: bool
    """Whether vectors have length 1."""


def read_steps(folder: Path) -> Steps | None:
    """Return the steps of a folder, None if it is no model of sentence-transformers.

    Raises:
        CheckpointError: A step that is not known, in another order, or a file of one that cannot be read.
    """
    path = folder / MODULES
    if not path.is_file():
        return None
    found = read_json(path)
    pooling, dense, normalized = "", list[Dense](), False
    for step in found if isinstance(found, list) else []:
        kind = str(step.get("type", "")).rpartition(".")[2] if isinstance(step, dict) else ""
        if kind not in ("Transformer", "Pooling", "Dense", "Normalize"):
            raise CheckpointError(
                f"{path} has a step {kind[:60]!r}; Transformer, Pooling, Dense and Normalize are known. {OWN}"
            )
        if (kind == "Dense" and (normalized or not pooling)) or (kind == "Pooling" and pooling):
            raise CheckpointError(f"{path} has its steps in an order that is not known. {OWN}")
        if kind == "Transformer":
            _inside(folder, step)
            _require_tokens(folder / TRANSFORMER)  # where the weights are read from
        elif kind == "Pooling":
            pooling = _pooling(_inside(folder, step) / CONFIG)
            _require_whole(_inside(folder, step) / CONFIG, folder / PROMPTS)
        elif kind == "Dense":
            dense.append(_dense(_inside(folder, step)))
        normalized = normalized or kind == "Normalize"
    if not pooling:
        raise CheckpointError(f"{path} names no pooling of tokens. Give the folder of the transformer alone.")
    if len(dense) > MOST_DENSE:
        raise CheckpointError(f"{path} has {len(dense)} dense steps; {MOST_DENSE} are the most that are built.")
    return Steps(pooling, tuple(dense), normalized)


def _inside(folder: Path, step: dict[str, Any]) -> Path:
    place = folder / str(step.get("path", ""))
    if "\0" in str(place) or not place.resolve().is_relative_to(folder.resolve()):
        raise CheckpointError(f"{folder / MODULES} names a path outside of its folder. Copy the model again.")
    return place


def _require_tokens(path: Path) -> None:
    """Refuse a transformer of which something else than its last tokens goes on, or texts are made ready otherwise."""
    config = _object(path) if path.is_file() else {}
    modalities = config.get("modality_config")
    text = modalities.get("text", {}) if isinstance(modalities, dict) else {}
    said = {
        "transformer_task": config.get("transformer_task", FEATURES),
        "method_output_name": text.get("method_output_name", TOKENS) if isinstance(text, dict) else text,
        "processing_kwargs": config.get("processing_kwargs") or None,
    }
    usual = {"transformer_task": FEATURES, "method_output_name": TOKENS, "processing_kwargs": None}
    if other := next((key for key in said if said[key] != usual[key]), None):
        raise CheckpointError(f"{path} says {other} = {str(said[other])[:60]!r}, which is not known. {OWN}")


def _require_whole(path: Path, prompts: Path) -> None:
    """Refuse a pooling that leaves out what stands before each text, where something does."""
    said = _object(prompts) if prompts.is_file() else {}
    if _object(path).get("include_prompt") is False and said.get("default_prompt_name"):
        raise CheckpointError(
            f"{path} leaves the prompt out of the mean (include_prompt), which {prompts.name} puts before each text. "
            f"{OWN}"
        )


def _pooling(path: Path) -> str:
    config = _object(path)
    old = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    named = [name for name in POOLINGS if config.get(f"pooling_mode_{old[name]}")]
    others = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    mode = config.get("pooling_mode", named[0] if len(named) == len(others) == 1 else None)
    if mode not in POOLINGS:
        told = mode or ", ".join(others) or "nothing"
        raise CheckpointError(f"{path} pools tokens by {str(told)[:100]}; {', '.join(POOLINGS)} are known. {OWN}")
    return str(mode)


def _dense(folder: Path) -> Dense:
    config = _object(folder / CONFIG)
    sizes = [config.get(name) for name in ("in_features", "out_features")]
    if not all(isinstance(size, int) and 0 < size <= WIDEST for size in sizes):
        raise CheckpointError(f"{folder / CONFIG} names no sizes of a dense step, 1 to {WIDEST:,}. Copy it again.")
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise CheckpointError(
            f"{folder / CONFIG} has the activation {activation[:60]!r}; {', '.join(ACTIVATIONS)} are known. {OWN}"
        )
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise CheckpointError(f"{folder} holds no weights of a dense step: {' or '.join(WEIGHTS)}. Copy it again.")
    return Dense(int(sizes[0] or 0), int(sizes[1] or 0), config.get("bias") is not False, activation, weights)


def _object(path: Path) -> dict[str, Any]:
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def read_json(path: Path) -> Any:
    """Read a JSON file of a model's folder; raise a CheckpointError if it cannot be read."""
    try:
        return json.loads(read_bounded(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {in_one_line(error)}. Copy the model's folder again.") from None
