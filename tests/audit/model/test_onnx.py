"""ONNX models: their layers give what the model's gave, and what one asks for beyond arithmetic is refused."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError
from audit.model.checkpoint import LoadedModel, load, require_weights
from audit.model.describe import describe_checkpoint
from audit.model.layers import lay_out, tap
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.listing import layers, suggest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.skip, self.pool, self.fc = nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu(self.bn(self.conv(x)))
        h = self.relu(h + self.skip(h))
        out: Tensor = self.fc(torch.flatten(self.pool(h), 1))
        return out


def net() -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net().eval()


def images(count: int = 5) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def graph(model: Net, rows: int | str = "n") -> Any:
    """Build the net of ONNX's operators, as an exporter does."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    state = {name: value.numpy() for name, value in model.state_dict().items() if value.ndim}
    node = helper.make_node
    bn = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]
    nodes = [
        node("Conv", ["x", "conv.weight", "conv.bias"], ["/conv/Conv_output_0"], kernel_shape=[3, 3]),
        node("BatchNormalization", ["/conv/Conv_output_0", *bn], ["bn"]),
        node("Relu", ["bn"], ["h"]),
        node("Conv", ["h", "skip.weight", "skip.bias"], ["skip"], kernel_shape=[1, 1]),
        node("Add", ["h", "skip"], ["sum"]),
        node("Relu", ["sum"], ["relu"]),
        node("GlobalAveragePool", ["relu"], ["pool"]),
        node("Flatten", ["pool"], ["flat"]),
        node("Gemm", ["flat", "fc.weight", "fc.bias"], ["logits"], transB=1),
    ]
    made = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", float32, [rows, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", float32, [rows, 2])],
        [onnx.numpy_helper.from_array(value, name) for name, value in state.items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(path: Path, rows: int | str = "n") -> LoadedModel:
    onnx.save(graph(net(), rows), path)
    return load(path)


def features(model: nn.Module, x: Tensor, names: list[str], fixed: int | None = None) -> dict[str, Tensor]:
    pooling, _ = lay_out(model, x, names, fixed_batch=fixed)
    with evaluating(model), torch.inference_mode(), tap(model, names, pooling) as taps:
        model(x)
        return taps.take()


def test_layers_give_what_the_models_gave_with_channels_known_and_the_bottleneck_suggested(tmp_path: Path) -> None:
    loaded, model, x = saved(tmp_path / "a.onnx"), net(), images()
    assert torch.allclose(loaded.module(x), model(x), atol=1e-5)
    pairs = {"conv/Conv": "conv", "bn": "bn", "relu": "pool:input", "pool": "pool", "logits:input": "fc:input",
             "logits": "fc"}  # fmt: skip
    found, wanted = features(loaded.module, x, list(pairs)), features(model, x, list(pairs.values()))
    for name, own in pairs.items():
        assert torch.allclose(found[name], wanted[own], atol=1e-5), name
    assert suggest(loaded.module, x, classes=2) == "logits:input"
    listed = {one.name: (one.kind, one.shape, one.width, one.fired) for one in layers(loaded.module, x)}
    assert listed["conv/Conv"] == ("Conv2d", (4, 6, 6), 4, 1)
    assert listed["sum"] == ("Add", (4, 6, 6), 4, 1)
    assert list(listed) == ["conv/Conv", "bn", "h", "skip", "sum", "relu", "pool", "flat", "logits"]
    described = describe_checkpoint(loaded)[0]
    assert (described.format, described.parameters) == ("onnx", sum(v.numel() for v in model.state_dict().values()) - 1)
    with pytest.raises(CheckpointError, match="is an ONNX model and can be audited, not sanitized"):
        require_weights(loaded)


def test_a_model_of_one_batch_size_says_so_and_inputs_are_cast_to_what_it_takes(tmp_path: Path) -> None:
    loaded = saved(tmp_path / "a.onnx", rows=3)
    assert loaded.fixed_batch == 3
    assert loaded.module(images(3).double()).dtype == torch.float32
    assert features(loaded.module, images(3), ["relu"], fixed=3)["relu"].shape == (3, 4)
    with pytest.raises(CheckpointError, match=r"cannot be run on inputs of shape \[2, 3, 8, 8\]") as caught:
        loaded.module(images(2))
    assert "\n" not in str(caught.value)


def test_a_file_under_another_name_is_told_by_its_structure(tmp_path: Path) -> None:
    assert saved(tmp_path / "model.bin").format == "onnx"


def test_what_asks_for_more_than_arithmetic_or_is_damaged_is_refused(tmp_path: Path) -> None:
    path, proto = tmp_path / "a.onnx", graph(net())
    proto.graph.node[0].domain = "evil.ops"
    onnx.save(proto, path)
    with pytest.raises(CheckpointError, match=r"calls operators of evil\.ops.*none is loaded"):
        load(path)
    for location, told in (("../secret", "no file beside it"), ("/etc/passwd", "no file beside it")):
        proto = graph(net())
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(CheckpointError, match=told):
            load(path)
    proto = graph(net())
    proto.graph.input.add().CopyFrom(onnx.helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, ["n"]))
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(CheckpointError, match=r"takes 2 inputs \(x, mask\)"):
        load(path)
    whole = graph(net()).SerializeToString()
    for cut in (whole[: len(whole) // 2], whole[:-40]):
        path.write_bytes(cut)
        with pytest.raises(CheckpointError) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_weights_in_a_file_beside_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    onnx.save(graph(net()), path, save_as_external_data=True, location="a.data", size_threshold=0)
    assert torch.allclose(load(path).module(images()), net()(images()), atol=1e-5)
    (tmp_path / "a.data").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"is shorter than a\.onnx says"):
        load(path)


def test_what_torch_exports_gives_the_same(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on its way out, its files are not
        try:
            torch.onnx.export(net(), (images(),), str(tmp_path / "a.onnx"), dynamo=False, input_names=["x"],
                              dynamic_axes={"x": {0: "n"}})  # fmt: skip
        except (ImportError, TypeError, RuntimeError) as error:
            pytest.skip(f"this torch exports by onnxscript alone: {error}")
    loaded = load(tmp_path / "a.onnx")
    assert torch.allclose(loaded.module(images(3)), net()(images(3)), atol=1e-5)
    assert suggest(loaded.module, images(3), classes=2).endswith(":input")
