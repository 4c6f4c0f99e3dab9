"""ONNX models as modules whose layers can be tapped, run by onnxruntime on the CPU.

Each named tensor between the model's operators is a layer. A model that is hooked is run once more with the tensors
at the hooks as further outputs; they pass through stand-ins, whose hooks fire as on an ordinary module. Hooks see
values and cannot change them. Operators are ONNX's own and onnxruntime's: no library of others is loaded.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError, IreneError, first_line, in_one_line, listed
from audit.file_limits import opened, require_plausible, require_regular
from audit.model.programs.torchscript import named_as

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

LARGEST = 2**31 - 1
"""Bytes of a model in memory: Protocol Buffers hold no more."""
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Sets of operators that onnxruntime itself brings."""
TYPES = {
    "tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(float16)": torch.float16,
    "tensor(int64)": torch.int64, "tensor(int32)": torch.int32, "tensor(int16)": torch.int16,
    "tensor(int8)": torch.int8, "tensor(uint8)": torch.uint8, "tensor(bool)": torch.bool,
}  # fmt: skip
FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")
BY_AXES = {
    "Conv": "Conv", "ConvTranspose": "ConvTranspose", "BatchNormalization": "BatchNorm", "MaxPool": "MaxPool",
    "InstanceNormalization": "InstanceNorm", "AveragePool": "AvgPool", "GlobalAveragePool": "AdaptiveAvgPool",
    "GlobalMaxPool": "AdaptiveMaxPool",
}  # fmt: skip
"""Operators on (n, c, …), as ONNX defines them, by torch's names for them less the number of axes."""
ALIKE = {
    "Relu": "ReLU", "LeakyRelu": "LeakyReLU", "PRelu": "PReLU", "Elu": "ELU", "Selu": "SELU", "Gelu": "GELU",
    "Sigmoid": "Sigmoid", "HardSigmoid": "Hardsigmoid", "HardSwish": "Hardswish", "Tanh": "Tanh", "Mish": "Mish",
    "Softplus": "Softplus", "Softmax": "Softmax", "LogSoftmax": "LogSoftmax", "Identity": "Identity",
    "Dropout": "Dropout", "Clip": "Hardtanh", "LayerNormalization": "LayerNorm",
}  # fmt: skip
RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators that leave the order of numbers."""


class Station(nn.Module):
    """One tensor between a model's operators: it is called with what its operator took, and returns what that gave."""

    def __init__(self, tensor: str, operator: str, taken: Sequence[str]) -> None:
        super().__init__()
        self.tensor = tensor
        self.operator = operator
        self.taken = tuple(taken)
        """Names of the tensors that the operator took, but for the model's own weights."""

    def forward(self, *given: Tensor, made: Tensor) -> Tensor:
        """Return the value; one whose numbers stay in order is shown as the view that it is."""
        view = given[0].reshape(made.shape) if self.operator in RESHAPING and given else made
        return view if view is not made and torch.equal(view, made) else made


class OnnxModel(nn.Module):
    """An ONNX model of one input."""

    def __init__(self, path: Path, proto: "onnx.ModelProto") -> None:
        super().__init__()
        self._path, self._proto = path, proto
        self._sessions: dict[frozenset[str], InferenceSession] = {}
        weights = _weights(proto)
        inputs = [one for one in proto.graph.input if one.name not in {w.name for w in proto.graph.initializer}]
        if len(inputs) != 1:
            raise CheckpointError(
                f"{path} takes {len(inputs)} inputs ({listed([one.name for one in inputs], 8)}); an ONNX model of one "
                "input is audited. Export it with one, the others fixed."
            )
        made = [name for node in proto.graph.node for name in node.output if name]
        kinds = {one.name: one.type for one in self._session(frozenset(made)).get_outputs()}
        (given,) = self._session(frozenset()).get_inputs()
        if given.type not in TYPES:
            raise CheckpointError(f"{path} takes a {given.type}, not numbers in a tensor. Export it for such an input.")
        self.takes = TYPES[given.type]
        self.input = given.name
        self._shape = given.shape
        first = given.shape[0] if given.shape else None
        self.fixed_batch = first if isinstance(first, int) and first > 0 else None
        self.outputs = [one.name for one in proto.graph.output]
        self._add_stations(weights, {name for name, kind in kinds.items() if kind in FLOATS})

    def _add_stations(self, weights: Mapping[str, Tensor], floats: set[str]) -> None:
        live = {self.input}  # what depends on the input
        owned: dict[str, nn.Parameter] = {}
        for node in self._proto.graph.node:
            taken = [name for name in node.input if name in live]
            inner = [name for one in node.attribute for part in one.g.node for name in part.input]
            if not taken and not live.intersection(inner):
                continue
            live.update(node.output)
            for place, name in enumerate(node.output):
                if name in floats:
                    station = Station(name, node.op_type, taken)
                    held = [weights[one] for one in node.input[1:] if one in weights]
                    named_as(station, _kind(node, held) if place == 0 else node.op_type)
                    for number, one in enumerate(one for one in node.input[1:] if one in weights):
                        value = owned.setdefault(one, nn.Parameter(weights[one], requires_grad=False))
                        station.register_parameter(("weight", "bias")[number] if number < 2 else f"p{number}", value)
                    self.add_module(_free(_layer(name), self._modules), station)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the model's output, or its outputs, for inputs (n, …), which are cast to the type that it takes."""
        if x.requires_grad and torch.is_grad_enabled():
            raise CheckpointError(f"{self._path} is an ONNX model, which has no gradients. Leave --attribution out.")
        given = x.to(self.takes)
        hooked = [one for one in self.children() if isinstance(one, Station) and _is_hooked(one)]
        names = {name for one in hooked for name in (one.tensor, *one.taken)} - {self.input}
        values = self._run(given, frozenset(names))
        for one in hooked:
            values[one.tensor] = one(*(values[name] for name in one.taken), made=values[one.tensor])
        outputs = tuple(values[name] for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _run(self, given: Tensor, names: frozenset[str]) -> dict[str, Tensor]:
        session = self._session(names)
        wanted = [one.name for one in session.get_outputs() if one.type in TYPES]
        try:
            found = session.run(wanted, {self.input: given.detach().cpu().contiguous().numpy()})
        except Exception as error:  # onnxruntime raises kinds of its own
            raise CheckpointError(
                f"{self._path} cannot be run on inputs of shape {list(given.shape)}; it takes {self._shape}. "
                f"Give such inputs (--transform, --image-size): {in_one_line(error)}"
            ) from None
        values = {
            name: torch.from_numpy(np.asarray(one)).to(given.device) for name, one in zip(wanted, found, strict=True)
        }
        return values | {self.input: given}

    def _session(self, names: frozenset[str]) -> "InferenceSession":
        """Return what runs the model and gives the tensors of these names beside its own outputs."""
        import onnx  # noqa: PLC0415 - an extra that not everyone installs
        import onnxruntime  # noqa: PLC0415

        if names not in self._sessions:
            proto = onnx.ModelProto()
            proto.CopyFrom(self._proto)
            own = {one.name for one in proto.graph.output}
            proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names - own))
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # its own words would stand between irene's
            options.intra_op_num_threads = torch.get_num_threads()
            self._sessions[names] = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[names]


def load_onnx(path: Path) -> OnnxModel:
    """Load an ONNX model, or raise a CheckpointError if it is damaged, too large, or asks for more than arithmetic."""
    try:
        import onnx  # noqa: PLC0415
        import onnxruntime  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{path} is an ONNX model, for which onnx and onnxruntime are needed. Install them: "
            "pip install 'irene-audit[onnx]'."
        ) from None
    try:
        size = path.stat().st_size
        require_plausible(2 * size, size)
        with opened(path) as file:
            proto = onnx.load_model_from_string(file.read(LARGEST))
        _require_own_operators(path, proto)
        _bring_external(path, proto)
        onnx.checker.check_model(proto)
        return OnnxModel(path, proto)
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise CheckpointError(
            f"{path} is an ONNX model that cannot be loaded here ({listed([first_line(error)])}). Export it again."
        ) from None


def _require_own_operators(path: Path, proto: "onnx.ModelProto") -> None:
    known = DOMAINS | {one.domain for one in proto.functions}
    strange = sorted({node.domain for node in _nodes(proto) if node.domain not in known})
    if strange:
        raise CheckpointError(
            f"{path} calls operators of {listed(strange, 4)}, which only a library of its own has; none is loaded. "
            "Export it with ONNX's operators alone."
        )


def _nodes(proto: "onnx.ModelProto") -> Iterator["onnx.NodeProto"]:
    """Yield all nodes, those of branches, loops and functions too."""
    left = [*proto.graph.node, *(node for one in proto.functions for node in one.node)]
    while left:
        node = left.pop()
        yield node
        for attribute in node.attribute:
            left += [*attribute.g.node, *(inner for graph in attribute.graphs for inner in graph.node)]


def _bring_external(path: Path, proto: "onnx.ModelProto") -> None:
    """Read the weights that stand in files beside the model's; raise a CheckpointError for one elsewhere."""
    import onnx  # noqa: PLC0415
    from onnx.external_data_helper import _get_all_tensors, uses_external_data  # noqa: PLC0415

    outside = [tensor for tensor in _get_all_tensors(proto) if uses_external_data(tensor)]
    total = 0
    for tensor in outside:
        told = {one.key: one.value for one in tensor.external_data}
        name = told.get("location", "")
        file = path.parent / name
        inside = Path(name).name == name and file.resolve().parent == path.resolve().parent
        if not inside or name in ("", ".", ".."):
            raise CheckpointError(f"{path} takes weights from {listed([name])!r}, which is no file beside it.")
        require_regular(file)
        size = file.stat().st_size
        start, length = int(told.get("offset", 0)), int(told.get("length", size - int(told.get("offset", 0))))
        if not 0 <= start <= start + length <= size:
            raise CheckpointError(f"{file} is shorter than {path.name} says. Copy both again.")
        total += length
    if total + path.stat().st_size > LARGEST:
        raise CheckpointError(f"{path} has more than 2 GB of weights, which are not read from ONNX. Give the weights.")
    if outside:
        onnx.load_external_data_for_model(proto, str(path.parent))


def _weights(proto: "onnx.ModelProto") -> dict[str, Tensor]:
    from onnx import numpy_helper  # noqa: PLC0415

    arrays = {one.name: numpy_helper.to_array(one) for one in proto.graph.initializer}
    return {name: torch.from_numpy(one.copy()) for name, one in arrays.items() if one.dtype.kind == "f" and one.ndim}


def _kind(node: "onnx.NodeProto", weights: Sequence[Tensor]) -> str:
    """Return torch's name of an operator where both have the same axes; else ONNX's."""
    operator = str(node.op_type)
    if node.domain not in ("", "ai.onnx"):
        return operator
    if operator in ("Conv", "ConvTranspose") and weights:
        return f"{BY_AXES[operator]}{weights[0].ndim - 2}d"
    if operator == "Gemm" or (operator == "MatMul" and weights and weights[0].ndim == 2):
        return "Linear"
    if operator in ("MaxPool", "AveragePool"):
        shape = next((one.ints for one in node.attribute if one.name == "kernel_shape"), ())
        return f"{BY_AXES[operator]}{len(shape)}d"
    return f"{BY_AXES[operator]}2d" if operator in BY_AXES else ALIKE.get(operator, operator)


def _layer(tensor: str) -> str:
    """Return the name of a layer for a tensor's: `/conv/Conv_output_0` is `conv/Conv`."""
    return re.sub(r"[^\w/-]", "_", tensor.removesuffix("_output_0")).strip("/") or "_"


def _free(name: str, taken: Mapping[str, object]) -> str:
    return (
        name
        if name not in taken
        else next(f"{name}_{i}" for i in range(1, len(taken) + 2) if f"{name}_{i}" not in taken)
    )


def _is_hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
