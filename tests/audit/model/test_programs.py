"""Programs: their layers give what the model's gave, and what a hostile one would run is refused unrun."""

import io
import json
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from audit import atomic_write
from audit.errors import BottleneckError, CheckpointError
from audit.model import checkpoint
from audit.model.checkpoint import LoadedModel
from audit.model.checkpoint_file import open_checkpoint
from audit.model.describe import describe_checkpoint
from audit.model.layers import lay_out, tap
from audit.model.programs.exported_program import _plain
from audit.model.structure.eval_mode import evaluating, require_evaluating
from audit.model.structure.listing import layers, suggest

LAYERS = ["bn", "relu", "body.0.bn", "body.1", "body.1.down", "pool", "fc:input", "fc", "logits"]


class Block(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out)
        self.down = nn.Conv2d(width, out, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn(self.conv(x))
        h += self.down(x)
        out: Tensor = self.relu(h)
        return out


class Net(nn.Module):
    """Like torchvision's ResNet: ReLU in place, blocks in a Sequential, a forward that hands on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.body = nn.Sequential(Block(4, 4), Block(4, 6))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.body(self.relu(self.bn(self.conv(x))))
        out: Tensor = self.fc(torch.flatten(self.pool(x), 1))
        return out

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] > 1:
            x = self.second(x)
        out: Tensor = self.first(x)
        return out


def net() -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Net()
        model(torch.randn(8, 3, 8, 8))  # running statistics that are not the initial ones
        return model.eval()


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def save(how: str, model: nn.Module, path: Path, x: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out, its files are not
        if how == "scripted":
            torch.jit.save(torch.jit.script(model), path)
        elif how == "traced":
            torch.jit.save(torch.jit.trace(model, x), path)  # type: ignore[no-untyped-call]
        else:
            shapes = ({0: torch.export.Dim("rows")},) if how == "dynamic" else None
            torch.export.save(torch.export.export(model, (x,), dynamic_shapes=shapes), path)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder, model = tmp_path_factory.mktemp("programs"), net()

    def path(how: str) -> Path:
        found = folder / (f"{how}.pt" if how in ("scripted", "traced") else f"{how}.pt2")
        if not found.exists():
            save(how, model, found, images())
        return found

    return path


def features(model: nn.Module, x: Tensor, layers: list[str] = LAYERS) -> dict[str, Tensor]:
    pooling, _ = lay_out(model, x, layers, fixed_batch=len(x))
    with evaluating(model), torch.inference_mode(), tap(model, layers, pooling) as taps:
        model(x)
        require_evaluating(model)
        return taps.take()


HOW = ["scripted", "traced", "static", "dynamic"]


@pytest.mark.parametrize("how", HOW)
def test_every_layer_of_a_program_gives_what_the_models_layer_gives(how: str, programs: Callable[[str], Path]) -> None:
    loaded = checkpoint.load(programs(how))
    before = {key: value.clone() for key, value in loaded.module.state_dict().items()}
    for x in [images(), images().flip(0)] + ([images(5)] if how != "static" else []):
        wanted, found = features(net(), x), features(loaded.module, x)
        for layer in LAYERS:
            torch.testing.assert_close(found[layer], wanted[layer])
    assert all(torch.equal(value, before[key]) for key, value in loaded.module.state_dict().items())
    assert before.keys() == net().state_dict().keys()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in loaded.module.modules())


@pytest.mark.parametrize("how", HOW)
def test_a_program_lists_the_models_layers_and_suggests_the_same_bottleneck(
    how: str, programs: Callable[[str], Path]
) -> None:
    loaded, x = checkpoint.load(programs(how)), images()
    assert layers(loaded.module, x, fixed_batch=loaded.fixed_batch) == layers(net(), x)
    assert suggest(loaded.module, x, fixed_batch=loaded.fixed_batch) == "fc:input"
    described, _notes = describe_checkpoint(loaded)
    assert described.architecture == "Net"
    assert described.parameters == sum(parameter.numel() for parameter in net().parameters())
    assert described.format == ("torchscript" if how in HOW[:2] else "exported program")
    assert not described.pickle_ran


def test_only_a_program_of_one_batch_size_says_which(programs: Callable[[str], Path]) -> None:
    assert [checkpoint.load(programs(how)).fixed_batch for how in HOW] == [None, None, 2, None]


@pytest.mark.parametrize(
    ("how", "what"), [("traced", "a TorchScript program"), ("static", "a program of torch.export")]
)
def test_a_program_can_be_audited_not_sanitized(how: str, what: str, programs: Callable[[str], Path]) -> None:
    loaded: LoadedModel = checkpoint.load(programs(how), "small-convnet")
    assert loaded.notes == ("the file is a program of its own; small-convnet was not used",)
    with pytest.raises(CheckpointError, match=f"is {what} and can be audited, not sanitized. Give the state_dict"):
        checkpoint.require_weights(loaded)
    with pytest.raises(CheckpointError, match="keeps no weights under keys"):
        checkpoint.load(programs(how), weights_key="model")


def test_a_scripted_program_that_was_saved_in_train_mode_is_read_in_eval_mode(tmp_path: Path) -> None:
    save("scripted", net().train(), tmp_path / "a.pt", images())
    found = features(checkpoint.load(tmp_path / "a.pt").module, images())
    torch.testing.assert_close(found["fc"], features(net(), images())["fc"])


@pytest.mark.parametrize(
    ("how", "fact"), [("traced", "was traced in train mode"), ("static", "exported in train mode")]
)
def test_a_program_that_was_made_in_train_mode_is_refused(how: str, fact: str, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).train()
    if how == "traced":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.jit.trace(model, torch.ones(2, 3), check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(program, tmp_path / "a.pt")
    else:
        save(how, model, tmp_path / "a.pt", torch.ones(2, 3))
    with pytest.raises(CheckpointError, match=fact):
        checkpoint.load(tmp_path / "a.pt")


def test_a_layer_inside_a_branch_of_a_program_is_refused_and_others_are_read(tmp_path: Path) -> None:
    model, x = Branching().eval(), torch.randn(4, 3)
    save("scripted", model, tmp_path / "a.pt", x)
    module = checkpoint.load(tmp_path / "a.pt").module
    torch.testing.assert_close(features(module, x, ["first:input"]), features(model, x, ["first:input"]))
    with pytest.raises(BottleneckError, match="'second' ran 0 times"):
        features(module, x, ["second"])


def test_a_list_that_grows_later_is_seen_as_it_was_at_the_call(tmp_path: Path) -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, parts: list[Tensor]) -> Tensor:
            total: Tensor = self.inner(torch.stack(parts).sum(dim=0))
            return total

    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = Sum()

        def forward(self, x: Tensor) -> Tensor:
            parts = [x]
            total: Tensor = self.sum(parts)
            parts.append(total)
            return torch.cat(parts, dim=1)

    save("scripted", Growing(), tmp_path / "a.pt", torch.ones(2, 3))
    x = torch.randn(2, 3)
    assert torch.equal(features(checkpoint.load(tmp_path / "a.pt").module, x, ["sum.inner"])["sum.inner"], x)


def test_a_scripted_transformer_lists_its_layers_and_gives_its_token(tmp_path: Path) -> None:
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 2)).eval()
    x = torch.randn(2, 5, 8)
    save("scripted", model, tmp_path / "a.pt", x)
    module = checkpoint.load(tmp_path / "a.pt").module
    assert suggest(module, x) == "1:input"
    torch.testing.assert_close(features(module, x, ["1:input", "0"]), features(model, x, ["1:input", "0"]))


def test_a_frozen_program_has_no_layers_and_its_output_can_be_read(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.freeze(torch.jit.script(net())), tmp_path / "a.pt")
    module = checkpoint.load(tmp_path / "a.pt").module
    assert layers(module, images()) == []
    torch.testing.assert_close(features(module, images(), ["logits"]), features(net(), images(), ["logits"]))


def test_a_file_is_of_one_kind_whatever_its_name_and_loads_under_its_own_hash(
    programs: Callable[[str], Path], tmp_path: Path
) -> None:
    torch.save(net().state_dict(), tmp_path / "a.pt")
    safetensors.torch.save_file(net().state_dict(), tmp_path / "a.safetensors")
    kinds = {
        programs("traced"): "torchscript",
        programs("dynamic"): "exported program",
        tmp_path / "a.pt": "torch file",
        tmp_path / "a.safetensors": "safetensors",
    }
    for path, kind in kinds.items():
        file = open_checkpoint(str(path))
        assert (file.kind, bool(file.members)) == (kind, kind != "safetensors")
        assert file.sha256 == atomic_write.sha256(path)
        if kind in ("torchscript", "exported program"):
            renamed = Path(shutil.copy(path, tmp_path / "program.safetensors"))
            assert checkpoint.load(str(renamed)).sha256 == file.sha256
            assert checkpoint.load(renamed).format == open_checkpoint(renamed).kind == kind


class Reading(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.from_file("secret.bin", size=1)


class Writing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.zeros(1)

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return self.kept, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.kept, self.training = state
        torch.save(self.kept, "written.pt")

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(("model", "name"), [(Reading(), "from_file"), (Writing(), "save")])
def test_a_program_that_touches_files_is_refused_before_it_runs(
    model: nn.Module, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save("scripted", model, tmp_path / "a.pt", torch.ones(1))
    with pytest.raises(CheckpointError, match=rf"calls 'torch\.{name}', which is no arithmetic"):
        checkpoint.load(tmp_path / "a.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def rewritten(path: Path, to: Path, change: Callable[[str, bytes], bytes], **more: bytes) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        root = old.namelist()[0].partition("/")[0]
        for name, content in more.items():
            new.writestr(f"{root}/{name}" if name != "version" else name, content)
    return to


def described(change: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def apply(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        change(program["graph_module"])
        return json.dumps(program).encode()

    return apply


def unchanged(_name: str, content: bytes) -> bytes:
    return content


def calling(graph: Any) -> None:
    graph["graph"]["nodes"][0]["target"] = "torch.os.mkdir"


def importing(graph: Any) -> None:
    graph["module_call_graph"][0]["signature"]["in_spec"] += "\\u005f"


def naming(graph: Any) -> None:
    graph["graph"]["inputs"][0]["as_tensor"]["name"] = "x=__import__('os').mkdir('ran')"


def computing(graph: Any) -> None:
    graph["graph"]["tensor_values"]["x"]["sizes"][0] = {"as_expr": {"expr_str": "__import__('os').mkdir('ran')"}}


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (calling, "calls 'torch.os.mkdir', which is no arithmetic"),
        (importing, "imports a module"),
        (naming, "has the odd name"),
        (computing, "computes a size by"),
    ],
)
def test_an_exported_program_that_would_run_more_than_arithmetic_is_refused(
    change: Callable[[Any], None], fact: str, programs: Callable[[str], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = rewritten(programs("dynamic"), tmp_path / "a.pt2", described(change))
    with pytest.raises(CheckpointError, match=fact) as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "size",
    ["1" * 40 + "$", "a" * 40 + "$", "9**9**9**9", "LShift(1, 1000000000000)", "Pow(9, Pow(9, Pow(9, 9)))",
     "Pow(s0, s1)", "(" * 5000, "x" * 20_000, "[1]", "s0.real", "lambda: 1", "9" * 30],
)  # fmt: skip
def test_a_size_that_would_take_time_or_more_than_arithmetic_is_not_plain(size: str) -> None:
    assert not _plain(size)


@pytest.mark.parametrize(
    "size",
    ["Symbol('s77', positive=True, integer=True)", "2*s0 + 1", "FloorDiv(s0 + 3, 2)", "Pow(Symbol('s0'), Integer(2))",
     "s0**2", "Mod(s0, 4) == 0", "Max(1, s0)", "(s0 - 1)//2"],
)  # fmt: skip
def test_a_size_as_torch_writes_it_is_plain(size: str) -> None:
    assert _plain(size)


def odd_inputs(graph: Any) -> None:
    graph["graph"]["nodes"][0]["inputs"] = [1, {"name": "train", "arg": None}]


def test_odd_parts_of_a_description_end_in_one_line(programs: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        checkpoint.load(rewritten(programs("dynamic"), tmp_path / "a.pt2", described(odd_inputs)))


def test_pickles_inside_an_exported_program_never_run(programs: Callable[[str], Path], tmp_path: Path) -> None:
    evil = io.BytesIO()
    torch.save((Evil(tmp_path / "ran"),), evil)

    def inputs(name: str, content: bytes) -> bytes:
        return evil.getvalue() if "sample_inputs" in name else content

    def weights(name: str, content: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return evil.getvalue() if "data/weights/weight_" in name else content

    for change in (inputs, weights):
        path = rewritten(programs("dynamic"), tmp_path / "a.pt2", change)
        with pytest.raises(CheckpointError, match="cannot be loaded safely here") as caught:
            checkpoint.load(path)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "ran").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.parametrize(
    ("part", "fact"),
    [
        ("data/constants/opaque_obj_0", "holds a pickle"),
        ("data/aotinductor/model/a.so", "holds a compiled library"),
        ("version", "is no program that this version reads"),
    ],
)
def test_an_exported_program_with_a_dangerous_part_is_refused(
    part: str, fact: str, programs: Callable[[str], Path], tmp_path: Path
) -> None:
    content = pickle.dumps(Evil(tmp_path / "ran"))
    path = rewritten(programs("dynamic"), tmp_path / "a.pt2", unchanged, **{part: content})
    with pytest.raises(CheckpointError, match=fact):
        checkpoint.load(path)
    assert not (tmp_path / "ran").exists()
    plain = rewritten(programs("dynamic"), tmp_path / "plain.pt2", unchanged)
    assert checkpoint.load(plain).architecture == "Net", "rewriting alone is not what is refused"


@pytest.mark.parametrize("how", ["traced", "dynamic"])
def test_a_damaged_program_is_refused_in_one_line(how: str, programs: Callable[[str], Path], tmp_path: Path) -> None:
    def broken(name: str, content: bytes) -> bytes:
        return content[: len(content) // 2] if name.endswith(("model.json", "data.pkl")) else content

    path = rewritten(programs(how), tmp_path / "a.pt2", broken)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
