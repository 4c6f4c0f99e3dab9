"""Checkpoints: strangers' files load to the same bits or are refused in one line, and none of their code runs."""

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from audit import atomic_write
from audit.errors import CheckpointError, IreneError, UnknownNameError
from audit.evidence import audit_result, json_file
from audit.model import checkpoint, state_dict
from audit.model.architecture import build, in_words
from audit.model.describe import describe_checkpoint

FACTORY = """
from torch import nn
def net(num_classes=2):
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, num_classes))
def number():
    return 3
"""


@pytest.fixture
def arch(tmp_path: Path) -> str:
    (tmp_path / "arch.py").write_text(FACTORY, encoding="utf-8")
    return f"{tmp_path / 'arch.py'}:net"


def net(classes: int = 2) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in net().state_dict().items()}


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(
        found[key].dtype == wanted[key].dtype and torch.equal(found[key], wanted[key]) for key in wanted
    )


def refusal(path: Path, arch: str = "small-convnet", **arguments: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, arch, arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert "weights_only" not in message, "a refusal must not advise to load the pickle after all"
    return message


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model."])
@pytest.mark.parametrize("nest", [None, "state_dict", "model", "state_dict_ema"])
def test_every_wrapping_loads_to_bit_equal_weights(prefix: str, nest: str | None, arch: str, tmp_path: Path) -> None:
    path, state = tmp_path / "a.pt", prefixed(prefix)
    torch.save({nest: state} if nest else state, path)
    loaded = checkpoint.load(path, arch)
    assert same(loaded.module.state_dict(), net().state_dict())
    found = checkpoint.require_weights(loaded)
    assert (found.prefix, found.key, loaded.notes) == (prefix, nest, ())
    assert not loaded.module.training


def test_safetensors_and_the_old_torch_format_load_to_bit_equal_weights(arch: str, tmp_path: Path) -> None:
    safetensors.torch.save_file(prefixed("module."), tmp_path / "a.safetensors")
    torch.save(net().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "old.pt"):
        assert same(checkpoint.load(tmp_path / name, arch).module.state_dict(), net().state_dict())


def test_a_wrapper_that_calls_its_only_part_module_keeps_its_names(tmp_path: Path) -> None:
    (tmp_path / "arch.py").write_text(
        FACTORY + "def wrapped():\n    return nn.ModuleDict({'module': net()})\n", encoding="utf-8"
    )
    torch.save(prefixed("module."), tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", f"{tmp_path / 'arch.py'}:wrapped")
    assert same(loaded.module.state_dict(), prefixed("module."))


def test_the_plain_weights_come_before_their_average_and_what_else_is_there_is_noted(arch: str, tmp_path: Path) -> None:
    state = net().state_dict()
    average = {key: value + 1 for key, value in state.items()}
    torch.save({"model_ema": average, "epoch\n": 3, "optimizer": {}, "model": state}, tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", arch)
    assert same(loaded.module.state_dict(), state)
    assert loaded.notes == (
        "the weights under 'model' were taken; others stand under model_ema (--weights-key)",
        "the checkpoint also holds epoch\\n, optimizer, which was not used",
    )
    chosen = checkpoint.load(tmp_path / "a.pt", arch, weights_key="model_ema")
    assert same(chosen.module.state_dict(), average)
    assert chosen.weights_key == "model_ema"


def test_a_key_chooses_among_weights_and_a_wrong_one_is_told_the_right_ones(arch: str, tmp_path: Path) -> None:
    path, state = tmp_path / "a.pt", net().state_dict()
    other = {key: value + 1 for key, value in state.items()}
    torch.save({"generator": state, "ema": {"decay": 0.9, "module": other}}, path)
    loaded = checkpoint.load(path, arch, weights_key="ema.module")
    assert same(loaded.module.state_dict(), other)
    assert describe_checkpoint(loaded)[0].weights_key == "ema.module"
    with pytest.raises(UnknownNameError, match=r"Did you mean 'ema.module'\? Known: ema.module, generator"):
        checkpoint.load(path, arch, weights_key="ema.modul")
    child = tmp_path / "new.pt"
    state_dict.write_like(checkpoint.require_weights(loaded), loaded.module, child, child.suffix)
    assert same(torch.load(child, weights_only=True)["ema"]["module"], other)
    torch.save({"one": state, "two": other}, path)
    assert "in several places: one, two. Choose one with --weights-key" in refusal(path, arch)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="under no key"):
        checkpoint.load(path, arch, weights_key="model")


def test_an_optimizers_state_is_never_taken_for_weights(arch: str, tmp_path: Path) -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    torch.save({"mine": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}, tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", arch)
    assert same(loaded.module.state_dict(), model.state_dict())
    assert loaded.weights_key == "mine"


def test_the_checkpoint_of_a_lightning_module_and_of_an_averaged_model_load(arch: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"epoch": 1, "state_dict": prefixed("model."), "hyper_parameters": {"lr": 0.1}}, path)
    assert same(checkpoint.load(path, arch).module.state_dict(), net().state_dict())
    torch.save(torch.optim.swa_utils.AveragedModel(net()).state_dict(), path)
    loaded = checkpoint.load(path, arch)
    assert same(loaded.module.state_dict(), net().state_dict())
    assert "its counter 'n_averaged' was left out" in loaded.notes[0]


def test_weights_without_an_architecture_are_told_to_name_one(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"weights without a model\. Name what builds it: --arch"):
        checkpoint.load(tmp_path / "a.pt")


def test_timm_builds_by_name_and_downloads_nothing(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        model = timm.create_model("resnet10t", num_classes=2)
    torch.save(model.state_dict(), tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", "timm:resnet10t", {"num_classes": 2})
    assert same(loaded.module.state_dict(), model.state_dict())
    assert loaded.architecture == "timm:resnet10t(num_classes=2)"
    with pytest.raises(UnknownNameError, match=r"timm model 'resnet10'\. Did you mean 'resnet10t'"):
        build("timm:resnet10", {})
    with pytest.raises(CheckpointError, match="Leave 'pretrained' and 'checkpoint_path' out"):
        build("timm:resnet10t", {"pretrained": True})


def test_timm_that_is_not_installed_is_told_how_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CheckpointError, match=r"pip install 'irene-audit\[timm\]'"):
        build("timm:resnet10t", {})


def test_a_pickled_module_loads_only_when_asked_and_says_so(tmp_path: Path) -> None:
    path, model = tmp_path / "a.pt", net().train()
    for content, key in ((model, None), ({"ema": None, "epoch": 2, "model": model}, "model")):
        torch.save(content, path)
        assert "Only if you made this file yourself: --allow-pickle" in refusal(path)
        loaded = checkpoint.load(path, allow_pickle=True)
        assert same(loaded.module.state_dict(), net().state_dict())
        assert not loaded.module.training
        described, notes = describe_checkpoint(loaded)
        assert (described.format, described.pickle_ran, described.weights_key) == ("pickled module", True, key)
        assert described.architecture == "torch.nn.modules.container.Sequential"
        assert any("code of its own ran" in note for note in notes)
        with pytest.raises(CheckpointError, match="is a pickled module and can be audited, not sanitized"):
            checkpoint.require_weights(loaded)


def test_weights_beside_odd_objects_load_through_a_pickle_into_the_architecture(arch: str, tmp_path: Path) -> None:
    torch.save({"model": net().state_dict(), "loss": nn.CrossEntropyLoss()}, tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", arch, allow_pickle=True)
    assert same(loaded.module.state_dict(), net().state_dict())
    assert (loaded.format, loaded.pickle_ran) == ("state_dict", True)
    checkpoint.require_weights(loaded)


def test_allowing_pickle_runs_nothing_where_the_weights_can_be_read_without_it(arch: str, tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "a.pt")
    assert not describe_checkpoint(checkpoint.load(tmp_path / "a.pt", arch, allow_pickle=True))[0].pickle_ran


def test_a_pickle_whose_class_is_gone_says_which(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"\x80\x02cabsent_module\nNet\n.")
    with pytest.raises(CheckpointError, match="cannot be unpickled here") as caught:
        checkpoint.load(path, allow_pickle=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["zip", "zip, protocol 4", "old", "bare pickle"])
def test_a_malicious_pickle_is_refused_by_name_and_never_runs(form: str, tmp_path: Path) -> None:
    path, content = tmp_path / "a.pt", {"a": Evil(tmp_path / "ran")}
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        protocol = 4 if "4" in form else 2
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=form != "old")
    message = refusal(path)
    assert f"{os.system.__module__}.system" in message
    assert "torch.save(model.state_dict()" in message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("new", [True, False])
def test_a_whole_pickled_module_is_refused_by_its_classes(new: bool, tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    assert "run code from torch.nn.modules.linear.Linear;" in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_truncated_damaged_empty_missing_or_text_file_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    assert "No checkpoint" in refusal(path)
    if suffix == "pt":
        torch.save(net().state_dict(), path)
    else:
        safetensors.torch.save_file(net().state_dict(), path)
    whole = path.read_bytes()
    broken = [whole[:10], whole[: len(whole) // 2], whole[:-1], b"", b"hello world\n"]
    if suffix == "pt":
        directory = whole.rindex(b"PK\x01\x02")
        broken.append(whole[:directory] + b"XXXX" + whole[directory + 4 :])
    for content in broken:
        path.write_bytes(content)
        assert str(path) in refusal(path)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (3, "holds a int"),
        ([torch.zeros(1)], "holds a list"),
        ({"epoch": 1, "a\nb\x1b[31m": 2}, r"it holds: a\nb\x1b[31m, epoch"),
        ({"w": torch.tensor([1.0, float("nan")])}, "NaN or infinity in 'w'"),
        ({"w": torch.tensor([float("inf")], dtype=torch.bfloat16)}, "NaN or infinity in 'w'"),
        ({"w": torch.tensor([float("nan")]).to(torch.float8_e5m2)}, "weights that are torch.float8_e5m2 (w)"),
        ({"w": torch.eye(2).to_sparse()}, "weights that are sparse (w)"),
        ({"w": torch.zeros(2, device="meta")}, "weights that are on no device (w)"),
    ],
)
def test_a_file_without_usable_weights_is_refused(content: Any, fact: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert fact in refusal(tmp_path / "a.pt")


def test_what_does_not_fit_is_named(arch: str, tmp_path: Path) -> None:
    path, state = tmp_path / "a.pt", net().state_dict()
    torch.save({**{k: v for k, v in state.items() if k != "0.bias"}, "9.stray": torch.zeros(1)}, path)
    message = refusal(path, arch)
    assert "1 missing from the file: 0.bias" in message
    assert "1 unknown to the model: 9.stray" in message
    torch.save(net(1000).state_dict(), path)
    message = refusal(path, arch)
    assert "2.weight is [1000, 4] in the file and [2, 4] in the model" in message
    assert "--arch-arg num_classes" in message
    assert checkpoint.load(path, arch, {"num_classes": 1000}).architecture.endswith("net(num_classes=1000)")


def test_an_architecture_is_told_without_the_folders_of_its_files() -> None:
    given = {"words": "clients/ada/words.txt", "more": ["/srv/a.txt", 2], "width": 8}
    assert in_words("own:net", given) == "own:net(more=['a.txt', 2], width=8, words='words.txt')"


def test_an_architecture_that_cannot_be_built_says_why(arch: str) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'small-convnet'"):
        build("smal-convnet", {})
    assert "Did you mean 'income_per_year'?" in str(UnknownNameError("column", "income", ["age", "income_per_year"]))
    assert "Did you mean" not in str(UnknownNameError("column", "in", ["income", "industry"]))  # which of them?
    with pytest.raises(UnknownNameError, match=r"option of small-convnet 'classes'.*'num_classes'"):
        build("small-convnet", {"classes": 2})
    with pytest.raises(CheckpointError, match=r"gave a int, not a torch.nn.Module"):
        build(arch.replace(":net", ":number"), {})
    with pytest.raises(CheckpointError, match=r"cannot be built with \{'num_classes': 'two'\}"):
        build("small-convnet", {"num_classes": "two"})
    with pytest.raises(IreneError, match="No architecture file"):
        build("absent.py:net", {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_saving_keeps_everything_but_the_optimizers_state(
    dtype: torch.dtype, name: str, arch: str, tmp_path: Path
) -> None:
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in prefixed("module.").items()}
    parent, child, nested = tmp_path / name, tmp_path / f"new-{name}", name.endswith("pt")
    if nested:
        torch.save({"model": state, "optimizer": {"lr": 1.0}}, parent)
    else:
        safetensors.torch.save_file(state, parent)
    loaded = checkpoint.load(parent, arch)
    with torch.no_grad():
        for parameter in loaded.module.parameters():
            parameter.add_(1)
    state_dict.write_like(checkpoint.require_weights(loaded), loaded.module, child, child.suffix)
    written = torch.load(child, weights_only=True) if nested else safetensors.torch.load_file(child)
    assert not nested or list(written) == ["model"]
    tensors = written["model"] if nested else written
    parameters = {"module." + key for key, _ in loaded.module.named_parameters()}
    wanted = {k: ((v.float() + 1).to(dtype) if k in parameters else v) for k, v in state.items()}
    assert same(dict(tensors), wanted)


def test_an_interrupted_save_leaves_the_old_file_and_no_other(
    arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_content: Any, file: IO[bytes]) -> NoReturn:
        file.write(b"PK")
        raise KeyboardInterrupt

    torch.save(net().state_dict(), tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", arch)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt), atomic_write.staged(tmp_path / "a.pt") as staging:
        state_dict.write_like(checkpoint.require_weights(loaded), loaded.module, staging, ".pt")
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("content", ["{}", '{"epochs": 3}', "[1]", "no JSON", ""])
def test_another_file_of_the_name_of_a_record_is_left_out_and_told(arch: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(OrderedDict(net().state_dict()), path)
    audit_result.sidecar(path).write_text(content, encoding="utf-8")
    described, notes = describe_checkpoint(checkpoint.load(path, arch))
    assert described.sanitizing is None
    assert "a.pt.json is no record of irene sanitize and was left out" in notes
    audit_result.sidecar(path).write_text('{"sanitizing": ', encoding="utf-8")
    with pytest.raises(IreneError, match=r"a\.pt\.json is not a sanitizer's record"):
        describe_checkpoint(checkpoint.load(path, arch))


def test_a_record_counts_only_for_the_file_that_it_names(arch: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(OrderedDict(net().state_dict()), path)
    loaded = checkpoint.load(path, arch)
    assert describe_checkpoint(loaded)[0].parameters == 3 * 4 + 4 + 2 * 4 + 4 * 2 + 2
    assert describe_checkpoint(loaded)[0].sanitizing is None
    sanitizing = audit_result.Sanitizing(
        method="irene", settings={}, layer="2:input", parent_sha256="0", trace=[], head_accuracy={}, head_rows=0,
        data_fingerprint="0", versions={},
    )  # fmt: skip
    for sha, kept in (("0" * 64, None), (atomic_write.sha256(path), sanitizing)):
        json_file.write_model(audit_result.Sidecar(sha256=sha, sanitizing=sanitizing), audit_result.sidecar(path))
        described, notes = describe_checkpoint(loaded)
        assert described.sanitizing == kept
        assert [note for note in notes if "another checkpoint" in note] == ([] if kept else notes)
        assert bool(notes) == (kept is None)
