"""A LoRA adapter, as peft saves one, added to the weights of the model that it was trained on.

W + alpha / r · B A, or alpha / √r with rank stabilisation. Sources: Hu et al., LoRA, ICLR 2022; Kalajdzievski, A Rank
Stabilization Scaling Factor for Fine-Tuning with LoRA, arXiv:2312.03732; the names are those of peft's files.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from audit.errors import CheckpointError, in_one_line, listed
from audit.file_limits import read_json_bytes
from audit.model.files.folder import require_inside

CONFIG = "adapter_config.json"
FILES = ("adapter_model.safetensors", "adapter_model.bin")
KNOWN = (
    "auto_mapping", "base_model_name_or_path", "bias", "exclude_modules", "fan_in_fan_out", "inference_mode",
    "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core",
    "modules_to_save", "peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision",
    "target_modules", "task_type", "use_rslora",
)  # fmt: skip
"""What of a configuration is seen to, or says nothing of how weights are added; anything else has to be off."""
STARTS = (True, False, None, "gaussian", "orthogonal")
"""Ways to begin a training that left the model's own weights alone."""
HEAD = "base_model.model."
PAIR = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
WAY_OUT = (
    "Put it into the model and save that: "
    "peft.PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained('merged')."
)


def adapter_file(path: Path) -> Path | None:
    """Return the weights of an adapter, whose folder or file is given; None for anything else."""
    if path.is_dir() and (path / CONFIG).is_file():
        return next((path / name for name in FILES if (path / name).is_file()), None)
    return path if path.name in FILES and path.with_name(CONFIG).is_file() else None


def read_config(path: Path) -> dict[str, object]:
    """Read what peft says of an adapter's weights; raise a CheckpointError unless these are added as LoRA's are."""
    config = path.with_name(CONFIG)
    for one in (path, config):
        require_inside(path.parent, one)
    try:
        found = json.loads(read_json_bytes(config))
        if not isinstance(found, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{config} cannot be read: {in_one_line(error)}. Copy the adapter's folder again."
        ) from None
    other = [str(key) for key, value in found.items() if value and key not in KNOWN]
    if found.get("peft_type") != "LORA":
        other = [f"peft_type {str(found.get('peft_type'))[:40]!r}"]
    elif found.get("init_lora_weights", True) not in STARTS:
        other = [f"init_lora_weights {str(found['init_lora_weights'])[:40]!r}"]
    if other:
        raise CheckpointError(f"{config} says {listed(other, 3)}, which is not plain LoRA. {WAY_OUT}")
    if not isinstance(found.get("lora_alpha"), int | float):
        raise CheckpointError(f"{config} says no lora_alpha. Copy the adapter's folder again.")
    return found


def merged(
    path: Path, config: Mapping[str, object], base: Mapping[str, object], adapter: Mapping[str, object]
) -> dict[str, Tensor]:
    """Return the weights of a model with an adapter in them, in the model's own types.

    Args:
        path: Of the adapter, for errors.
        base: Tensors of the model's file by name.
        adapter: Tensors of the adapter's file by name: two a layer, and whole ones that stand for the model's.

    Raises CheckpointError for anything that is neither, and for a layer that the model does not have.
    """
    state = {name: value for name, value in base.items() if isinstance(value, Tensor)}
    pairs: dict[str, dict[str, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    for key, value in adapter.items():
        name = key.removeprefix(HEAD)
        if not isinstance(value, Tensor) or name == key or ("lora_" in name and not PAIR.fullmatch(name)):
            raise CheckpointError(f"{path} holds {key[:100]!r}, which is not plain LoRA. {WAY_OUT}")
        if pair := PAIR.fullmatch(name):
            pairs.setdefault(f"{pair['layer']}.weight", {})[pair["side"]] = value
        else:
            name = name.replace(".modules_to_save.default.", ".").replace(".modules_to_save.", ".")
            whole[re.sub(r"\.base_layer\.bias$", ".bias", name)] = value
    start = _start(state, pairs)
    state = {start + name: value for name, value in state.items()}
    if strange := [name for name in pairs if name not in state]:
        raise CheckpointError(
            f"{path} changes {listed(strange, 3)}, which the model's file does not hold. Give the folder of the model "
            "that it was trained on: --arch hf:FOLDER."
        )
    for name, two in pairs.items():
        state[name] = _changed(path, name, state[name], two, config)
    return state | whole


def _start(state: Mapping[str, Tensor], names: Mapping[str, object]) -> str:
    """Return what an adapter's names have before those in the model's file, as where that was saved without a head."""
    if all(name in state for name in names):
        return ""
    first = next(iter(names), "")
    starts = [first[:place] for place in range(1, len(first)) if first[place - 1] == "."]
    return next((start for start in starts if first[len(start) :] in state), "")


def _changed(path: Path, name: str, weight: Tensor, pair: Mapping[str, Tensor], config: Mapping[str, object]) -> Tensor:
    down, up = pair.get("A"), pair.get("B")
    if down is None or up is None or not down.ndim == up.ndim == weight.ndim == 2 or up.shape[1] != down.shape[0]:
        raise CheckpointError(f"{path} holds no two matrices that fit for {name!r}. {WAY_OUT}")
    rank = max(1, down.shape[0])
    scale = float(str(config["lora_alpha"])) / (rank**0.5 if config.get("use_rslora") else rank)
    shape = up.shape[0], down.shape[1]
    turned = bool(config.get("fan_in_fan_out"))
    if not weight.is_floating_point() or tuple(weight.shape) != (shape[::-1] if turned else shape):
        raise CheckpointError(
            f"{path} is for a {name!r} of {list(shape)}, and the model's is of {list(weight.shape)}. Give the folder "
            "of the model that it was trained on: --arch hf:FOLDER."
        )
    change = scale * (up.float() @ down.float())
    whole: Tensor = weight.to(torch.promote_types(weight.dtype, torch.float32)) + (change.T if turned else change)
    return whole.to(weight.dtype)
