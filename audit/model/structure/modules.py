"""What torch's own modules make known of the axes of what they take and return."""

import re

from torch import Tensor, nn

from audit.model.structure.flow import Flow, words

FIRST = re.compile(
    r"(?:Lazy)?(?:Conv|ConvReLU|ConvTranspose|BatchNorm|InstanceNorm|MaxPool|AvgPool|AdaptiveAvgPool|AdaptiveMaxPool|LPPool|"
    r"FractionalMaxPool|ReflectionPad|ReplicationPad|ZeroPad|ConstantPad|CircularPad|Dropout)([123])d"
)
"""Modules that take and return (n, c, …), with the number of axes behind the channels."""
ALSO_FIRST = words(
    "GroupNorm SyncBatchNorm LocalResponseNorm Softmax2d PixelShuffle PixelUnshuffle Upsample UpsamplingBilinear2d "
    "UpsamplingNearest2d ChannelShuffle"
)
LAST = words("Linear LinearReLU NonDynamicallyQuantizableLinear Bilinear LayerNorm RMSNorm")
EMBEDDINGS = words("Embedding EmbeddingBag")
TRANSFORMERS = words(
    "MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer TransformerEncoder TransformerDecoder "
    "Transformer"
)
RECURRENT = words("RNN GRU LSTM")
SAME_SHAPE = words(
    "Identity Dropout AlphaDropout FeatureAlphaDropout ReLU ReLU6 RReLU LeakyReLU PReLU ELU CELU SELU GELU SiLU "
    "Mish Hardtanh Hardswish Hardsigmoid Hardshrink Softshrink Tanhshrink Softplus Softsign Threshold LogSigmoid "
    "Sigmoid Tanh Softmax LogSoftmax Softmin BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm GroupNorm LayerNorm "
    "RMSNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d Dropout1d Dropout2d Dropout3d LocalResponseNorm Softmax2d"
)
"""Modules whose result has the axes of what they take."""
STEPS = {"Sigmoid": "sigmoid", "Softmax": "softmax", "LogSoftmax": "log_softmax", "LogSigmoid": "logsigmoid"}
STAND_INS = ("audit.model.programs.torchscript", "audit.model.programs.onnx_program", "torch.export.unflatten")
"""Where the forward of a program's layer is defined: it has the class name of the layer that it was, and no more."""
TORCHS = ("torch.nn.", "torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.")
"""Where torch keeps its layers; those of 8 bits have the names of the ones that they stand for."""
LIKE_TORCHS = ("timm.layers.linear",)
"""Where others keep layers that compute as their parent of torch does."""


def kind_of(module: nn.Module) -> str:
    """Return the name of torch's class whose forward a module runs; "" for a forward that is not torch's."""
    family = type(module).__mro__
    if _is_program(module):
        return type(module).__name__
    defining = next((one for one in family if "forward" in vars(one)), nn.Module)
    if not defining.__module__.startswith((*TORCHS, *LIKE_TORCHS)):
        return ""
    return next(one.__name__ for one in family if one.__module__.startswith(TORCHS))


def _is_program(module: nn.Module) -> bool:
    """Return whether a module is a layer of a program, whose functions cannot be seen."""
    defining = next((one for one in type(module).__mro__ if "forward" in vars(one)), nn.Module)
    return defining.__module__ in STAND_INS


def tell(flow: Flow, module: nn.Module, name: str, given: tuple[object, ...], output: object) -> None:
    """Note what is known of the axes of what a module took and returned."""
    kind = kind_of(module)
    x = next((one for one in given if isinstance(one, Tensor)), None)
    made = output[0] if isinstance(output, tuple | list) and output else output
    for one in (x, made):
        if isinstance(one, Tensor) and not flow.knows(one) and (other := flow.like(one)) is not None:
            flow.aligned(other, one)
            flow.step(one, "clone", other)
            flow.note("clone", (other,), {}, [other], [one])
    if x is not None:
        flow.takers.setdefault(flow.number(x), name)
        if _is_program(module) and isinstance(made, Tensor):
            taken = [one for one in given if isinstance(one, Tensor)]
            flow.note(kind, given, {}, taken, [made], is_module=True)
    if isinstance(made, Tensor):
        flow.made_by.setdefault(flow.number(made), []).append(name)
        _told(flow, module, kind, x, made)
    padding = getattr(module, "padding_idx", None) if kind == "Embedding" else None
    if x is not None and isinstance(padding, int):
        flow.padding.append((x, padding))
    if kind in RECURRENT and isinstance(output, tuple) and len(output) == 2:
        for state in output[1] if isinstance(output[1], tuple) else output[1:]:
            if isinstance(state, Tensor) and state.ndim == 3:
                flow.directions[flow.number(state)] = 2 if getattr(module, "bidirectional", False) else 1


def _told(flow: Flow, module: nn.Module, kind: str, x: Tensor | None, made: Tensor) -> None:
    both = [made] if x is None else [x, made]
    if (found := FIRST.fullmatch(kind)) or kind in ALSO_FIRST:
        for one in both:
            if one.ndim > 2 and (found is None or one.ndim == int(found[1]) + 2):
                flow.channels(one, 1, kind)
        if x is not None and x.ndim == made.ndim > 2:
            flow.same(x, 0, made, 0)
    elif kind in EMBEDDINGS:
        flow.channels(made, -1, kind)
        _same_but_last(flow, x, made, 1)
    elif kind in TRANSFORMERS or kind in RECURRENT or (kind in LAST and _one_axis(kind, module)):
        for one in both:
            flow.channels(one, -1, kind)
        _same_but_last(flow, x, made, 0)
    if kind in SAME_SHAPE and x is not None and x.shape == made.shape:
        flow.aligned(x, made)
    if kind in STEPS and x is not None:
        flow.step(made, STEPS[kind], x)


def _same_but_last(flow: Flow, x: Tensor | None, made: Tensor, more: int) -> None:
    """Note that all axes but the last stay as they are; the result has so many axes more."""
    if x is not None and x.ndim + more == made.ndim:
        for axis in range(made.ndim - 1):
            flow.same(x, axis, made, axis)


def _one_axis(kind: str, module: nn.Module) -> bool:
    """Return whether a norm is known to be over the last axis alone; a linear layer always is."""
    if not kind.endswith("Norm"):
        return True
    shape = getattr(module, "normalized_shape", None)
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    return len(shape) == 1 if shape is not None else weight is not None and weight.ndim == 1
