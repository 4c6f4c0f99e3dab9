"""Texts in a column of a table, as the tokens that a model's tokenizer makes of them."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.errors import DataError, in_one_line
from audit.file_limits import read_bounded

MOST_TOKENS = 2**14
"""Where neither tokenizer nor model say how many they take."""
MASK = "attention_mask"
LEAST_KNOWN = 0.5
"""Share of the words of a model that its tokenizer has, and of the tokens of the texts that it knows."""
TOLD_UNKNOWN = 0.05
"""Share of tokens that are unknown from which on it is told."""
CONFIG = "config.json"
KINDS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
SENTENCES = tuple(f"sentence_{kind}_config.json" for kind in KINDS)
"""Files, of which a folder has one, in which sentence-transformers says how many tokens a text may have."""
PROMPTS, MOST_BYTES = "config_sentence_transformers.json", 2**20
"""The file in which it says what stands before each text, and the size of such files at most."""
MOST_PROMPT = 10_000
"""Letters before each text."""


class Texts:
    """Texts as mappings of tensors by the names of the model's arguments, each (t,), all filled up to one length."""

    def __init__(self, encoded: dict[str, Tensor]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        """Return n."""
        return len(next(iter(self._encoded.values())))

    def __getitem__(self, row: int, /) -> dict[str, Tensor]:
        """Return the tokens of one text, and its mask."""
        return {name: values[row] for name, values in self._encoded.items()}


def tokenized(
    texts: Sequence[object], tokenizer: str, *, column: str, most: int | None = None
) -> tuple[Texts, list[str]]:
    """Return texts as tokens, with notes for the reader of the evidence.

    Args:
        texts: One a row; what is no text is taken for the empty one, and counted in a note.
        tokenizer: A local folder with the tokenizer of a model in the form of Hugging Face, or its name on the hub.
        column: Where they come from, for messages.
        most: Tokens of a text at most; longer ones are cut. None: as many as the tokenizer says.

    Raises:
        DataError: transformers is not installed, there is no text, no tokenizer, or one that does not know the words.
    """
    made, folder = _tokenizer(tokenizer), Path(tokenizer)
    _require_vocabulary(made, tokenizer)
    words = [text if isinstance(text, str) else "" for text in texts]
    empty = sum(not text.strip() for text in words)
    if empty == len(words):
        raise DataError(f"Column {column!r} holds no text. Name the column of the texts with --text.")
    prompt, most_of_sentences = _of_sentences(made, folder)
    words = [prompt + text for text in words]
    limit = min(most or MOST_TOKENS, made.model_max_length, most_of_sentences, MOST_TOKENS)
    if made.pad_token is None:
        if made.eos_token is None:
            raise DataError(f"The tokenizer of {tokenizer} has no token for padding. Give one that has.")
        made.pad_token = made.eos_token  # the mask tells it from text
    whole = made(words, add_special_tokens=True, verbose=False)["input_ids"]
    unknown = _unknown(made, whole, tokenizer, column)
    cut = sum(len(one) > limit for one in whole)
    encoded = made(words, padding=True, truncation=True, max_length=limit, return_tensors="pt")
    names = [name for name in made.model_input_names if name in encoded]
    names += [MASK] if MASK not in names and MASK in encoded else []
    longest = encoded[names[0]].shape[1]
    notes = [f"texts of {column!r} as at most {longest} tokens of the tokenizer {folder.name!r}"]
    notes += [f"before each text stands {prompt!r}, as {PROMPTS} says"] if prompt else []
    notes += [f"tokens of {column!r} that the tokenizer does not know: {unknown:.1%}"] if unknown > TOLD_UNKNOWN else []
    notes += [f"texts cut to {limit} tokens: {cut} of {len(words)}"] if cut else []
    notes += [f"texts that are empty: {empty} of {len(words)}"] if empty else []
    return Texts({name: torch.as_tensor(encoded[name]) for name in names}), notes


def _require_vocabulary(made: Any, folder: str) -> None:
    """Refuse a tokenizer that lacks most words of its model: transformers says nothing of files that are missing."""
    size = _number(_object(Path(folder) / CONFIG).get("vocab_size"))
    if size and len(made) < LEAST_KNOWN * size:
        raise DataError(
            f"The tokenizer of {folder} has {len(made):,} tokens and its model {size:,}: files such as tokenizer.json "
            "or vocab.txt are missing. Copy them beside config.json, or name the folder that has them with --tokenizer."
        )


def _unknown(made: Any, texts: Sequence[Sequence[int]], folder: str, column: str) -> float:
    """Return the share of tokens that the tokenizer does not know; refuse texts of which it knows next to nothing."""
    special = {*made.all_special_ids} - {made.unk_token_id}
    tokens = [token for text in texts for token in text if token not in special]
    share = sum(bool(token == made.unk_token_id) for token in tokens) / max(1, len(tokens))
    if share > 1 - LEAST_KNOWN:
        raise DataError(
            f"The tokenizer of {folder} does not know {share:.0%} of the tokens of {column!r}, so the model would see "
            "next to nothing of the texts. Name the tokenizer that the model was trained with: --tokenizer FOLDER."
        )
    return share


def _of_sentences(made: Any, folder: Path) -> tuple[str, int]:
    """Return what a model of sentence-transformers puts before each text by itself, and how many tokens it takes.

    A tokenizer whose model sees small letters alone is told so.
    """
    own = next((found for name in SENTENCES if (found := _object(folder / name))), {})
    if own.get("do_lower_case") is True:
        _require_small_letters(made, folder)
    said = _object(folder / PROMPTS)
    prompts, name = said.get("prompts"), said.get("default_prompt_name")
    prompt = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    prompt = prompt if isinstance(prompt, str) else ""
    if len(prompt) > MOST_PROMPT:
        raise DataError(
            f"{folder / PROMPTS} puts {len(prompt):,} letters before each text; {MOST_PROMPT:,} are taken at most. "
            "Check the file."
        )
    return prompt, _number(own.get("max_seq_length")) or MOST_TOKENS


def _require_small_letters(made: Any, folder: Path) -> None:
    """Have a tokenizer see small letters alone, as its model of sentence-transformers does."""
    tokenizers = importlib.import_module("tokenizers")  # an extra
    if not made.is_fast:
        raise DataError(
            f"{folder} sees small letters alone (do_lower_case), and its tokenizer cannot be told. Save it as "
            "tokenizer.json, or set that to false and write the texts in small letters."
        )
    normalizers, own = tokenizers.normalizers, made.backend_tokenizer.normalizer
    steps = [normalizers.Lowercase(), *([] if own is None else [own])]
    made.backend_tokenizer.normalizer = normalizers.Sequence(steps)


def _object(path: Path) -> dict[str, Any]:
    """Return what a JSON file says by name; nothing if there is none."""
    try:
        found = json.loads(read_bounded(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(found: object) -> int | None:
    """Return a whole number above 0; None for anything else."""
    return found if isinstance(found, int) and found > 0 else None


def _tokenizer(name: str) -> Any:
    try:
        from transformers import AutoTokenizer  # noqa: PLC0415 - an extra, which takes seconds to import
    except ModuleNotFoundError:
        raise DataError(
            "Texts need transformers, which is not installed. Install it: pip install 'irene-audit[text]'."
        ) from None
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False, local_files_only=Path(name).is_dir())
    except Exception as error:  # whatever a stranger's file raises on the way
        raise DataError(
            f"There is no tokenizer in {name}: {in_one_line(error)[:300]}. Name its folder with --tokenizer."
        ) from None
