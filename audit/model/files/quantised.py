"""Weights that are packed into fewer bits, or are only a part of a model: told by their names for what they are."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from audit.data.model_input import odd
from audit.errors import CheckpointError, listed
from audit.model.files.contents import Entry

UNPACKED = "unpack them with transformers: model.dequantize().save_pretrained('floats')"
SAVED = "torch.save({{name: one{} for name, one in state.items()}}, 'model.pt')"
PACKED: Mapping[str, tuple[re.Pattern[str], str]] = {
    "weights that bitsandbytes packed into 4 or 8 bits": (
        re.compile(r"(^|\.)SCB$|\.weight\.(absmax|quant_map|nested_absmax|quant_state\.bitsandbytes__\w+)$"), UNPACKED,
    ),
    "weights that GPTQ or AWQ packed into a few bits": (
        re.compile(r"(^|\.)(qweight|qzeros|g_idx)$"), "take the model that it was made from, in floats",
    ),
    "weights that torch quantised": (
        re.compile(r"(^|\.)_packed_params(\.|$)"),
        "take the model before it was quantised, or hand over a program: torch.jit.save(torch.jit.trace(model, x), "
        "'model.pt')",
    ),
    "a LoRA adapter, not a model": (
        re.compile(r"\.lora_(A|B|embedding_A|embedding_B)(\.|$)"),
        "put it into its model and save that: peft.PeftModel.from_pretrained(base, folder).merge_and_unload()",
    ),
}  # fmt: skip
"""What such weights are, by names of tensors that stand among them, and the way out."""
WAYS = {
    "sparse": f"Save them dense: {SAVED.format('.to_dense()')}",
    "nested": "Save each of their tensors by a name of its own",
    "on no device": "They have no numbers: save the model after its weights were loaded",
}
"""The way out for tensors that are no plain floats, by the word for them."""
WHOLE = (torch.int8, torch.uint8)


def require_floats(path: Path, found: Mapping[str, Entry]) -> None:
    """Raise a CheckpointError for weights that are packed, quantised, or an adapter without its model."""
    for what, (names, remedy) in PACKED.items():
        if marks := [key for key in found if names.search(key)]:
            raise CheckpointError(f"{path} holds {what} (by {listed(marks, 2)}). To audit it, {remedy}.")
    weights = [key for key, one in found.items() if key.endswith("weight") and one.tensor.ndim > 1]
    packed = [key for key in weights if found[key].tensor.is_quantized or found[key].tensor.dtype in WHOLE]
    if packed:
        first = found[packed[0]].tensor
        way = f", or save floats: {SAVED.format('.dequantize()')}" if first.is_quantized else ""
        raise CheckpointError(
            f"{path} holds quantised weights ({listed(packed, 2)}: {first.dtype}). Take the model before it was "
            f"quantised{way}."
        )


def require_plain(path: Path, found: Mapping[str, Entry]) -> None:
    """Raise a CheckpointError for weights that are no numbers side by side: sparse, of 8 bits, or on no device."""
    for key, one in found.items():
        kind = odd(one.tensor)
        if kind is not None and not one.tensor.is_complex() and not one.tensor.is_quantized:
            way = WAYS.get(kind, f"Save them as floats: {SAVED.format('.float()')}")
            raise CheckpointError(f"{path} holds weights that are {kind} ({listed([key])}), not plain floats. {way}.")
