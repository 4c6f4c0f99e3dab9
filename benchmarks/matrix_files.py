"""The cases of benchmarks/matrix.py that are files: what training scripts, converters and other frameworks leave."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from matrix_cases import Case, audited, drawn, package, small_net
from torch import Tensor, nn

import irene
from audit.evidence.audit_result import AuditResult

State = dict[str, Tensor]
ARCH = f"{Path(__file__)}:build"
FOREIGN = {
    "GGUF": ("net.gguf", b"GGUF\3" + bytes(60)),
    "HDF5 of Keras": ("net.h5", b"\x89HDF\r\n\x1a\n" + bytes(60)),
    "TensorFlow Lite": ("net.tflite", b"\x1c\0\0\0TFL3" + bytes(60)),
    "a frozen graph of TensorFlow": ("graph.pb", b"\n\x04abcd" * 9),
    "Core ML": ("net.mlmodel", b"\x08\x04\xa2\x1f\x04abcd"),
    "Flax": ("flax_model.msgpack", b"\x81\xa6params\x81\xa5dense" + bytes(60)),
    "an archive of NumPy": ("net.npz", b""),
    "a pointer of Git LFS": ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "a page of a failed download": ("model.pt", b"<!DOCTYPE html><html>sign in</html>"),
    "a file cut short": ("model.pt", b"PK\3\4" + bytes(400)),
    "an empty file": ("model.pt", b""),
}
"""Names and beginnings of files that are no weights of PyTorch's."""


class Tied(nn.Module):
    """A small language model whose last layer is its first."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.middle = nn.Embedding(16, 8), nn.Linear(8, 8)
        self.scores = nn.Linear(8, 16, bias=False)
        self.scores.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return scores of (n, 16) weights of words."""
        scores: Tensor = self.scores(torch.relu(self.middle(x @ self.words.weight)))
        return scores


def build() -> nn.Module:
    """Build the network whose weights the files hold."""
    return small_net()


def cases() -> Iterator[Case]:
    """Yield every case."""
    for name, change in _nestings().items():
        yield Case("weights", name, partial(_torch_file, change), quick=name == "of Lightning")
    yield Case("weights", "half precision", partial(_torch_file, _halved, rounding=1e-2))
    yield Case("weights", "safetensors", _safetensors)
    yield Case("weights", "shards with an index", _sharded, quick=True)
    yield Case("weights", "a folder with one checkpoint", _in_folder)
    yield Case("weights", "tied, saved once", _tied)
    yield Case("weights", "for a lazy layer", _lazy)
    yield Case("weights", "of torch.save's old format", _old_format)
    yield Case("weights", "of Lightning itself", _lightning, needs=("lightning",))
    yield Case("weights", "of another net", partial(
        _torch_file, lambda state: {"0.weight": state["0.weight"]}), refused=True)  # fmt: skip
    yield Case("weights", "with NaN", partial(
        _torch_file, lambda state: state | {"0.bias": torch.full((8,), torch.nan)}), refused=True)  # fmt: skip
    yield Case("weights", "a pickled module", partial(_pickled, allow_pickle=False), refused=True)
    yield Case("weights", "a pickled module, trusted", partial(_pickled, allow_pickle=True))
    yield Case("weights", "without a model named", lambda folder: irene.load(_safetensors_in(folder)), refused=True)  # type: ignore[arg-type, return-value]  # fmt: skip
    yield Case("program", "TorchScript", _torchscript)
    yield Case("program", "torch.export", _exported)
    yield Case("program", "ONNX", _onnx, needs=("onnx", "onnxruntime"))
    for name in FOREIGN:
        yield Case("foreign", name, partial(_foreign, name), refused=True, quick=name == "GGUF")
    yield Case("foreign", "a SavedModel of TensorFlow", partial(_folder_with, "saved_model.pb"), refused=True)
    yield Case("foreign", "a Core ML package", partial(_folder_with, "Manifest.json"), refused=True)


def _nestings() -> dict[str, Callable[[State], object]]:
    beside = {"step": np.int64(3), "when": datetime(2026, 1, 1, tzinfo=UTC), "where": Path("x"), "lr": np.float32(0.1)}
    return {
        "plain": lambda state: state,
        "under 'model', with an optimizer": lambda state: {"model": state, "optimizer": {"state": {}}, "epoch": 3},
        "of DataParallel": lambda state: _prefixed("module.", state),
        "of torch.compile": lambda state: _prefixed("_orig_mod.", state),
        "of both, under 'state_dict'": lambda state: {"state_dict": _prefixed("module._orig_mod.", state)},
        "of Lightning": lambda state: {
            "state_dict": _prefixed("model.", state) | {"criterion.weight": torch.ones(2)}, "epoch": 1,
            "pytorch-lightning_version": "2.0", "hyper_parameters": {"lr": 0.1}},
        "objects of NumPy, dates and paths beside them": lambda state: {"state_dict": state} | beside,
        "an average beside them": lambda state: {"state_dict": state, "state_dict_ema": state},
        "a profiler's numbers among them": lambda state: state | {"total_ops": torch.zeros(1)},
        "a head of another task beside them": lambda state: {"encoder": state, "head": {"weight": torch.ones(3, 2)}},
    }  # fmt: skip


def _halved(state: State) -> State:
    return {name: value.half() for name, value in state.items()}


def _prefixed(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def _loaded(
    path: Path, made: nn.Module, architecture: str | None = ARCH, *, rounding: float = 1e-5, **given: Any
) -> AuditResult:
    """Load a file, audit it, and see that it answers as what it was made of does."""
    x = drawn(16)
    loaded = irene.load(path, architecture, **given).module
    with torch.inference_mode():
        answer, own = loaded(x), made.eval()(x)
    assert torch.allclose(answer, own, atol=rounding), "other weights"
    return audited(loaded, x)


def _torch_file(change: Callable[[State], object], folder: Path, *, rounding: float = 1e-5) -> AuditResult:
    made = build()
    torch.save(change(made.state_dict()), folder / "model.pt")
    return _loaded(folder / "model.pt", made, rounding=rounding)


def _safetensors(folder: Path) -> AuditResult:
    made = build()
    safetensors.torch.save_file(made.state_dict(), folder / "model.safetensors")
    return _loaded(folder / "model.safetensors", made)


def _safetensors_in(folder: Path) -> Path:
    safetensors.torch.save_file(build().state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def _sharded(folder: Path) -> AuditResult:
    made, places = build(), {}
    for part, (key, value) in enumerate(made.state_dict().items()):
        places[key] = f"model-{part}.safetensors"
        safetensors.torch.save_file({key: value}, folder / places[key])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return _loaded(folder, made)


def _in_folder(folder: Path) -> AuditResult:
    made = build()
    torch.save(made.state_dict(), folder / "last.ckpt")
    (folder / "args.yaml").write_text("lr: 1\n")
    return _loaded(folder, made)


def _tied(folder: Path) -> AuditResult:
    made = Tied()
    once = {name: value for name, value in made.state_dict().items() if name != "scores.weight"}
    safetensors.torch.save_file(once, folder / "model.safetensors")
    return _loaded(folder / "model.safetensors", made, f"{Path(__file__)}:Tied")


def lazy() -> nn.Module:
    """Build the same network, whose first layer does not know its width yet."""
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2))


def _lazy(folder: Path) -> AuditResult:
    made = build()
    torch.save(made.state_dict(), folder / "model.pt")
    return _loaded(folder / "model.pt", made, f"{Path(__file__)}:lazy")


def _old_format(folder: Path) -> AuditResult:
    made = build()
    torch.save(made.state_dict(), folder / "model.pth", _use_new_zipfile_serialization=False)
    return _loaded(folder / "model.pth", made)


def _lightning(folder: Path) -> AuditResult:
    """Let Lightning write a checkpoint, of a module that holds the network as `net`."""
    lightning = package("lightning")
    made = build()

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters({"lr": 0.1, "root": Path("x")})
            self.net, self.criterion = made, nn.CrossEntropyLoss(weight=torch.ones(2))

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            loss: Tensor = self.criterion(self.net(batch[0]), batch[1])
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(drawn(16), torch.zeros(len(drawn(16))).long()), 8)
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(Module(), rows)
    trainer.save_checkpoint(folder / "last.ckpt")
    return _loaded(folder / "last.ckpt", made)


def _pickled(folder: Path, *, allow_pickle: bool) -> AuditResult:
    made = build()
    torch.save(made, folder / "net.pt")
    return _loaded(folder / "net.pt", made, None, allow_pickle=allow_pickle)


def _torchscript(folder: Path) -> AuditResult:
    made = build().eval()
    torch.jit.trace(made, torch.zeros(2, 16)).save(str(folder / "net.pt"))  # type: ignore[no-untyped-call]
    return _loaded(folder / "net.pt", made, None)


def _exported(folder: Path) -> AuditResult:
    made = build().eval()
    rows = torch.export.Dim("rows", min=1)
    torch.export.save(torch.export.export(made, (torch.zeros(2, 16),), dynamic_shapes=({0: rows},)), folder / "net.pt2")
    return _loaded(folder / "net.pt2", made, None)


def _onnx(folder: Path) -> AuditResult:
    onnx = package("onnx")
    made = build()
    held = [onnx.numpy_helper.from_array(value.numpy(), key) for key, value in made.state_dict().items()]
    nodes = [
        onnx.helper.make_node("Gemm", ["x", "0.weight", "0.bias"], ["h"], transB=1, name="first"),
        onnx.helper.make_node("Relu", ["h"], ["z"], name="relu"),
        onnx.helper.make_node("Gemm", ["z", "2.weight", "2.bias"], ["y"], transB=1, name="last"),
    ]
    given, answered = (
        [onnx.helper.make_tensor_value_info(name, 1, ["n", width])] for name, width in (("x", 16), ("y", 2))
    )
    graph = onnx.helper.make_graph(nodes, "net", given, answered, held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "net.onnx")
    return _loaded(folder / "net.onnx", made, None)


def _foreign(name: str, folder: Path) -> AuditResult:
    called, content = FOREIGN[name]
    path = folder / called
    if called.endswith(".npz"):
        np.savez(path, kernel=np.ones((2, 2)))
    else:
        path.write_bytes(content)
    return _loaded(path, build())


def _folder_with(name: str, folder: Path) -> AuditResult:
    (folder / "model").mkdir()
    (folder / "model" / name).write_bytes(bytes(60))
    return _loaded(folder / "model", build())
