"""TorchScript programs as models whose layers can be tapped.

A loaded program refuses hooks. Here each of its submodules gets a station of the same name, and a program
that is hooked is run once more, level by level, with the values at the hooked calls as further results:
they pass through the stations, whose hooks fire as on an ordinary module. Hooks see values and cannot change
them. Calls inside a branch or a loop of the program cannot be seen; their layers count as never run.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import Block, Graph, Node, Value

from audit.errors import CheckpointError, IreneError, first_line, listed
from audit.model.programs.torchscript_code import checked_copy

TRAINING = {"aten::dropout": 2, "aten::feature_dropout": 2, "aten::alpha_dropout": 2, "aten::batch_norm": 5}
"""The position of the argument that switches training on, by operator."""
Instrumented = tuple[Callable[..., Any], list[tuple[str, str, int]]]
"""A function, and of each call in it: the submodule's path ("" is itself), the method, its number of inputs."""


@dataclass(frozen=True)
class Call:
    """One call of a submodule as it stood in the program."""

    method: str
    output: object


class Station(nn.Module):
    """One submodule of a program, called with the values that went through it."""

    def __init__(self, program: Any) -> None:
        super().__init__()
        self._program = [program]  # in a list, or torch would count it as a layer
        self._graphs: dict[tuple[str, frozenset[str]], Instrumented] = {}
        for name, child in program.named_children():
            self.add_module(name, _station(child))

    def forward(self, *given: object, call: Call | None = None) -> object:
        """Run the program, or return its output of when its parent ran it."""
        if hooked := _hooked(self):
            result = self._play(call.method if call else "forward", given, hooked)
            return call.output if call else result
        return call.output if call else self._program[0](*given)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the program's parameters."""
        yield from self._program[0].named_parameters(*args, **kwargs)

    def named_buffers(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Tensor]]:
        """Yield the program's buffers."""
        yield from self._program[0].named_buffers(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the program's state_dict."""
        return self._program[0].state_dict(*args, **kwargs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Station":
        self._program[0]._apply(fn, recurse)  # `.to(device)` moves the program
        return self

    def _play(self, method: str, given: tuple[object, ...], hooked: frozenset[str]) -> object:
        """Run one method with its hooked calls as further results, and send these through their stations."""
        method = _handed_on(self._program[0], method)
        if (method, hooked) not in self._graphs:
            self._graphs[method, hooked] = _instrumented(self._program[0], method, hooked)
        function, calls = self._graphs[method, hooked]
        if not calls:
            return function(self._program[0], *given)
        try:
            result, *values = function(self._program[0], *given)
        except RuntimeError:  # fused attention returns a tuple with a tensor that is none, which Python cannot hold
            self._graphs[method, hooked] = _instrumented(self._program[0], method, hooked, tuples=False)
            function, calls = self._graphs[method, hooked]
            result, *values = function(self._program[0], *given)
        for path, called, count in calls:
            inputs, output, values = values[:count], values[count], values[count + 1 :]
            if path:
                self.get_submodule(path)(*inputs, call=Call(called, output))
            else:
                self._play(called, tuple(inputs), hooked)  # a method of its own
        return result


def load_torchscript(path: Path) -> Station:
    """Load a TorchScript program in eval mode on the CPU; raise a CheckpointError if it is harmful or damaged."""
    try:
        with checked_copy(path) as copy, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.load` is")  # on its way out, its files are not
            program = torch.jit.load(copy, map_location="cpu")  # type: ignore[no-untyped-call]
        program.eval()
        graph = program.inlined_graph
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise CheckpointError(
            f"{path} is a TorchScript program that torch cannot load ({listed([first_line(error)])}). "
            "Copy it again, or save the weights of the model it was made from: "
            "torch.save(model.state_dict(), 'model.pt')."
        ) from None
    for node in _nodes(graph):
        place = TRAINING.get(node.kind())
        switched: object = place is not None and node.inputsAt(place).toIValue()
        if switched is True:
            raise CheckpointError(
                f"{path} was traced in train mode ({node.kind()} is switched on for good). "
                "Trace it again after model.eval()."
            )
    return _station(program)


def named_as(module: nn.Module, kind: str) -> nn.Module:
    """Give a stand-in the class name of the original layer, in its `type(…).__name__`."""
    module.__class__ = type(kind, (type(module),), {})
    return module


def _station(program: Any) -> Station:
    station = Station(program)
    named_as(station, str(program.original_name))
    return station


def _hooked(station: Station) -> frozenset[str]:
    """Name the stations below this one that have hooks."""
    return frozenset(
        name for name, inner in station.named_modules() if name and (inner._forward_hooks or inner._forward_pre_hooks)
    )


def _handed_on(program: Any, method: str) -> str:
    """Return the method that does the work where one only hands its inputs on to another, as scripting writes it."""
    graph = program._c._get_method(method).graph
    nodes = list(graph.nodes())
    same = len(nodes) == 1 and nodes[0].kind() == "prim::CallMethod"
    if same and [value.debugName() for value in nodes[0].inputs()] == [value.debugName() for value in graph.inputs()]:
        return _handed_on(program, nodes[0].s("name"))
    return method


def _instrumented(program: Any, method: str, hooked: frozenset[str], *, tuples: bool = True) -> Instrumented:
    """Make one method also return what every call that leads to a hook takes and gives; no tuple unless `tuples`."""
    graph = program._c._get_method(method).graph.copy()
    itself = next(iter(graph.inputs())).debugName()
    calls = []
    for node in [node for node in graph.nodes() if node.kind() == "prim::CallMethod"]:
        path = _path(node.inputsAt(0), itself)
        if path is None or (path and not any(name == path or name.startswith(path + ".") for name in hooked)):
            continue
        inputs = list(node.inputs())[1:]
        for value in inputs:
            graph.registerOutput(_copied(graph, value, node, before=True))
        if tuples or node.output().type().kind() != "TupleType":
            graph.registerOutput(_copied(graph, node.output(), node, before=False))
        else:
            with graph.insert_point_guard(node):
                graph.registerOutput(graph.insertConstant(None))
        calls.append((path, node.s("name"), len(inputs)))
    if calls:
        graph.makeMultiOutputIntoTuple()
    return torch._C._create_function_from_graph("instrumented", graph), calls


def _copied(graph: Graph, value: Value, node: Node, *, before: bool) -> Value:
    """Return a value as it is at this very place: an operator in place may change it later."""
    kind = value.type().kind()
    if kind == "TensorType":
        with graph.insert_point_guard(node):
            none = graph.insertConstant(None)  # type: ignore[attr-defined]  # not in torch's stubs
        copy = graph.create("aten::clone", [value, none], 1)
    elif kind == "ListType":
        copy = graph.create("aten::list", [value], 1)
        copy.output().setType(value.type())
    else:
        return value
    if before:
        copy.insertBefore(node)
    else:
        copy.insertAfter(node)
    return copy.output()


def _path(value: Value, itself: str) -> str | None:
    """Return the dotted name of the submodule that a value is; None where it is taken from a list or a branch."""
    parts: list[str] = []
    while value.debugName() != itself:
        if value.node().kind() != "prim::GetAttr":
            return None
        parts.insert(0, value.node().s("name"))
        value = value.node().inputsAt(0)
    return ".".join(parts)


def _nodes(block: Graph | Block) -> Iterator[Node]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)
