"""Programs of torch.export as models whose layers can be tapped.

Such a file is JSON and tensors, but torch.export.load trusts it: it unpickles what the file calls a pickle,
evaluates expressions, and calls whatever function of torch's a node names. So all of it is checked first,
read as torch reads it, and pickles are refused while it loads.
"""

import ast
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.pt2_archive import PT2ArchiveReader

from audit.errors import CheckpointError, first_line, listed
from audit.model.programs.operators import OPERATORS
from audit.model.programs.torchscript import named_as

PROGRAM = "models/model.json"
FORBIDDEN_PARTS = {
    "data/aotinductor/": "a compiled library",
    "data/constants/opaque_obj": "a pickle",
    "data/constants/custom_obj": "a pickle of compiled classes",
}
CALLED = re.compile(
    r"torch\.ops\.(?P<namespace>\w+)\.(?P<name>\w+)(?:\.\w+)?"
    r"|_operator\.(?:add|sub|mul|floordiv|truediv|mod|pow|neg|pos|getitem|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|torch\._?sym_\w+|math\.(?:ceil|floor|trunc|sqrt|exp|log2?)"
)
"""A function that a node may call: an operator of torch, or one on symbolic sizes."""
HIGHER_ORDER = frozenset({"cond", "wrap_with_set_grad_enabled", "wrap_with_autocast", "map_impl", "scan", "while_loop"})
"""Operators that run a part of the program."""
NAMES = re.compile(r"[\w.@]*")
SYMBOL = re.compile(r"[a-z]{1,4}\d+")
NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?")
POWERS = ("Pow", "PowByNatural", "FloatPow", "LShift")
FUNCTIONS = {
    "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv",
    "LShift", "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt",
    "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "Max", "Min", "Eq", "Ne", "Ge", "Gt", "Le", "Lt", "True",
    "False", "And", "Or", "Not", "Piecewise", "IsNonOverlappingAndDenseIndicator", "Symbol", "Integer", "Float",
    "Rational", "Add", "Mul", "Pow", "positive", "nonnegative", "integer", "real", "finite", "precision",
}  # fmt: skip
"""The words of a symbolic size, as sympy writes it."""
ARITHMETIC = (
    ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp,
    ast.Compare, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
"""What a symbolic size is made of."""
MOST_EXPRESSION, MOST_POWERS, MOST_EXPONENT = 10_000, 4, 64
"""Letters of a symbolic size, powers in it, and each one's exponent: torch computes it while it reads the file."""
IMPORTING = ("\\u", "__enum__", "default_factory", "defaultdict")
"""Words with which a description of inputs makes torch import a module; an escape could hide them."""
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""The variable that makes torch.load read tensors only, even where its caller asks for a pickle."""


def load_exported(path: Path, members: Sequence[str]) -> tuple[nn.Module, str, int | None]:
    """Load a program of torch.export, or raise a CheckpointError if it would do more than arithmetic.

    Returns a module whose submodules have the names of the original model's and fire hooks; the original model's class;
    and the batch size if the program takes no other.
    """
    try:
        require_arithmetic(path, members)
    except RecursionError:
        raise CheckpointError(f"{path} is nested too deep to be a program. Copy or export it again.") from None
    try:
        with _no_pickle(), path.open("rb") as content:
            program = torch.export.load(content)
        module: nn.Module = torch.export.unflatten(program)
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise CheckpointError(
            f"{path} is a program of torch.export that cannot be loaded safely here ({listed([first_line(error)])}). "
            "Export it again, or save the weights: torch.save(model.state_dict(), 'model.pt')."
        ) from None
    kinds = _kinds(program)
    for name, inner in module.named_modules():
        kind = kinds.get(name.partition("@")[0])
        if kind is not None and name:
            named_as(inner, kind)
    return module, kinds.get("", "exported program"), _fixed_batch(program)


def require_arithmetic(path: Path, members: Sequence[str]) -> None:
    """Read a program's description; raise a CheckpointError if loading or running it would do more than arithmetic."""
    older = CheckpointError(
        f"{path} is no program that this version reads: it holds no {PROGRAM}. Export it again: "
        "torch.export.save(torch.export.export(model, (x,)), 'model.pt2')."
    )
    if "version" in members:  # the form of torch 2.7, which torch reads by another way than the checked one
        raise older
    try:
        reader = PT2ArchiveReader(str(path))  # as torch reads it; another reader might see other parts
        parts = reader.get_file_names()
        texts = {name: reader.read_bytes(name) for name in parts if name.startswith("models/")}
        content = {name: json.loads(text) for name, text in texts.items()}
    except (RuntimeError, ValueError, AssertionError):
        raise CheckpointError(f"{path} is cut off or damaged. Copy or export it again.") from None
    if PROGRAM not in content:
        raise older
    for part in parts:
        for start, what in FORBIDDEN_PARTS.items():
            if part.startswith(start):
                raise _refused(path, f"holds {what} ({listed([part])})")
    for described in content.values():
        for fault in _faults(described):
            raise _refused(path, fault)
        for target, name in _switched(described):
            raise CheckpointError(
                f"{path} was exported in train mode ({target} has {name}=True). Export it again after model.eval()."
            )


def _refused(path: Path, fact: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is a program of torch.export that {fact}; it was not loaded. Save the weights alone: "
        "torch.save(model.state_dict(), 'model.pt')."
    )


def _faults(described: object, key: str = "") -> Iterator[str]:
    """Yield what would run beyond arithmetic; node and argument names become Python source in torch."""
    if isinstance(described, dict):
        for inner, value in described.items():
            if not NAMES.fullmatch(inner):
                yield f"has the odd name {listed([inner])!r}"
            yield from _faults(value, inner)
    elif isinstance(described, list):
        for value in described:
            yield from _faults(value, key)
    elif isinstance(described, str):
        if key == "target" and not _is_arithmetic(described):
            yield f"calls {listed([described])!r}, which is no arithmetic that is known here"
        elif key == "expr_str" and not _plain(described):
            yield f"computes a size by {listed([described])!r}"
        elif key in ("in_spec", "out_spec") and any(word in described for word in IMPORTING):
            yield "imports a module to read its inputs"
        elif (key.endswith(("name", "names", "fqn")) or key.startswith("as_name")) and not NAMES.fullmatch(described):
            yield f"has the odd name {listed([described])!r}"
        elif key == "nn_module_stack" and any(letter in described for letter in '"\\\n'):
            yield "has an odd name of a layer"


def _is_arithmetic(target: str) -> bool:
    found = CALLED.fullmatch(target)
    if found is None or found["namespace"] is None:
        return found is not None
    known = HIGHER_ORDER if found["namespace"] == "higher_order" else OPERATORS.get(found["namespace"], frozenset())
    return found["name"] in known


def _plain(expression: str) -> bool:
    """Tell whether a symbolic size is plain arithmetic that takes no time."""
    if len(expression) > MOST_EXPRESSION:
        return False
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    nodes = list(ast.walk(tree))
    powers = [node for node in nodes if _is_power(node)]
    return len(powers) <= MOST_POWERS and all(_is_plain(node) for node in nodes)


def _is_power(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Pow | ast.LShift)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POWERS


def _is_plain(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(right=exponent) | ast.Call(args=[_, exponent]) if _is_power(node):
            return _is_small(exponent)
        case ast.Call(func=called):
            return isinstance(called, ast.Name) and not _is_power(node)
        case ast.Name(id=name):
            return name in FUNCTIONS or bool(SYMBOL.fullmatch(name))
        case ast.Constant(value=value):
            return bool(SYMBOL.fullmatch(str(value)) or NUMBER.fullmatch(str(value)) or isinstance(value, bool | float))
    return isinstance(node, ARITHMETIC)


def _is_small(exponent: ast.expr) -> bool:
    """Tell whether an exponent is a small number: `2`, `-1` or `Integer(2)`."""
    match exponent:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_small(inner)
        case ast.Call(func=ast.Name(id="Integer"), args=[inner]):
            return _is_small(inner)
        case ast.Constant(value=int(value)):
            return value <= MOST_EXPONENT
    return False


def _switched(described: object) -> Iterator[tuple[str, str]]:
    """Yield every operator that was exported with its training switched on."""
    if isinstance(described, list):
        for value in described:
            yield from _switched(value)
    elif isinstance(described, dict):
        inputs = described.get("inputs")
        if isinstance(described.get("target"), str) and isinstance(inputs, list):
            for given in inputs:
                match given:
                    case {"name": ("train" | "training") as name, "arg": {"as_bool": True}}:
                        yield described["target"], name
        for value in described.values():
            yield from _switched(value)


@contextmanager
def _no_pickle() -> Iterator[None]:
    """Make every torch.load in a block read tensors only, and keep torch's own words off the screen."""
    kept = {name: os.environ.pop(name, None) for name in ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", FORCE)}
    os.environ[FORCE] = "1"
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
        del os.environ[FORCE]
        os.environ.update({name: value for name, value in kept.items() if value is not None})


def _kinds(program: ExportedProgram) -> dict[str, str]:
    """Return the class of each layer by its name, as the nodes remember it; the model itself is ''."""
    kinds: dict[str, str] = {}
    for node in program.graph.nodes:
        for name, kind in node.meta.get("nn_module_stack", {}).values():
            kinds.setdefault(name.partition("@")[0], str(kind).rpartition(".")[2])
    return {name: kind for name, kind in kinds.items() if kind.isidentifier()}


def _fixed_batch(program: ExportedProgram) -> int | None:
    """Return the first size of the first input that is a tensor, if it is a number."""
    inputs = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val") if node.op == "placeholder" and node.name in inputs else None
        if isinstance(value, torch.Tensor) and value.ndim:
            return value.shape[0] if isinstance(value.shape[0], int) else None
    return None
