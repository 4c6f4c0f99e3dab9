"""A LoRA adapter is added to the model that the user names, as peft does it; anything but plain LoRA is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from audit.errors import CheckpointError
from audit.model.checkpoint import LoadedModel, load, require_weights
from audit.model.files.adapter import merged
from audit.model.state_dict import write_like

transformers = pytest.importorskip("transformers")
QUERY = "bert.encoder.layer.0.attention.self.query"
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 20}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES, max_position_embeddings=8))
    model.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def adapter(folder: Path, tensors: dict[str, Tensor] | None = None, **config: Any) -> Path:
    draw = torch.Generator().manual_seed(1)
    pair = {f"{QUERY}.lora_A.weight": (2, 8), f"{QUERY}.lora_B.weight": (8, 2)}
    plain = {name: torch.randn(*shape, generator=draw) for name, shape in pair.items()}
    plain["classifier.bias"] = torch.tensor([3.0, 4.0])
    folder.mkdir(exist_ok=True)
    held = {f"base_model.model.{name}": one for name, one in (plain if tensors is None else tensors).items()}
    safetensors.torch.save_file(held, folder / "adapter_model.safetensors")
    says = {"peft_type": "LORA", "lora_alpha": 6, "r": 2, "base_model_name_or_path": "theirs", "lora_bias": False}
    (folder / "adapter_config.json").write_text(json.dumps(says | config))
    return folder


def added(base: Path, loaded: LoadedModel) -> Tensor:
    before = safetensors.torch.load_file(base / "model.safetensors")
    after: Tensor = loaded.module.state_dict()[f"{QUERY}.weight"]
    return after - before[f"{QUERY}.weight"]


def test_an_adapter_is_added_and_what_it_holds_whole_is_taken(base: Path, tmp_path: Path) -> None:
    found = adapter(tmp_path / "adapter")
    held = safetensors.torch.load_file(found / "adapter_model.safetensors")
    down, up = (held[f"base_model.model.{QUERY}.lora_{side}.weight"] for side in "AB")
    for scale, stable in ((3.0, False), (6 / 2**0.5, True)):
        adapter(found, use_rslora=stable)
        for path in (found, found / "adapter_model.safetensors"):
            loaded = load(path, f"hf:{base}")
            assert torch.allclose(added(base, loaded), scale * up @ down, atol=1e-5)
    assert loaded.module.state_dict()["classifier.bias"].tolist() == [3.0, 4.0]
    assert any("a LoRA adapter was added to the weights of base; it says it is for theirs" in n for n in loaded.notes)
    assert loaded.sha256 != load(base).sha256
    write_like(require_weights(loaded), loaded.module, tmp_path / "whole.safetensors", ".safetensors")
    again = load(tmp_path / "whole.safetensors", f"hf:{base}")
    assert torch.equal(added(base, again), added(base, loaded))


def test_biases_that_were_trained_beside_the_pairs_stand_for_the_models(base: Path, tmp_path: Path) -> None:
    name = f"{QUERY}.base_layer.bias"
    found = adapter(tmp_path / "adapter", {name: torch.arange(8.0)}, bias="lora_only", auto_mapping={"x": "y"})
    assert load(found, f"hf:{base}").module.state_dict()[f"{QUERY}.bias"].tolist() == list(range(8))


def test_an_adapter_beside_the_weights_of_its_model_is_asked_about(base: Path, tmp_path: Path) -> None:
    adapter(base)
    with pytest.raises(CheckpointError, match=r"holds a model and a LoRA adapter beside it.*--arch hf:FOLDER"):
        load(base)
    with pytest.raises(CheckpointError, match="base holds a model and a LoRA adapter"):
        load(adapter(tmp_path / "adapter"), f"hf:{base}")
    assert added(base, load(base, f"hf:{base}")).abs().max() > 0


def test_a_model_that_was_saved_without_its_head_is_found_under_the_adapters_names() -> None:
    base = {"layer.weight": torch.zeros(2, 3), "layer.bias": torch.zeros(2)}
    own = {"base_model.model.bert.layer.lora_A.weight": torch.ones(1, 3),
           "base_model.model.bert.layer.lora_B.weight": torch.ones(2, 1),
           "base_model.model.classifier.weight": torch.ones(2, 2)}  # fmt: skip
    found = merged(Path("a"), {"lora_alpha": 2}, base, own)
    assert sorted(found) == ["bert.layer.bias", "bert.layer.weight", "classifier.weight"]
    assert found["bert.layer.weight"].tolist() == [[2.0] * 3] * 2
    turned = merged(Path("a"), {"lora_alpha": 2, "fan_in_fan_out": True}, {"layer.weight": torch.zeros(3, 2)}, own)
    assert turned["bert.layer.weight"].shape == (3, 2)


LAYER = "bert.encoder.layer.0.attention.self"


@pytest.mark.parametrize(
    ("config", "tensors", "said"),
    [
        ({"peft_type": "IA3"}, None, "says peft_type 'IA3', which is not plain LoRA"),
        ({"use_dora": True}, None, "says use_dora, which is not plain LoRA"),
        ({"alpha_pattern": {"q": 3}}, None, "says alpha_pattern"),
        ({"init_lora_weights": "pissa"}, None, "says init_lora_weights 'pissa'"),
        ({"lora_alpha": None}, None, "says no lora_alpha"),
        ({}, {f"{QUERY}.lora_magnitude_vector": torch.ones(8)}, "holds 'base_model.model.*lora_magnitude_vector'"),
        ({}, {"bert.embeddings.lora_embedding_A": torch.ones(2, 8)}, "which is not plain LoRA"),
        ({}, {f"{QUERY}.lora_A.weight": torch.ones(2, 8)}, "holds no two matrices that fit"),
        ({}, {f"{LAYER}.other.lora_{one}.weight": torch.ones(8, 8) for one in "AB"}, "which the model's file does not"),
        ({}, {f"{QUERY}.lora_{one}.weight": torch.ones(4, 4) for one in "AB"}, r"is for a .* of \[4, 4\]"),
    ],
)  # fmt: skip
def test_whatever_is_not_plain_lora_of_this_model_is_refused(
    config: dict[str, Any], tensors: dict[str, Tensor] | None, said: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=said) as refused:
        load(adapter(tmp_path / "adapter", tensors, **config), f"hf:{base}")
    assert "\n" not in str(refused.value)


def test_an_adapter_out_of_its_folder_is_not_followed(base: Path, tmp_path: Path) -> None:
    found = adapter(tmp_path / "adapter")
    (found / "adapter_model.safetensors").rename(tmp_path / "secret.safetensors")
    (found / "adapter_model.safetensors").symlink_to(tmp_path / "secret.safetensors")
    with pytest.raises(CheckpointError, match="is a link out of its folder"):
        load(found, f"hf:{base}")
