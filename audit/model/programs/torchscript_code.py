"""What the code of a TorchScript program may contain; checked before torch reads any of it.

torch.jit.load runs code of the file while it reads it (`__setstate__`). So every record of code is parsed first, each
name in it is held against the list of operators, and torch is given a copy whose code is written anew from what was
parsed: what was checked is what runs, however torch's parser would have read the original.
"""

import ast
import pickletools
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from audit.errors import CheckpointError, listed
from audit.model.programs.operators import OPERATORS

ALLOWED = OPERATORS["aten"] | OPERATORS["prim"]
"""Operators that a name after a dot can stand for: a tensor has them as methods."""
LIKE_PYTHON = (
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign, ast.Expr, ast.Return,
    ast.Pass, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.With, ast.withitem, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Subscript, ast.Slice, ast.IfExp,
    ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
"""What saved programs are made of."""
BUILTINS = frozenset({
    "Any", "CONSTANTS", "Device", "Dict", "Enum", "Final", "Generator", "Interface", "Layout", "List", "Module",
    "ModuleInterface", "NamedTuple", "None", "NoneType", "Optional", "Tensor", "Tuple", "Union", "__annotations__",
    "__torch__", "all", "annotate", "any", "bool", "complex", "dict", "divmod", "enumerate", "float", "getattr",
    "hasattr", "inf", "infj", "int", "isinstance", "len", "list", "max", "min", "nan", "nanj", "number", "ops",
    "range", "reversed", "round", "self", "sorted", "str", "sum", "torch", "tuple", "unchecked_cast", "uninitialized",
    "zip",
})  # fmt: skip
"""Names that no code binds and that are no operators: types, conversions, and the roots of all others."""
LOOKING_UP = frozenset({"getattr", "hasattr"})
ROOTS = LOOKING_UP | {"torch", "ops", "__torch__", "CONSTANTS"}
"""Names that no code may bind anew."""
PACKED = ("quantized", "rnn")
"""Compiled classes: the packed weights of quantised layers."""
PARTS = ("constants.pkl", "data.pkl", "version", ".data/version", "byteorder")
TENSORS = ("constants/", "data/")
MOST_CODE = 4 * 2**20
"""Bytes of all code, of which each takes two hundred when it is parsed; large networks have under a million."""
OPCODES = frozenset({
    "APPEND", "APPENDS", "BINFLOAT", "BINGET", "BININT", "BININT1", "BININT2", "BINPERSID", "BINPUT", "BINUNICODE",
    "BUILD", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "GLOBAL", "LONG1", "LONG_BINGET", "LONG_BINPUT", "MARK",
    "NEWFALSE", "NEWOBJ", "NEWTRUE", "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS", "STOP", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3",
})  # fmt: skip
"""What torch's own reader of pickles knows; it imports nothing but the classes of the program."""


@contextmanager
def checked_copy(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary copy of a program with nothing in it but tensors and code that was checked.

    Raises CheckpointError if the file is damaged, or its code would do more than arithmetic.
    """
    try:
        reader = torch._C.PyTorchFileReader(str(path))  # as torch.jit.load reads it; another might see other parts
        names = list(dict.fromkeys(reader.get_all_records()))
        code = _code(reader, [name for name in names if _is_code(name)], path)
        pickles = {name: reader.get_record(name) for name in names if name in PARTS and name.endswith(".pkl")}
    except RuntimeError:
        raise CheckpointError(f"{path} is cut off or damaged. Copy it again.") from None
    if "data.pkl" not in names:
        raise _refused(path, "is of a form that only torch before 1.4 wrote")
    for content in pickles.values():
        _check_pickle(content, path)
    sources = {name: _checked(content, path) for name, content in code.items()}
    with tempfile.TemporaryFile(prefix="irene-") as copy:  # without a name: a killed run leaves nothing
        with zipfile.ZipFile(copy, "w") as archive:
            for name in names:
                if name in sources:
                    archive.writestr(f"program/{name}", sources[name])
                elif name in PARTS or name.startswith(TENSORS):
                    archive.writestr(f"program/{name}", pickles.get(name) or reader.get_record(name))
        copy.seek(0)
        yield copy


def _is_code(name: str) -> bool:
    return name.startswith("code/") and name.endswith(".py")


def _code(reader: torch._C.PyTorchFileReader, names: Sequence[str], path: Path) -> dict[str, bytes]:
    code, total = dict[str, bytes](), 0
    for name in names:
        code[name] = reader.get_record(name)
        total += len(code[name])
        if total > MOST_CODE:
            raise _refused(path, f"has more than {MOST_CODE:,} bytes of code")
    return code


def _refused(path: Path, fact: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is a TorchScript program that {fact}; it was not loaded. Save the weights alone: "
        "torch.save(model.state_dict(), 'model.pt')."
    )


def _check_pickle(content: bytes, path: Path) -> None:
    """Refuse a pickle with more than torch's own reader knows, or with a compiled class that is no packed weight."""
    try:
        for opcode, argument, _position in pickletools.genops(content):
            if opcode.name not in OPCODES:
                raise _refused(path, f"holds a pickle with {opcode.name}")
            if opcode.name == "GLOBAL":
                _check_class(str(argument).replace(" ", ".").split("."), path)
    except (ValueError, IndexError, OverflowError):
        raise CheckpointError(f"{path} is cut off or damaged. Copy it again.") from None


def _check_class(words: list[str], path: Path) -> None:
    compiled = ["__torch__", "torch", "classes"]
    if words == compiled[: len(words)] or (words[:3] == compiled and words[3] not in PACKED):
        raise _refused(path, f"holds the compiled class {listed(['.'.join(words[3:] or words)])!r}")


def _checked(content: bytes, path: Path) -> str:
    """Return code as it is written anew from what was parsed and held against the list of operators."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content.decode())
        _check(tree, path)
        return ast.unparse(_Silent().visit(tree)) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(path, "has code that cannot be read") from None


def _check(tree: ast.Module, path: Path) -> None:
    """Refuse what is no arithmetic: a statement that saved programs do not have, or a name that is not known."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if not isinstance(node, LIKE_PYTHON) or (isinstance(node, ast.FunctionDef | ast.ClassDef) and _extra(node)):
            raise _refused(path, f"has a {type(node).__name__}, which no saved program has")
        if isinstance(node, ast.Constant):
            _check_constant(node, path)
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            _check_attribute(_dotted(node), path)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LOOKING_UP:
            _check_looked_up(node, path)
    looked_up = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for scope in _scopes(tree):
        bound = {node.id for node in scope if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound |= {node.arg for node in scope if isinstance(node, ast.arg)}
        if taken := bound & ROOTS:
            raise _calls(path, min(taken))
        for node in scope:
            if isinstance(node, ast.Name) and (
                (node.id not in BUILTINS and node.id not in bound)
                or (node.id in LOOKING_UP and id(node) not in looked_up)
            ):
                raise _calls(path, node.id)


def _scopes(tree: ast.Module) -> Iterator[list[ast.AST]]:
    """Yield the nodes of each function, and then those outside of all functions."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = set[int]()
    for function in functions:
        nodes = list(ast.walk(function))
        inside |= set(map(id, nodes))
        yield nodes
    yield [node for node in ast.walk(tree) if id(node) not in inside]


def _extra(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Tell whether a definition has a part that saved programs do not have."""
    return bool(node.decorator_list or (isinstance(node, ast.ClassDef) and node.keywords))


def _check_constant(node: ast.Constant, path: Path) -> None:
    if isinstance(node.value, bytes):
        raise _refused(path, "has bytes in its code")
    if isinstance(node.value, str):  # a text reaches the terminal by way of an error
        node.value = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in node.value)


def _check_attribute(words: list[str], path: Path) -> None:
    """Look at a dotted name in full: a part of it, as `o = ops.image`, could be completed elsewhere."""
    if words[0] == "torch":
        known = len(words) == 2 and words[1] in OPERATORS["aten"]
    elif words[0] == "ops":  # with or without an overload
        known = len(words) in (3, 4) and words[2] in OPERATORS.get(words[1], ())
    elif words[0] == "__torch__":
        _check_class(words, path)
        known = True
    else:
        known = all(not _is_operator(word) or word in ALLOWED for word in words[1:])
    if not known:
        raise _calls(path, ".".join(words).lstrip("."))


def _check_looked_up(node: ast.Call, path: Path) -> None:
    """Look at `getattr(module, "0")`, in which the name of a part is written as a text."""
    name = node.args[1].value if len(node.args) == 2 and isinstance(node.args[1], ast.Constant) else None
    if not isinstance(name, str) or (_is_operator(name) and name not in ALLOWED):
        raise _calls(path, str(name))


def _dotted(node: ast.expr) -> list[str]:
    """Return the words of `a.b.c`; the first is empty where it is no name."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(words)]


def _is_operator(name: str) -> bool:
    """Tell whether torch has an operator of this name that a method of a tensor could stand for."""
    return any(torch._C._jit_get_schemas_for_operator(f"{namespace}::{name}") for namespace in ("aten", "prim"))


def _calls(path: Path, name: str) -> CheckpointError:
    return _refused(path, f"calls {listed([name])!r}, which is no arithmetic that is known here")


class _Silent(ast.NodeTransformer):
    """Leaves warnings out, whose texts a stranger chose."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        told = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "torch.warn"
        return ast.copy_location(ast.Pass(), node) if told else node
