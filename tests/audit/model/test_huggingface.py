"""A folder of Hugging Face's form is a model with its tokenizer: nothing in it runs, and its own pooling is taken."""

import importlib
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner

import irene
from audit.data.files.tokens import tokenized
from audit.errors import CheckpointError, DataError
from audit.evidence.audit_result import read_audit
from audit.model.forward import Encoder, first_input
from audit.model.huggingface import build_untrained
from audit.model.representations import extract
from audit.model.structure.label_names import in_named_order
from audit.model.structure.listing import suggest
from irene.command import main

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

WORDS = ["she", "he", "is", "glad", "sad", "today", "and", "was", "not", "very"]
DRAW = np.random.default_rng(0)
SEX = DRAW.integers(0, 2, 300)
TEXTS = [" ".join([WORDS[sex], *DRAW.choice(WORDS[2:], DRAW.integers(1, 6))]) for sex in SEX]
STEPS = [
    {"type": "sentence_transformers.models.Transformer", "path": ""},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"},
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, its tokenizer, and the steps of sentence-transformers."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - comes with transformers
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from tokenizers.pre_tokenizers import Whitespace  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("zqfolk") / "bert"
    torch.manual_seed(0)
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    words = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    made.save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps(STEPS))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


def texts(folder: Path) -> Any:
    rows, _ = tokenized(TEXTS, str(folder), column="said")
    return irene.labelled(rows, {"sex": SEX})


def test_what_is_audited_is_the_vector_that_is_released_and_the_mean_leaves_padding_out(bert: Path) -> None:
    loaded, rows = irene.load(bert), texts(bert)
    assert suggest(loaded.module, first_input(loaded.module, rows)) == "logits"
    features = extract(Encoder(loaded.module), rows, ["logits", "transformer.encoder.layer.1"])
    tokens = features.z["transformer.encoder.layer.1"]
    assert np.abs(tokens / np.linalg.norm(tokens, axis=1, keepdims=True) - features.z["logits"]).max() < 1e-6
    own = transformers.BertModel.from_pretrained(bert).eval()
    plain = transformers.AutoTokenizer.from_pretrained(bert)
    with torch.inference_mode():
        alone = own(**plain(TEXTS[:1], return_tensors="pt")).last_hidden_state.mean(1)  # without any padding
    assert np.abs(features.z["logits"][0] - (alone / alone.norm()).numpy()[0]).max() < 1e-6


@pytest.mark.parametrize("suffix", ["model.safetensors", "pytorch_model.bin"])
def test_dense_steps_stand_between_pooling_and_length_and_a_release_keeps_them(
    bert: Path, tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / "dense"
    shutil.copytree(bert, folder)
    dense = torch.nn.Linear(16, 5, bias=False)
    config = {"in_features": 16, "out_features": 5, "bias": False}
    add_dense(folder, config | {"activation_function": "torch.nn.modules.activation.ReLU"})
    state = {f"linear.{name}": value for name, value in dense.state_dict().items()}
    if suffix.endswith("bin"):
        torch.save(state, folder / "2_Dense" / suffix)
    else:
        safetensors.torch.save_file(state, folder / "2_Dense" / suffix)
    loaded, rows = irene.load(folder), texts(folder)
    z = {of: extract(Encoder(irene.load(of).module), rows, ["logits"]).z["logits"] for of in (bert, folder)}
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(dense(torch.from_numpy(np.array(z[bert]))).relu(), dim=1)
    assert np.abs(expected.numpy() - z[folder]).max() < 1e-5
    assert loaded.sha256 != irene.load(bert).sha256
    irene.sanitize(loaded, rows, tmp_path / "clean.safetensors", private="sex", method="leace")
    again = irene.load(tmp_path / "clean.safetensors", f"hf:{folder}").module
    assert torch.equal(again.state_dict()["dense.0.linear.weight"], dense.weight)


@pytest.mark.parametrize(
    ("config", "fact"),
    [
        ({"in_features": 16, "out_features": 2**40}, "names no sizes of a dense step, 1 to 65,536"),
        ({"in_features": 16, "out_features": 5, "activation_function": "os.system"}, "has the activation 'system'"),
        ({"in_features": 16, "out_features": 5}, "holds no weights of a dense step"),
    ],
)
def test_a_dense_step_that_is_not_known_is_refused_in_one_line(
    bert: Path, tmp_path: Path, config: dict[str, Any], fact: str
) -> None:
    folder = tmp_path / "dense"
    shutil.copytree(bert, folder)
    add_dense(folder, config)
    with pytest.raises(CheckpointError, match=fact) as refused:
        irene.load(folder)
    assert "\n" not in str(refused.value)
    (folder / "modules.json").write_text(json.dumps([*STEPS, {"type": "x.Dense", "path": "2_Dense"}]))
    with pytest.raises(CheckpointError, match="in an order that is not known"):
        irene.load(folder)


def add_dense(folder: Path, config: dict[str, Any]) -> None:
    """Add a dense step without weights to a folder."""
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps(config))
    step = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
    (folder / "modules.json").write_text(json.dumps([*STEPS[:2], step, STEPS[2]]))


def test_one_command_audits_texts_and_names_no_folder(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{'fm'[sex]}" for text, sex in zip(TEXTS, SEX, strict=True)]
    Path("rows.csv").write_text("\n".join(["comment,gender", *lines]))
    done = CliRunner().invoke(
        main, [*f"audit {bert} --data rows.csv --text comment --private gender --attackers logistic".split()]
    )
    assert done.exit_code == 0, done.output
    found = read_audit(Path("out/audit.json"))
    assert found.findings[0].measurement.score.value > 0.8
    assert found.checkpoint.architecture == "hf:bert()"
    assert "zqfolk" not in Path("out/audit.json").read_text()
    wrong = CliRunner().invoke(main, f"audit {bert} --data rows.csv --text coment --private gender".split())
    assert "Did you mean 'comment'" in wrong.output


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda folder: _edit(folder / "config.json", num_hidden_layers=10**9), "num_hidden_layers = 1,000,000,000"),
        (lambda folder: _edit(folder / "config.json", hidden_size=10**7, num_attention_heads=1), "cannot be built"),
        (
            lambda folder: _edit(
                folder / "config.json", model_type="mine", auto_map={"AutoConfig": "x.C", "AutoModel": "x.M"}
            ),
            "cannot be built",
        ),
        (lambda folder: (folder / "modules.json").write_text('[{"type": "os.system", "path": "id"}]'), "step 'system'"),
        (
            lambda folder: (folder / "modules.json").write_text(json.dumps([STEPS[0], {**STEPS[1], "path": "../.."}])),
            "outside of its folder",
        ),
        (lambda folder: (folder / "1_Pooling/config.json").write_text('{"pooling_mode": "lasttoken"}'), "by lasttoken"),
        (
            lambda folder: _said(folder, "sentence_bert_config.json", transformer_task="fill-mask"),
            "transformer_task = 'fill-mask', which is not known",
        ),
        (
            lambda folder: _said(
                folder, "sentence_bert_config.json", modality_config={"text": {"method_output_name": "pooler_output"}}
            ),
            "method_output_name = 'pooler_output', which is not known",
        ),
        (
            lambda folder: (
                _said(folder, "config_sentence_transformers.json", prompts={"q": "he"}, default_prompt_name="q"),
                _said(folder, "1_Pooling/config.json", pooling_mode="mean", include_prompt=False),
            ),
            "leaves the prompt out of the mean",
        ),
    ],
)
def test_what_a_strangers_folder_asks_for_is_refused_in_one_line(
    bert: Path, tmp_path: Path, change: Callable[[Path], object], fact: str
) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(bert, folder)
    change(folder)
    with pytest.raises(CheckpointError, match=fact):
        irene.load(folder)


def _said(folder: Path, name: str, **said: object) -> int:
    return (folder / name).write_text(json.dumps(said))


def test_what_sentence_transformers_does_to_texts_by_itself_is_done(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(bert, folder)
    upper, (plain, _) = [text.upper() for text in TEXTS], tokenized(TEXTS, str(bert), column="said")
    _said(folder, "sentence_roberta_config.json", do_lower_case=True, max_seq_length=4)
    lowered, _ = tokenized(upper, str(folder), column="said")
    assert all(torch.equal(lowered[row]["input_ids"], plain[row]["input_ids"][:4]) for row in range(len(TEXTS)))
    _said(folder, "config_sentence_transformers.json", prompts={"q": "he is "}, default_prompt_name="q")
    asked, notes = tokenized(upper, str(folder), column="said")
    assert all(torch.equal(asked[row]["input_ids"][2:], lowered[row]["input_ids"][:2]) for row in range(len(TEXTS)))
    assert "before each text stands 'he is ', as config_sentence_transformers.json says" in notes
    _said(folder, "config_sentence_transformers.json", prompts={"q": "he " * 10**4}, default_prompt_name="q")
    with pytest.raises(DataError, match="30,000 letters before each text; 10,000 are taken at most"):
        tokenized(upper, str(folder), column="said")


def test_a_folder_that_names_parts_on_the_hub_makes_nobody_call_there(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huggingface_hub = importlib.import_module("huggingface_hub")  # comes with transformers
    called = list[str]()

    def refuse(host: str, *_others: object, **_more: object) -> None:
        called.append(host)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    config = {"architectures": ["DPTForDepthEstimation"], "model_type": "dpt", "is_hybrid": False}
    _said(tmp_path, "config.json", **config, backbone="a-stranger/counts-you", use_pretrained_backbone=True)
    (tmp_path / "model.safetensors").write_bytes(b"")
    before = huggingface_hub.is_offline_mode()
    with pytest.raises(CheckpointError, match=r"config.json names a part of the model that does not lie in its folder"):
        build_untrained(str(tmp_path), {})
    assert not called and huggingface_hub.is_offline_mode() == before
    code = {**json.loads((bert / "config.json").read_text()), "_attn_implementation": "a-stranger/runs-here"}
    _said(tmp_path, "config.json", **code)
    (tmp_path / "model.safetensors").write_bytes((bert / "model.safetensors").read_bytes())
    assert build_untrained(str(tmp_path), {}).config._attn_implementation == "eager"  # type: ignore[union-attr]


def test_tokens_that_a_model_cannot_take_are_told_with_the_way_out(bert: Path, tmp_path: Path) -> None:
    few = transformers.BertConfig(
        vocab_size=12, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=3
    )
    transformers.BertModel(few).save_pretrained(tmp_path / "few")
    with pytest.raises(DataError, match=r"more tokens than it has places for.*\(model_max_length\)"):
        irene.audit(irene.load(tmp_path / "few"), texts(bert), private="sex")
    unpadded = transformers.GPT2Config(vocab_size=12, n_embd=16, n_layer=1, n_head=2, n_positions=32, num_labels=2)
    transformers.GPT2ForSequenceClassification(unpadded).save_pretrained(tmp_path / "gpt")
    with pytest.raises(DataError, match=r"--arch hf:FOLDER --arch-arg pad_token_id=NUMBER"):
        irene.audit(irene.load(tmp_path / "gpt"), texts(bert), private="sex")
    told = irene.load(tmp_path / "gpt", f"hf:{tmp_path / 'gpt'}", arguments={"pad_token_id": 0})
    assert first_input(told.module, texts(bert))


def test_texts_without_a_tokenizer_or_without_text_are_told(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no tokenizer in"):
        tokenized(TEXTS, str(tmp_path), column="said")
    with pytest.raises(DataError, match="Column 'said' holds no text"):
        tokenized([None, " "], str(bert), column="said")
    rows, notes = tokenized([" ".join(["she"] * 40), "he", None], str(bert), column="said")
    assert rows[0]["input_ids"].shape == (32,)
    assert notes[1:] == ["texts cut to 32 tokens: 1 of 3", "texts that are empty: 1 of 3"]


def test_a_tokenizer_that_does_not_know_the_words_is_refused_and_a_few_unknown_ones_are_counted(
    bert: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(bert, folder)
    _edit(folder / "config.json", vocab_size=30_522)  # as where transformers makes one of five words, and says nothing
    with pytest.raises(DataError, match=r"has 12 tokens and its model 30,522: files such as tokenizer\.json"):
        tokenized(TEXTS, str(folder), column="said")
    with pytest.raises(DataError, match="does not know 75% of the tokens of 'said'"):
        tokenized(["she went home early"], str(bert), column="said")
    notes = tokenized([*TEXTS[:9], "she was late"], str(bert), column="said")[1]
    assert not [note for note in notes if "know" in note]
    assert tokenized(["she was not here"], str(bert), column="said")[1][1:] == [
        "tokens of 'said' that the tokenizer does not know: 25.0%"
    ]


def test_the_classes_stand_in_the_order_in_which_the_configuration_names_them(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, task = tmp_path / "classifier", ["sad" if "sad" in text else "glad" for text in TEXTS]
    config = transformers.BertConfig.from_pretrained(
        bert, id2label={0: "Sad", 1: "glad"}, label2id={"Sad": 0, "glad": 1}
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    rows = irene.labelled(texts(bert).inputs, {"sex": SEX, "mood": task})
    model = irene.load(folder).module
    ordered = in_named_order(model, rows, "mood")
    assert ordered.column("mood", "task").classes == ("sad", "glad")
    assert ordered.notes[-1].endswith("in the order in which the model's configuration names them: sad,glad")
    settings = irene.Settings(attackers=("logistic",), bootstrap=100)
    found = irene.audit(model, rows, private="sex", task="mood", settings=settings)
    assert found.task is not None
    assert found.task.classes == ["sad", "glad"]
    assert not [note for note in found.warnings if "the alphabet's" in note]
    said = rows.in_order("mood", ["glad", "sad"])  # whoever names an order knows better
    assert in_named_order(model, said, "mood") is said
    other = irene.labelled(rows.inputs, {"mood": ["up" if one == "sad" else "down" for one in task]})
    assert in_named_order(model, other, "mood") is other
    model.config.id2label = {0: "LABEL_0", 1: "LABEL_1"}  # type: ignore[union-attr]
    assert in_named_order(model, rows, "mood") is rows


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
