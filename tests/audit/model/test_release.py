"""What stands at a bottleneck: in the model, in its file, and in a program that runs without irene."""

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.weights import read_weights
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.errors import BottleneckError, CheckpointError
from audit.model.checkpoint import load, require_weights
from audit.model.forward import first_input
from audit.model.layers import tap
from audit.model.maps.affine_and_code import Affine, Code
from audit.model.maps.paired_code import PairedCode
from audit.model.maps.residual_map import ResidualMap
from audit.model.release import ENCODER, KEYS, KINDS, install, remove
from audit.model.state_dict import write_like
from sanitizer.export import exported

OWN = """
from torch import nn
def net():
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), pool, nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
"""


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)
    ).eval()


def code(d: int, k: int = 3) -> Code:
    g = torch.Generator().manual_seed(1)
    cuts = torch.tensor([[0.1], [0.2], [0.3]])
    return Code(torch.randn(k, d, generator=g), torch.zeros(k), cuts[:k], torch.randn(2 * k, d, generator=g))


def words(model: nn.Module) -> Tensor:
    standing = model.get_submodule("irene.map")
    assert isinstance(standing, Code)
    return standing.words


def inputs(n: int = 40) -> Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def tapped(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    with torch.no_grad(), tap(model, [layer]) as taps:
        model(x)
        return taps.take()[layer]


def test_a_code_lets_one_of_its_words_pass_and_nothing_else() -> None:
    made = code(4)
    z = torch.randn(500, 4, generator=torch.Generator().manual_seed(3))
    passed = made(z)
    assert all(any(torch.equal(row, word) for word in made.words) for row in passed)
    assert len(passed.unique(dim=0)) > 3  # the levels are told apart
    scores = z @ made.weight.T + made.bias
    own = scores.argmax(dim=1)
    above = (scores.max(dim=1).values > made.cuts[own, 0]).long()
    assert torch.equal(passed, made.words[2 * own + above])


@pytest.mark.parametrize("layer", ["1", "3:input", "2"])
def test_who_taps_the_layer_sees_what_was_put_there(layer: str) -> None:
    model, x = net(), inputs()
    before, answers = tapped(model, layer, x), model(x)
    install(model, layer, code(4))
    after = tapped(model, layer, x)
    assert torch.equal(after, code(4)(before))
    assert not torch.allclose(model(x), answers)
    twin = copy.deepcopy(model)
    words(model).zero_()
    assert torch.equal(tapped(twin, layer, x), after)  # a copy has its own
    remove(twin)
    assert torch.equal(twin(x), answers)
    assert torch.equal(tapped(twin, layer, x), before)


class ByName(nn.Module):
    """Calls its layer by the names of the arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(input=x)
        return scores


def test_a_layer_that_is_called_by_name_has_its_input_replaced_too(tmp_path: Path) -> None:
    model, x, made = ByName().eval(), torch.randn(6, 4), code(4)
    before = model(x)
    install(model, "fc:input", made)
    assert torch.equal(tapped(model, "fc:input", x), made(x))
    assert torch.equal(model(x), functional.linear(made(x), model.fc.weight, model.fc.bias)) and not torch.equal(
        model(x), before
    )
    (tmp_path / "net.pt2").write_bytes(exported(model, x, "fc:input", tmp_path / "net.pt2"))
    assert torch.allclose(load(tmp_path / "net.pt2").module(x), model(x))
    remove(model)
    assert torch.equal(model(x), before) and not model.fc._forward_pre_hooks_with_kwargs


@pytest.mark.parametrize(
    ("layer", "fact"),
    [("0", r"not one vector"), ("3[0]", "cannot be replaced")],
)
def test_where_nothing_can_stand_is_said(layer: str, fact: str) -> None:
    model = net()
    with pytest.raises(BottleneckError, match=fact):
        install(model, layer, code(4))
        model(inputs())


@pytest.mark.parametrize("kind", ["code", "affine", "residual"])
def test_a_release_says_the_same_where_the_model_runs_in_halves(kind: str) -> None:
    z = 5 + torch.randn(500, 4, generator=torch.Generator().manual_seed(3))
    standing = maps(4)[kind]
    with torch.autocast("cpu", torch.bfloat16):
        passed = standing(z)
    assert torch.equal(passed, standing(z))
    assert torch.equal(copy.deepcopy(standing).half()(z.half()), standing(z.half().float()).half())


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("made", [code(4), Affine(torch.eye(4) * 2, torch.ones(4))])
def test_a_checkpoint_carries_it_beside_the_models_own_keys(made: nn.Module, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    plain, model, x = tmp_path / "plain.pt", net(), inputs()
    torch.save({"module." + key: value for key, value in model.state_dict().items()}, plain)
    weights = require_weights(load(plain, f"{tmp_path}/own.py:net"))
    install(model, "3:input", made)
    path = tmp_path / f"released.{suffix}"
    write_like(weights, model, path, path.suffix)
    loaded = load(path, f"{tmp_path}/own.py:net")
    assert torch.equal(loaded.module(x), model(x))
    assert read_weights(path).keys() == {f"module.{ENCODER}{key}" for key in net().state_dict()} | {
        f"module.{key}" for key in keys(made)
    }


def keys(made: nn.Module) -> set[str]:
    return {"irene.layer", *(f"irene.map.{name}" for name, _ in made.named_buffers())}


def released(folder: Path, suffix: str = "pt", prefix: str = "") -> tuple[Path, nn.Module]:
    """Write a released network, and return its file and the network with its release."""
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    plain, path, model = folder / "plain.pt", folder / f"released.{suffix}", net()
    torch.save({prefix + key: value for key, value in model.state_dict().items()}, plain)
    weights = require_weights(load(plain, f"{folder}/own.py:net"))
    install(model, "3:input", code(4))
    write_like(weights, model, path, path.suffix)
    return path, model


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_plain_architecture_takes_no_weight_of_a_released_file_strict_or_not(suffix: str, tmp_path: Path) -> None:
    path, _ = released(tmp_path, suffix)
    held = safetensors.torch.load_file(path) if suffix == "safetensors" else torch.load(path)
    assert {key for key in held if not key.startswith(ENCODER)} == keys(code(4)) < KEYS
    plain = net()
    was = copy.deepcopy(plain.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):
        plain.load_state_dict(held)
    loaded = plain.load_state_dict(held, strict=False)
    assert set(loaded.missing_keys) == set(was) and set(loaded.unexpected_keys) == set(held)
    assert all(torch.equal(value, was[key]) for key, value in plain.state_dict().items()), "it stays as it was made"


@pytest.mark.parametrize("prefix", ["", "module.", "net.", "module.body."])
def test_irene_loads_a_released_file_with_its_release_whatever_stood_before_the_names(
    prefix: str, tmp_path: Path
) -> None:
    path, model = released(tmp_path, prefix=prefix)
    loaded = load(path, f"{tmp_path}/own.py:net").module
    assert torch.equal(loaded(inputs()), model(inputs()))
    assert torch.equal(words(loaded), words(model))


@pytest.mark.parametrize("how", ["lightning", "inside", "joined", "two flat"])
def test_a_released_file_goes_back_into_the_form_of_its_parent(how: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    state = net().state_dict()
    content: dict[str, Any] = {
        "lightning": {"state_dict": {f"model.module.{k}": v for k, v in state.items()} | {"loss.w": torch.ones(2)}},
        "inside": {k.replace(".", "._orig_mod."): v for k, v in state.items()},
        "joined": {h: {k[2:]: v for k, v in state.items() if k[0] == h} for h in {k[0] for k in state}},
        "two flat": {f"{h}.{k}": v + (h == "ema") for h in ("net", "ema") for k, v in state.items()},
    }[how]
    torch.save(content, tmp_path / "plain.pt")
    parent = load(tmp_path / "plain.pt", f"{tmp_path}/own.py:net")
    install(parent.module, "3:input", code(4))
    write_like(require_weights(parent), parent.module, tmp_path / "released.pt", ".pt")
    loaded = load(tmp_path / "released.pt", f"{tmp_path}/own.py:net")
    assert loaded.notes == ()
    assert torch.equal(loaded.module(inputs()), parent.module(inputs()))
    assert torch.equal(words(loaded.module), words(parent.module))
    write_like(require_weights(loaded), loaded.module, tmp_path / "again.pt", ".pt")
    assert torch.equal(load(tmp_path / "again.pt", f"{tmp_path}/own.py:net").module(inputs()), loaded.module(inputs()))


def test_a_released_file_of_before_is_read_too(tmp_path: Path) -> None:
    """Its own keys stood beside the release's, under their plain names."""
    path, model = released(tmp_path)
    torch.save({key.removeprefix(ENCODER): value for key, value in torch.load(path).items()}, path)
    assert torch.equal(load(path, f"{tmp_path}/own.py:net").module(inputs()), model(inputs()))


def test_a_file_whose_release_was_taken_out_is_refused_by_name(tmp_path: Path) -> None:
    path, _ = released(tmp_path)
    torch.save({key: value for key, value in torch.load(path).items() if key not in KEYS}, path)
    with pytest.raises(CheckpointError, match=r"not the release that stood at their bottleneck \(irene\.map\.…\)"):
        load(path, f"{tmp_path}/own.py:net")


def test_a_file_of_two_models_in_one_is_refused(tmp_path: Path) -> None:
    path, _ = released(tmp_path)
    torch.save({**torch.load(path), **net().state_dict()}, path)
    with pytest.raises(CheckpointError, match="weights of two models in one"):
        load(path, f"{tmp_path}/own.py:net")


def test_an_architecture_without_the_layer_of_the_release_is_refused(tmp_path: Path) -> None:
    path, _ = released(tmp_path)
    (tmp_path / "other.py").write_text("from torch import nn\ndef net():\n    return nn.Linear(4, 3)\n")
    with pytest.raises(CheckpointError, match="What irene put at the bottleneck does not fit the model"):
        load(path, f"{tmp_path}/other.py:net")


def test_tensors_that_are_not_irenes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    for place, change in enumerate(
        [
            {"irene.map.weight": torch.eye(4)},
            {"irene.layer": torch.zeros(3), "irene.map.weight": torch.eye(4), "irene.map.bias": torch.ones(4)},
            {
                "irene.layer": torch.zeros(2, 2, dtype=torch.uint8),
                "irene.map.weight": torch.eye(4),
                "irene.map.bias": torch.ones(4),
            },
            {
                "irene.layer": torch.tensor(list(b"nowhere"), dtype=torch.uint8),
                "irene.map.weight": torch.eye(4),
                "irene.map.bias": torch.ones(4),
            },
        ]
    ):
        path = tmp_path / f"{place}.pt"
        torch.save(net().state_dict() | change, path)
        with pytest.raises(CheckpointError, match=r"not what irene puts|does not fit the model"):
            load(path, f"{tmp_path}/own.py:net")


def maps(d: int) -> dict[str, nn.Module]:
    """Return one map of each kind, of d features a row."""
    whole = {"owner": torch.zeros(5), "says": torch.zeros(5, 2), "key": torch.ones(4)}
    paired = {
        "weight": torch.zeros(1, d), "bias": torch.zeros(1), "axes": torch.ones(3, d), "shift": torch.zeros(3),
        "centres": torch.zeros(5, 3), "upto": torch.ones(5, 2), "words": torch.ones(6, d), "faces": torch.ones(3, d),
        **{name: part.long() for name, part in whole.items()},
    }  # fmt: skip
    residual = {
        "down": torch.ones(3, d), "inside": torch.ones(3), "linear": torch.ones(2, 3), "hidden": torch.ones(7, 3),
        "offset": torch.ones(7), "outer": torch.ones(2, 7), "up": torch.ones(d, 2), "outside": torch.ones(d),
    }  # fmt: skip
    affine = Affine(torch.eye(d), torch.zeros(d))
    return {"code": code(d), "affine": affine, "paired": PairedCode(**paired), "residual": ResidualMap(**residual)}


def with_map(path: Path, parts: dict[str, Tensor], layer: str = "3:input") -> Path:
    """Write a released network with a map of these tensors."""
    own = {ENCODER + key: value for key, value in net().state_dict().items()}
    place = {"irene.layer": torch.tensor(list(layer.encode()), dtype=torch.uint8)}
    torch.save(own | place | {f"irene.map.{name}": part for name, part in parts.items()}, path)
    return path


def test_every_kind_of_map_is_tried() -> None:
    assert {type(one) for one in maps(4).values()} == set(KINDS.values())


PARTS = [(kind, name) for kind, made in maps(4).items() for name, _ in made.named_buffers()]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_map_whose_tensors_do_not_go_together_is_refused_by_name(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    good = dict(maps(4)[kind].named_buffers())
    assert load(with_map(tmp_path / "good.pt", good), f"{tmp_path}/own.py:net").module.get_submodule("irene.map")
    part = good[name]
    changes = {
        "longer": torch.cat([part, part]),
        "wider": torch.cat([part, part], dim=-1),
        "flat": part.flatten()[0],
        "empty": part[:0],
        "of another type": part.to(torch.int32 if part.is_floating_point() else torch.float32),
    }
    if (kind, name) == ("paired", "words"):
        del changes["longer"]  # words that no code says
    for how, changed in changes.items():
        path = with_map(tmp_path / "bad.pt", good | {name: changed})
        with pytest.raises(CheckpointError, match=r"'irene\.map'|put at the bottleneck") as refused:
            load(path, f"{tmp_path}/own.py:net")
        said = str(refused.value)
        assert "\n" not in said and "Take the checkpoint that `irene sanitize` wrote" in said, how
        assert re.search(r"\(\d*,?.*\)|has to be int64|has to be float32", said), how


@pytest.mark.parametrize("name", ["owner", "says"])
def test_a_code_that_names_what_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    good = dict(maps(4)["paired"].named_buffers())
    for odd in (-1, 6):
        path = with_map(tmp_path / "bad.pt", good | {name: torch.full_like(good[name], odd)})
        with pytest.raises(CheckpointError, match=rf"{name} names what is not there: it has to be from 0 to"):
            load(path, f"{tmp_path}/own.py:net")


@pytest.mark.parametrize("kind", maps(4))
def test_a_map_of_another_width_than_the_layer_is_refused_by_both_widths(kind: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    wide = dict(maps(6)[kind].named_buffers())
    fact = "made for 6 features a row, and the layer gives 4"
    with pytest.raises(CheckpointError, match=f"does not fit the model: .*{fact}"):
        load(with_map(tmp_path / "wide.pt", wide), f"{tmp_path}/own.py:net")
    pooled = load(with_map(tmp_path / "wide.pt", wide, "1"), f"{tmp_path}/own.py:net").module
    with pytest.raises(BottleneckError, match=fact):  # of a layer that is not linear a row tells
        pooled(inputs())
    rows = LabelledData("rows", inputs(), {"v": Column(np.arange(40) % 2, ("no", "yes"))})
    with pytest.raises(BottleneckError, match=fact):
        first_input(pooled, rows)


def test_a_model_that_torch_cannot_follow_keeps_its_weights_and_the_reason_is_told(
    leaky: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(
        "from audit.model.example_networks import ConvNet\n"
        "class Odd(ConvNet):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x if x.sum().item() > -1e9 else -x)\n"
        "def net():\n"
        "    import torch\n"
        "    from audit.model.example_networks import small_convnet\n"
        "    made = small_convnet()\n"
        "    made.__class__ = Odd\n"
        "    return made\n",
        encoding="utf-8",
    )
    asked = f"--arch {tmp_path}/odd.py:net --data digits --task digit --private colour --epochs 1 --limit-rows 700"
    ended = run("sanitize", leaky, asked, "-o", tmp_path / "clean.safetensors")
    assert ended.exit_code == 1
    assert "torch.export cannot follow the model" in ended.output
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "odd.py",
        "clean.safetensors",
        "clean.safetensors.json",
    }
    assert load(tmp_path / "clean.safetensors", f"{tmp_path}/odd.py:net").module.get_submodule("irene.map")


@pytest.mark.parametrize("layer", ["1", "3:input"])
def test_a_program_runs_without_irene_and_is_audited_at_the_same_layer(layer: str, tmp_path: Path) -> None:
    model, x, path = net(), inputs(), tmp_path / "released.pt2"
    install(model, layer, code(4))
    path.write_bytes(exported(model, x[:2], layer, path))
    torch.save(x, tmp_path / "x.pt")
    script = (
        "import sys, torch\n"
        f"y = torch.export.load({str(path)!r}).module()(torch.load({str(tmp_path / 'x.pt')!r}))\n"
        f"torch.save(y, {str(tmp_path / 'y.pt')!r})\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] in ('audit', 'sanitizer', 'irene')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
    assert torch.allclose(torch.load(tmp_path / "y.pt"), model(x), atol=1e-6)
    loaded = load(path)
    assert torch.allclose(tapped(loaded.module, layer, x), tapped(model, layer, x), atol=1e-6)
