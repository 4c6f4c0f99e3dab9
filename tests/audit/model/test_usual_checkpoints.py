"""Checkpoints as people keep them load to the same bits, or are told in one line what is the matter with them."""

import argparse
import collections
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

from audit.errors import CheckpointError
from audit.model import state_dict
from audit.model.checkpoint import LoadedModel, load, require_weights
from audit.model.checkpoint_file import open_checkpoint
from audit.model.fitting import fitted

OWN = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, positions=False, tied=False, lazy=False):
        super().__init__()
        self.body = nn.Sequential(nn.LazyLinear(4) if lazy else nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 4)
        if tied:
            self.head.weight = self.body[2].weight if len(self.body) > 2 else self.head.weight
        if positions:
            self.register_buffer("position_ids", torch.arange(4))
    def forward(self, x):
        return self.head(self.body(x))
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(4, 4)
        self.decoder = nn.Linear(4, 4)
        self.decoder.weight = self.embedding.weight
    def forward(self, x):
        return self.decoder(self.embedding(x))
def net(**given):
    return Net(**given)
def wrapped():
    return nn.ModuleDict({"net": Net()})
def tied():
    return Tied()
def deep(depth=2):
    return nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth)))
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    return f"{tmp_path}/own.py"


def state(seed: int = 0) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        return nn.ModuleDict({"body": body, "head": nn.Linear(4, 4)}).state_dict()


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in tensors.items()}


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


def refused(path: Path, architecture: str, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path, architecture, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written_again(loaded: LoadedModel, path: Path) -> dict[str, Any]:
    """Write a loaded model as irene does, and return what the file holds."""
    state_dict.write_like(require_weights(loaded), loaded.module, path, path.suffix)
    held = safetensors.torch.load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    return dict(held)


@pytest.mark.parametrize(
    "wrapper", ["module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "module._orig_mod."]
)
def test_a_wrapper_in_the_middle_of_names_is_seen_through_and_written_again(
    wrapper: str, own: str, tmp_path: Path
) -> None:
    held = {key.replace("body.", f"body.{wrapper}"): value for key, value in state().items()}
    torch.save({"state_dict": under("model.", held)}, tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:net")
    assert same(loaded.module.state_dict(), state())
    assert loaded.notes == ()
    again = written_again(loaded, tmp_path / "b.pt")
    assert same(again["state_dict"], under("model.", held))
    assert same(load(tmp_path / "b.pt", f"{own}:net").module.state_dict(), state())


def test_old_names_that_a_load_hook_of_the_module_knows_are_taken(tmp_path: Path) -> None:
    vit = "torchvision.models.vision_transformer:VisionTransformer"
    arguments = {"image_size": 32, "patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32,
                 "num_classes": 2}  # fmt: skip
    model = VisionTransformer(**arguments)
    names = {"mlp.0": "mlp.linear_1", "mlp.3": "mlp.linear_2"}
    old = model.state_dict()
    for new, was in names.items():
        old = {key.replace(new, was): value for key, value in old.items()}
    torch.save({"model": old}, tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", vit, arguments)
    assert same(loaded.module.state_dict(), model.state_dict())
    written_again(loaded, tmp_path / "b.pt")
    assert same(load(tmp_path / "b.pt", vit, arguments).module.state_dict(), model.state_dict())


def test_the_other_name_of_a_tied_weight_may_lack_and_may_not_differ(own: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        model = nn.Module()
        model.embedding, model.decoder = nn.Linear(4, 4), nn.Linear(4, 4)
    model.decoder.weight = model.embedding.weight
    safetensors.torch.save_model(model, str(tmp_path / "a.safetensors"))
    held = safetensors.torch.load_file(tmp_path / "a.safetensors")
    assert len(held) == 3, "one of the two names is left out"
    loaded = load(tmp_path / "a.safetensors", f"{own}:tied")
    assert same(loaded.module.state_dict(), model.state_dict())
    assert same(written_again(loaded, tmp_path / "b.safetensors"), held)
    load(tmp_path / "b.safetensors", f"{own}:tied")
    torch.save({**model.state_dict(), "decoder.weight": torch.zeros(4, 4)}, tmp_path / "c.pt")
    assert "are one parameter in the model and differ in the file" in refused(tmp_path / "c.pt", f"{own}:tied")


def test_buffers_that_died_are_listed_and_a_missing_parameter_is_refused(own: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    dead = {"body.position_ids": torch.arange(3), "head.total_ops": torch.zeros(1), "total_params": torch.zeros(1)}
    torch.save(state() | dead, path)
    loaded = load(path, f"{own}:net")
    assert loaded.notes == (
        "tensors of the file that the model does not know were not used: head.total_ops, total_params",
    )
    torch.save(state(), path)
    loaded = load(path, f"{own}:net", {"positions": True})
    assert loaded.notes == ("not in the file, and as the architecture makes them: position_ids",)
    assert loaded.module.get_buffer("position_ids").tolist() == [0, 1, 2, 3]
    for gone in ("head.bias", "body.1.running_mean"):
        torch.save({key: value for key, value in state().items() if key != gone}, path)
        said = refused(path, f"{own}:net")
        assert f"1 missing from the file: {gone}" in said
        assert ("These are buffers, which model.state_dict() holds" in said) == (gone != "head.bias")


def test_a_deeper_net_is_never_taken_for_a_shallower_one(own: str, tmp_path: Path) -> None:
    deep = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3))).state_dict()
    for held in (deep, {"state_dict": under("model.", deep)}):
        torch.save(held, tmp_path / "a.pt")
        assert "2 unknown to the model: 2.weight, 2.bias" in refused(tmp_path / "a.pt", f"{own}:deep")


def test_a_misfit_changes_nothing_and_gives_advice_that_helps(own: str, tmp_path: Path) -> None:
    torch.save(state() | {"head.weight": torch.ones(2, 4)}, tmp_path / "a.pt")
    module = nn.ModuleDict({"body": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), "head": nn.Linear(4, 4)})
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"head.weight is .2, 4. in the file and .4, 4. in the model.*--arch-arg"):
        fitted(module, open_checkpoint(tmp_path / "a.pt"), torch.load(tmp_path / "a.pt"), "own")
    assert same(module.state_dict(), before)
    torch.save({"other.weight": torch.ones(2)}, tmp_path / "a.pt")
    message = refused(tmp_path / "a.pt", f"{own}:net")
    assert "no name is the same (the file holds other.weight; the model wants body.0.weight" in message
    assert "--arch file.py:factory" in message


def test_a_lightning_file_with_a_loss_beside_the_model_loads_and_is_written_again(own: str, tmp_path: Path) -> None:
    held = under("model.", state()) | {"criterion.weight": torch.ones(2), "val_best.value": torch.tensor(float("inf"))}
    content = {"state_dict": held, "epoch": 3, "hyper_parameters": argparse.Namespace(lr=0.1), "callbacks": {}}
    torch.save(content, tmp_path / "a.ckpt")
    loaded = load(tmp_path / "a.ckpt", f"{own}:net")
    assert same(loaded.module.state_dict(), state())
    assert loaded.notes == (
        "the checkpoint also holds callbacks, epoch, hyper_parameters, which was not used",
        "tensors of the file that the model does not know were not used: state_dict.criterion.weight, "
        "state_dict.val_best.value",
        "objects beside the weights were left out unread: argparse.Namespace",
    )
    again = written_again(loaded, tmp_path / "b.ckpt")
    assert list(again) == ["state_dict"] and same(again["state_dict"], under("model.", state()))


def test_of_a_net_and_its_average_in_one_flat_state_the_net_is_taken_and_two_nets_are_asked_for(
    own: str, tmp_path: Path
) -> None:
    path, one, other = tmp_path / "a.pt", state(), state(1)
    torch.save(under("net.", one) | under("ema_model.", other), path)
    loaded = load(path, f"{own}:net")
    assert same(loaded.module.state_dict(), one)
    assert loaded.notes == ("the weights under 'net' were taken; others stand under ema_model (--weights-key)",)
    assert same(load(path, f"{own}:net", weights_key="ema_model").module.state_dict(), other)
    torch.save({"state_dict": under("online.", one) | under("target.", other)}, path)
    told = "holds weights in several places: state_dict.online, state_dict.target. Choose one with --weights-key"
    assert told in refused(path, f"{own}:net")
    loaded = load(path, f"{own}:net", weights_key="state_dict.target")
    assert same(loaded.module.state_dict(), other)
    assert same(written_again(loaded, tmp_path / "b.pt")["state_dict"], under("target.", other))
    torch.save({"state_dict": under("one.", one) | under("two.", one)}, path)
    assert same(load(path, f"{own}:net").module.state_dict(), one), "the same weights twice are no question"


@pytest.mark.parametrize("ending", ["", "_state_dict"])
def test_parts_under_keys_of_their_own_are_joined_and_written_again(ending: str, own: str, tmp_path: Path) -> None:
    parts = {
        f"{part}{ending}": {key.removeprefix(f"{part}."): value for key, value in state().items() if key[:4] == part}
        for part in ("body", "head")
    }
    torch.save(parts | {"projector": {"weight": torch.ones(2, 2)}, "epoch": 2}, tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:net")
    assert same(loaded.module.state_dict(), state())
    again = written_again(loaded, tmp_path / "b.pt")
    assert again.keys() == parts.keys() and all(same(again[key], parts[key]) for key in parts)
    assert same(load(tmp_path / "b.pt", f"{own}:net").module.state_dict(), state())


def test_a_part_that_was_saved_alone_fits_the_architecture_around_it(own: str, tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:wrapped")
    assert same(loaded.module.state_dict(), under("net.", state()))
    assert same(written_again(loaded, tmp_path / "b.pt"), state())


def test_lazy_layers_get_their_shapes_from_the_weights(own: str, tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:net", {"lazy": True})
    assert same(loaded.module.state_dict(), state())
    assert loaded.module(torch.ones(2, 3)).shape == (2, 4)
    torch.save({key: value for key, value in state().items() if not key.startswith("body.0")}, tmp_path / "a.pt")
    assert "missing from the file: body.0.weight, body.0.bias" in refused(
        tmp_path / "a.pt", f"{own}:net", arguments={"lazy": True}
    )


class Config:
    def __init__(self) -> None:
        self.lr = 0.1


def test_what_is_no_weight_is_left_out_unread_with_a_note_and_runs_nothing(own: str, tmp_path: Path) -> None:
    content = {
        "model": collections.defaultdict[str, Any](dict, state()),
        "best": np.float64(0.5),
        "classes": np.array([1, 2]),
        "when": datetime.datetime.now(),
        "where": tmp_path,
        "args": argparse.Namespace(lr=1),
        "history": collections.defaultdict(list, {"loss": [np.float32(1)]}),
    }
    torch.save(content, tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:net")
    assert same(loaded.module.state_dict(), state())
    assert not loaded.pickle_ran
    assert "argparse.Namespace" in loaded.notes[-1] and "datetime.datetime" in loaded.notes[-1]


def test_weights_as_numpy_arrays_are_weights(own: str, tmp_path: Path) -> None:
    torch.save({key: value.numpy() for key, value in state().items()}, tmp_path / "a.pt")
    assert same(load(tmp_path / "a.pt", f"{own}:net").module.state_dict(), state())


def test_a_pickled_module_is_not_told_to_leave_itself_out_and_a_file_that_is_cut_off_is_told_so(
    own: str, tmp_path: Path
) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), tmp_path / "a.pt")
    said = refused(tmp_path / "a.pt", f"{own}:net")
    assert "is a pickle of a module" in said and "--skip-types" not in said
    torch.save({"w": torch.zeros(5_000)}, tmp_path / "b.pt")
    (tmp_path / "b.pt").write_bytes((tmp_path / "b.pt").read_bytes()[:3_000])
    assert "is cut off or damaged" in refused(tmp_path / "b.pt", f"{own}:net")


def test_an_unknown_type_is_named_and_left_out_when_the_user_says_so(own: str, tmp_path: Path) -> None:
    name = f"{Config.__module__}.Config"
    torch.save({"model": state(), "config": Config(), "items": collections.UserDict(a=1)}, tmp_path / "a.pt")
    assert f"--skip-types collections.UserDict,{name}. Only if you" in refused(tmp_path / "a.pt", f"{own}:net")
    assert f"run code from {name};" in refused(tmp_path / "a.pt", f"{own}:net", skip_types=["collections.UserDict"])
    loaded = load(tmp_path / "a.pt", f"{own}:net", skip_types=["collections.UserDict", name])
    assert same(loaded.module.state_dict(), state())
    assert not loaded.pickle_ran
    assert loaded.notes[-1] == f"objects beside the weights were left out unread: collections.UserDict, {name}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("body.0.SCB", torch.ones(4), "bitsandbytes"),
        ("head.qweight", torch.ones(4, 4, dtype=torch.int32), "GPTQ or AWQ"),
        ("body.0.weight", torch.ones(4, 3, dtype=torch.int8), "quantised weights"),
        ("base_model.model.body.0.lora_A.weight", torch.ones(2, 3), "a LoRA adapter"),
    ],
)
def test_packed_weights_and_adapters_are_told_for_what_they_are(
    name: str, value: Tensor, said: str, own: str, tmp_path: Path
) -> None:
    plain = {key: one for key, one in state().items() if key != name.replace("qweight", "weight")}
    torch.save(plain | {name: value}, tmp_path / "a.pt")
    assert said in refused(tmp_path / "a.pt", f"{own}:net")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda one: one.to(torch.float8_e4m3fn),
            "that are torch.float8_e4m3fn (body.0.weight), not plain floats. Save",
        ),
        (
            lambda one: one.to_sparse(),
            "that are sparse (body.0.weight), not plain floats. Save them dense: torch.save({",
        ),
        (lambda one: one.to("meta"), "that are on no device (body.0.weight), not plain floats. They have no numbers"),
    ],
    ids=["float8", "sparse", "meta"],
)
def test_weights_that_are_no_plain_floats_are_told_of(
    change: Callable[[Tensor], Tensor], said: str, own: str, tmp_path: Path
) -> None:
    odd = {name: change(one) if one.ndim else one for name, one in state().items()}
    torch.save(odd, tmp_path / "a.pt")
    assert said in refused(tmp_path / "a.pt", f"{own}:net")


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_the_way_out_of_quantised_weights_leads_out(own: str, tmp_path: Path) -> None:
    packed = {
        name: torch.quantize_per_tensor(one, 0.01, 0, torch.qint8) if name == "head.weight" else one
        for name, one in state().items()
    }
    torch.save(packed, tmp_path / "a.pt")
    way = "torch.save({name: one.dequantize() for name, one in state.items()}, 'model.pt')"
    assert way in refused(tmp_path / "a.pt", f"{own}:net")
    exec(way.replace("'model.pt'", "path"), {"torch": torch, "state": packed, "path": tmp_path / "model.pt"})
    loaded = load(tmp_path / "model.pt", f"{own}:net").module.state_dict()
    assert torch.allclose(loaded["head.weight"], state()["head.weight"], atol=0.01)


def test_a_net_with_adapters_inside_whose_architecture_has_them_is_no_adapter(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.ModuleDict({'q': nn.ModuleDict({'lora_A': nn.Linear(4, 2), 'lora_B': nn.Linear(2, 4)})})\n"
    )
    held = nn.ModuleDict({"q": nn.ModuleDict({"lora_A": nn.Linear(4, 2), "lora_B": nn.Linear(2, 4)})}).state_dict()
    torch.save(held, tmp_path / "a.pt")
    assert same(load(tmp_path / "a.pt", f"{tmp_path}/own.py:net").module.state_dict(), held)


def test_a_mapping_within_itself_a_thousand_times_is_refused_in_a_moment(own: str, tmp_path: Path) -> None:
    content: dict[str, Any] = {"leaf": 1}
    for _ in range(5):
        content = {str(i): content for i in range(1000)}
    torch.save(content, tmp_path / "a.pt")
    assert "holds more than 1,000,000 keys" in refused(tmp_path / "a.pt", f"{own}:net")


@pytest.mark.parametrize("wrap", ["torch.nn.DataParallel", "torch.compile", "torch.nn.Sequential"])
def test_an_architecture_that_is_wrapped_itself_takes_plain_weights(wrap: str, own: str, tmp_path: Path) -> None:
    module, function = wrap.rsplit(".", 1)
    (tmp_path / "wrapping.py").write_text(
        f"from own import Net\nfrom {module} import {function}\ndef net():\n    return {function}(Net())\n"
    )
    torch.save(state(), tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{tmp_path}/wrapping.py:net")
    assert same(dict(zip(state(), loaded.module.state_dict().values(), strict=True)), state())
    assert same(written_again(loaded, tmp_path / "b.pt"), state())


def test_the_numbers_of_a_contrastive_loss_stay_behind_with_a_note_and_larger_tensors_do_not(
    own: str, tmp_path: Path
) -> None:
    beside = {"similarity_weight": torch.ones(1), "similarity_bias": torch.zeros(1), "logit_scale": torch.tensor(4.6)}
    torch.save(state() | beside, tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", f"{own}:net")
    assert same(loaded.module.state_dict(), state())
    assert [note for note in loaded.notes if "similarity_weight" in note and "logit_scale" in note]
    for other in ({"similarity_weight": torch.ones(4)}, {"gate": torch.ones(1)}):
        torch.save(state() | other, tmp_path / "a.pt")
        assert f"1 unknown to the model: {next(iter(other))}" in refused(tmp_path / "a.pt", f"{own}:net")


DRAWN = """
import random, numpy as np, torch
from torch import nn
class Held:
    def __init__(self): self.turn = torch.randperm(50)
def feature(self): self.frequencies = torch.randn(4, 4)
def buffer(self): self.register_buffer("frequencies", torch.randn(4, 4), persistent=False)
def nested(self): self.parts = {"a": [torch.rand(3)]}
def array(self): self.mean = np.random.default_rng().normal(size=4)
def order(self): self.order = random.sample(range(9), 9)
def object_of_theirs(self): self.held = Held()
def plain_list(self): self.layers = [nn.Linear(4, 4)]
def nothing(self): pass
def seeded(self): self.frequencies = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
def unfilled(self): self.cache, _ = torch.empty(99, 99), torch.full((99, 99), float(np.random.rand()))
def views(self): self.weights, self.linears = [self.fc.weight, self.fc.bias.data], [self.fc]
class Own(nn.Linear): pass
def normed(self): self.fc = nn.utils.spectral_norm(Own(3, 2))
class Net(nn.Module):
    def __init__(self, also):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        globals()[also](self)
    def forward(self, x):
        return self.fc(x)
"""


@pytest.fixture
def drawn(tmp_path: Path) -> Callable[[str], LoadedModel]:
    """Return what saves and loads a network with something beside its weights."""
    (tmp_path / "drawn.py").write_text(DRAWN, encoding="utf-8")
    held: dict[str, Any] = {}
    exec(DRAWN, held)

    def loaded(also: str) -> LoadedModel:
        torch.save(held["Net"](also).state_dict(), tmp_path / "net.pt")
        return load(tmp_path / "net.pt", f"{tmp_path}/drawn.py:Net", {"also": also})

    return loaded


@pytest.mark.parametrize(
    ("also", "named"),
    [
        ("feature", "frequencies"),
        ("buffer", "frequencies"),
        ("nested", "parts.a.0"),
        ("array", "mean"),
        ("order", "order"),
        ("object_of_theirs", "held.turn"),
        ("plain_list", "layers.0.weight, layers.0.bias"),
    ],
)
def test_what_a_factory_draws_by_chance_and_no_file_holds_is_refused(
    also: str, named: str, drawn: Callable[[str], LoadedModel]
) -> None:
    with pytest.raises(CheckpointError, match=f"draws {named} by chance, which no state_dict holds: .*register_buffer"):
        drawn(also)


@pytest.mark.parametrize("also", ["nothing", "seeded", "unfilled", "views", "normed"])
def test_what_is_the_same_each_time_or_made_of_the_weights_is_taken(
    also: str, drawn: Callable[[str], LoadedModel]
) -> None:
    torch.manual_seed(7)
    drawn(also)
    after = torch.rand(1)
    torch.manual_seed(7)
    again = drawn(also)
    assert torch.equal(torch.rand(1), after), "it draws nothing of the caller's"
    assert not any("chance" in note for note in again.notes)
