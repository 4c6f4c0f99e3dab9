"""What functions of torch's make of the axes of their operands."""

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from audit.model.structure.flow import Flow, words

ALIKE = words(
    "abs add add_relu and addcdiv addcmul alpha_dropout bernoulli bfloat16 bitwise_and bitwise_not bitwise_or celu "
    "clamp clamp_max clamp_min clip clone constant_pad_nd contiguous copy cos cuda cpu cumsum dequantize detach div "
    "divide double dropout elu eq erf exp expm1 fake_quantize feature_dropout float floor fmod ge gelu gt half "
    "hardsigmoid hardswish hardtanh iadd idiv imul int invert isub itruediv le leaky_relu lerp log log1p log_softmax "
    "logical_and logical_not logical_or logsigmoid long lt masked_fill maximum minimum mish mul multiply nan_to_num "
    "ne neg normalize or pad pow prelu quantize_per_tensor radd rand_like randn_like rdiv reciprocal relu relu6 "
    "requires_grad_ rmul roll round rpow rrelu rsqrt rsub rtruediv selu sigmoid sign silu sin softmax softmin "
    "softplus softsign sqrt square sub subtract tanh tanhshrink threshold to to_copy tril triu true_divide truediv "
    "type type_as where special_expit zeros_like ones_like"
)
"""Functions that compute number by number, or keep every axis where it is; operands are broadcast to the result."""
RESHAPED = words("reshape reshape_as view view_as unsafe_view flatten unflatten ravel squeeze unsqueeze")
REDUCED = words("mean sum amax amin max min std var norm logsumexp prod median nanmean nansum argmax argmin any all")
SLICED = words("getitem select narrow slice split split_with_sizes chunk unbind tensor_split")
POOLED = re.compile(r"(?:adaptive_)?(?:max|avg|lp)_pool([123])d(?:_with_indices)?")
CONVOLVED = re.compile(r"conv(?:_transpose)?[123]d|convolution")
NORMED = words("batch_norm instance_norm group_norm native_batch_norm native_group_norm")
RESIZED = words("interpolate upsample pixel_shuffle pixel_unshuffle channel_shuffle")
JOINED = words("cat concat concatenate")
UNARY = words(
    "sigmoid special_expit softmax log_softmax softmin logsigmoid log exp mul div true_divide truediv itruediv imul "
    "mean clone float to double half contiguous detach dequantize clamp clip dropout"
)
"""Functions of one tensor and numbers behind which class scores are known to be class scores."""
SAME_NUMBERS = RESHAPED | SLICED | words("clone float to double half contiguous detach dequantize")
"""Functions that hand the numbers of one tensor on as they are."""


def follow(flow: Flow, name: str, args: Sequence[object], kwargs: Mapping[str, object], result: object) -> None:
    """Note what is known of the axes of a function's result, and of its operands."""
    made = [one for one in (result if isinstance(result, tuple | list) else [result]) if isinstance(one, Tensor)]
    operands = tensors_in([*args, *kwargs.values()])
    if name == "setitem":
        flow.note(name, args, kwargs, operands, operands[:1])
    if not made or not operands:
        return
    flow.note(name, args, kwargs, operands, made)
    for one in made:
        _linked(flow, name, args, kwargs, operands, one)
    first, *others = operands
    alone = all(one.numel() == 1 or isinstance(one, nn.Parameter) for one in others)  # a bias of its own, as thresholds
    if alone and (name in UNARY or name in ALIKE or name in RESHAPED or name in SLICED or _pool_of(name, first)):
        for one in made:
            flow.step(one, name, first)


def _linked(
    flow: Flow,
    name: str,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    operands: Sequence[Tensor],
    made: Tensor,
) -> None:
    first = operands[0]
    if own := LABELLED.get(name) or (_convolved if CONVOLVED.fullmatch(name) else None):
        own(flow, operands, made, name)
    elif name in NORMED or name in RESIZED or _pool_of(name, first):
        _channels_first(flow, first, made, name)
    elif name in ALIKE:
        for one in operands:
            if one is not made:
                flow.aligned(one, made)
    elif name in REDUCED:
        _reduced(flow, first, made, given(args, kwargs, 1, "dim", "axis"), bool(kwargs.get("keepdim")))
    elif name in JOINED:
        _joined(flow, operands, made)
    elif made is not first and shares(first, made):
        _viewed(flow, first, made, sliced=name in SLICED)
    elif made is first:
        flow.changed(made)
    elif name in RESHAPED:
        _reshaped(flow, first, made)


def _channels_first(flow: Flow, x: Tensor, made: Tensor, name: str) -> None:
    if x.ndim > 2 and made.ndim == x.ndim:
        flow.channels(x, 1, name)
        flow.channels(made, 1, name)
        flow.same(x, 0, made, 0)
        if name not in RESIZED:
            flow.aligned(x, made)


def _joined(flow: Flow, operands: Sequence[Tensor], made: Tensor) -> None:
    for one in operands:
        if one.ndim == made.ndim:
            for axis in range(made.ndim):
                flow.same(one, axis, made, axis)


def tensors_in(values: Sequence[object]) -> list[Tensor]:
    """Return the tensors among arguments, those in lists too, in order."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += tensors_in(value)
    return found


def given(args: Sequence[object], kwargs: Mapping[str, object], place: int, *names: str) -> object:
    """Return an argument that may be given by name or by place; None if it is not."""
    named = next((kwargs[name] for name in names if name in kwargs), None)
    return args[place] if named is None and len(args) > place else named


def _pool_of(name: str, first: Tensor) -> bool:
    found = POOLED.fullmatch(name)
    return found is not None and first.ndim == int(found[1]) + 2


def _convolved(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    x = operands[0]
    packed = re.search(r"[123](?=d$)", name)  # weights of 8 bits come as no tensor
    axes = operands[1].ndim if len(operands) > 1 else int(packed[0]) + 2 if packed else 0
    if x.ndim == axes == made.ndim:
        flow.channels(x, 1, name)
        flow.channels(made, 1, name)
        flow.same(x, 0, made, 0)


def _linear(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    x = operands[0]
    flow.channels(x, -1, name)
    flow.channels(made, -1, name)
    for axis in range(x.ndim - 1):
        flow.same(x, axis, made, axis)


def _matmul(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    x, y = operands[-2], operands[-1]
    if name == "matmul" and y.ndim == 2 and isinstance(y, nn.Parameter):
        _linear(flow, operands, made, name)
    elif x.ndim > 1 and y.ndim > 1:
        for one in (x, y):
            for axis in range(3, min(one.ndim, made.ndim) + 1):
                if one.shape[-axis] == made.shape[-axis]:
                    flow.same(one, -axis, made, -axis)
        flow.same(x, -2, made, -2)
        flow.same(y, -1, made, -1)
        flow.same(x, -1, y, -2)


def _addmm(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    _linear(flow, operands[1:], made, name)


def _layer_norm(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    x = operands[0]
    if len(operands) > 1 and operands[1].ndim == 1:
        flow.channels(x, -1, name)
    if x.shape == made.shape:
        flow.aligned(x, made)


def _embedding(flow: Flow, operands: Sequence[Tensor], made: Tensor, name: str) -> None:
    flow.channels(made, -1, name)
    for tokens in operands:
        if not tokens.is_floating_point() and tokens.ndim == made.ndim - 1:
            flow.tokens.append(tokens)
            for axis in range(tokens.ndim):
                flow.same(tokens, axis, made, axis)


def _attended(flow: Flow, operands: Sequence[Tensor], made: Tensor, _name: str) -> None:
    query, value = operands[0], operands[2]
    for axis in range(made.ndim - 1):
        flow.same(query, axis, made, axis)
    flow.same(value, -1, made, -1)


LABELLED: Mapping[str, Callable[[Flow, Sequence[Tensor], Tensor, str], None]] = {
    "linear": _linear,
    "addmm": _addmm,
    "matmul": _matmul,
    "bmm": _matmul,
    "baddbmm": _matmul,
    "layer_norm": _layer_norm,
    "rms_norm": _layer_norm,
    "native_layer_norm": _layer_norm,
    "embedding": _embedding,
    "scaled_dot_product_attention": _attended,
}
"""Functions that say where channels are."""


def _reduced(flow: Flow, x: Tensor, made: Tensor, dims: object, keepdim: bool) -> None:
    if isinstance(dims, int):
        dims = [dims]
    if not isinstance(dims, tuple | list):
        return
    gone = {one % x.ndim for one in dims if isinstance(one, int)}
    left = [axis for axis in range(x.ndim) if axis not in gone]
    if not keepdim and made.ndim == len(left):
        for place, axis in enumerate(left):
            flow.same(x, axis, made, place)
    elif made.ndim == x.ndim:  # keepdim may also be given by position
        for axis in left:
            flow.same(x, axis, made, axis)


def shares(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are views of the same memory."""
    try:
        return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0
    except (RuntimeError, NotImplementedError):  # a tensor without storage
        return False


def _viewed(flow: Flow, x: Tensor, made: Tensor, *, sliced: bool) -> None:
    """Link the axes of a view: an axis that walks through the memory by the same stride is the same axis."""
    strides = {x.stride(axis): axis for axis in range(x.ndim) if x.shape[axis] > 1}
    if len(strides) < sum(length > 1 for length in x.shape):
        return  # an expanded tensor, whose axes cannot be told apart
    for axis in range(made.ndim):
        of = strides.get(made.stride(axis))
        if of is not None and made.shape[axis] > 1 and (sliced or made.shape[axis] == x.shape[of]):
            flow.same(x, of, made, axis)


def _reshaped(flow: Flow, x: Tensor, made: Tensor) -> None:
    """Link the axes before the first and behind the last that were merged or split: the order of numbers stays."""
    most = min(x.ndim, made.ndim)
    first = next((axis for axis in range(most) if x.shape[axis] != made.shape[axis]), most)
    for axis in range(first):
        flow.same(x, axis, made, axis)
    for axis in range(1, most - first + 1):
        if x.shape[-axis] != made.shape[-axis]:
            break
        flow.same(x, -axis, made, -axis)
