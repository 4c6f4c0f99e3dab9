"""How the library is built, in numbers: folders, imports, functions, lines. CONTRIBUTING quotes what this prints.

    python benchmarks/house.py
    python benchmarks/house.py --write     # put the numbers into CONTRIBUTING.md

A package is a folder of modules. The modules at the top of audit/, sanitizer/ and irene/ count as packages of their
own, since each stands on another level. `package.module:attribute` in a string is an import that waits, and counts.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

HERE = Path(__file__).resolve().parents[1]
ROOMS = ("audit", "sanitizer", "reports", "irene")
FILES = range(2, 16)
"""How many files a folder has."""
MOST_PARAMETERS, MOST_LINES = 8, 60
"""Of a function: parameters of every kind, self among them, and lines from its def to its end."""
RESULTS = (
    *("audit.evidence.findings", "audit.evidence.audit_result", "audit.evidence.sweep_result"),
    *(
        "audit.attackers.attack",
        "audit.attackers.classification",
        "audit.attackers.regression",
        "audit.attackers.scoring",
    ),
)
"""The modules whose classes are kinds of result, in the evidence and on the way to it."""
NAMED = re.compile(r"(\w+(?:\.\w+)+):\w+")
START, END = "<!-- benchmarks/house.py -->", "<!-- end -->"

Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Function:
    """One function, wherever it is defined."""

    name: str
    """`package.module:function`."""
    parameters: int
    lines: int


@dataclass(frozen=True)
class House:
    """Every module of the library, parsed."""

    root: Path
    trees: Mapping[str, ast.Module]
    """The modules by dotted name, a package by its own."""
    lines: int
    """Of all modules, blank ones and comments among them."""

    def package(self, module: str) -> str:
        """Return the package of a module; a module at the top of a room is one of its own."""
        parent = module.rpartition(".")[0]
        folder = (self.root / module.replace(".", "/")).is_dir()
        return module if folder or parent in ROOMS else parent

    def imports(self, module: str) -> set[str]:
        """Return the modules of the library that one imports, at once or later."""
        return {found for name in imported(self.trees[module]) if (found := self._module(name)) and found != module}

    def _module(self, name: str) -> str:
        while name and name not in self.trees:
            name = name.rpartition(".")[0]
        return name

    def modules(self) -> dict[str, set[str]]:
        """Return what each module imports."""
        return {name: self.imports(name) for name in self.trees}

    def packages(self) -> dict[str, set[str]]:
        """Return which other packages the modules of each package import."""
        found: dict[str, set[str]] = {self.package(name): set() for name in self.trees}
        for name, targets in self.modules().items():
            found[self.package(name)] |= {self.package(target) for target in targets} - {self.package(name)}
        return found

    def functions(self) -> Iterator[Function]:
        """Yield every function and method."""
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    taken = node.args
                    several = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg]
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    yield Function(f"{module}:{node.name}", sum(one is not None for one in several), lines)

    def folders(self) -> dict[str, int]:
        """Return how many files each folder has, templates and data among them; one of folders alone is left out."""
        found = {}
        for room in ROOMS:
            for folder in (self.root / room, *(self.root / room).rglob("*/")):
                inside = [one for one in folder.iterdir() if one.name not in ("__pycache__", "py.typed")]
                files = [one for one in inside if one.is_file()]
                if folder.name != "__pycache__" and (len(files) > 1 or not any(one.is_dir() for one in inside)):
                    found[str(folder.relative_to(self.root))] = len(files)
        return found

    def kinds(self) -> set[str]:
        """Return the names of the classes that a result is of."""
        trees = [self.trees[name] for name in RESULTS]
        return {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}

    def questions_of_kind(self) -> int:
        """Return how often isinstance asks for a kind of result."""
        kinds = self.kinds()
        return sum(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "isinstance"
            and bool(kinds & set(_names(node.args[1])))
            for tree in self.trees.values()
            for node in ast.walk(tree)
        )

    def untyped(self, room: str) -> int:
        """Return how often `Any` is used in a room."""
        return sum(list(_names(tree)).count("Any") for name, tree in self.trees.items() if name.split(".")[0] == room)


def read(root: Path = HERE) -> House:
    """Parse the library."""
    trees, lines = {}, 0
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        trees[".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = ast.parse(text)
        lines += len(text.splitlines())
    return House(root, trees, lines)


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, as dotted names.

    Raises:
        ValueError: An import is relative.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"line {node.lineno} has a relative import")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := NAMED.fullmatch(node.value)):
            yield found[1]


def reachable(graph: Graph) -> dict[str, set[str]]:
    """Return all that each node leads to."""
    found = {}
    for start in graph:
        seen: set[str] = set()
        ahead = set(graph[start])
        while ahead:
            seen.add(node := ahead.pop())
            ahead |= graph[node] - seen
        found[start] = seen
    return found


def in_cycles(graph: Graph) -> list[str]:
    """Return the nodes that lead back to themselves."""
    return sorted(node for node, leads in reachable(graph).items() if node in leads)


def levels(graph: Graph) -> int:
    """Return the number of nodes of the longest way down; within a cycle all are on one level."""
    leads = reachable(graph)
    depth: dict[str, int] = {}
    for node in sorted(graph, key=lambda one: len(leads[one] | {one})):  # those below lead to less
        below = [depth[other] for other in graph[node] if node not in leads[other]]
        depth[node] = 1 + max(below, default=0)
    return max(depth.values(), default=0)


def within(graph: Graph, room: str) -> dict[str, set[str]]:
    """Return the part of a graph that is in one room."""
    inside = {node for node in graph if node.split(".")[0] == room}
    return {node: graph[node] & inside for node in inside}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def table(house: House) -> str:
    """Return the numbers as a table in Markdown."""
    folders, modules, packages = house.folders(), house.modules(), house.packages()
    functions = list(house.functions())
    deep = ", ".join(f"{room} {levels(within(modules, room))}" for room in ROOMS[:3])
    rows = {
        "files a folder": f"{min(folders.values())}–{max(folders.values())}, median {median(folders.values()):g}",
        "import levels of packages": levels(packages),
        "import levels of modules": deep,
        "packages in a cycle": len(in_cycles(packages)),
        f"functions of more than {MOST_PARAMETERS} parameters": sum(
            one.parameters > MOST_PARAMETERS for one in functions
        ),
        f"functions of more than {MOST_LINES} lines": sum(one.lines > MOST_LINES for one in functions),
        "`isinstance` on a kind of result": house.questions_of_kind(),
        "`Any` in audit/": house.untyped("audit"),
        "lines of the library, in thousands": f"{house.lines / 1000:.1f}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


@click.command()
@click.option("--write", is_flag=True, help="Put the numbers into CONTRIBUTING.md.")
def main(write: bool) -> None:
    """Print how the library is built, in numbers."""
    found = table(read())
    if not write:
        print(found)
        return
    path = HERE / "CONTRIBUTING.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START)
    path.write_text(f"{before}{START}\n{found}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
