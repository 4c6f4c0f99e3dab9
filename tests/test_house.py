"""The architecture: what may import what, a command line that answers at once, and helps whose examples run."""

import ast
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import house
import pytest
from click.testing import CliRunner, Result
from support.planted import QUICK, ROWS

import irene
from irene.brief_help import COMMON, SHORT
from irene.command import COMMANDS, main

ROOT = Path(irene.__file__).parents[1]
ROOMS = ("audit", "sanitizer", "reports")

ARROWS = {
    "audit": {
        "errors": "",
        "file_limits": "",
        "column_names": "errors",
        "progress": "",
        "atomic_write": "errors file_limits",
        "environment": "errors",
        "plugins": "errors",
        "evidence": "errors file_limits atomic_write",
        "evidence.checks": "errors atomic_write evidence",
        "settings": "errors column_names evidence progress parallel",
        "data": "errors column_names plugins data.in_python",
        "data.in_python": "errors plugins",
        "parallel": "errors plugins data",
        "data.files": "errors file_limits data",
        "data.joins": "errors data",
        "data.sources": "errors file_limits column_names plugins data data.files data.joins",
        "bootstrap": "data evidence",
        "far_values": "data bootstrap",
        "model.structure": "errors plugins data",
        "model.programs": "errors file_limits",
        "model.files": "errors file_limits data",
        "model.maps": "errors",
        "model.features": "errors atomic_write data model.structure",
        "model": "errors file_limits column_names atomic_write plugins progress parallel evidence data model.structure "
        "model.programs model.files model.maps model.features",
        "attackers": "errors parallel plugins evidence settings data bootstrap far_values",
        "protocol": "errors parallel progress evidence settings data bootstrap model.features attackers",
        "protocol.kept": "errors progress evidence settings data bootstrap attackers protocol",
        "protocol.densities": "evidence data bootstrap attackers protocol",
        "verification": "errors evidence settings data bootstrap protocol",
        "caveats": "errors evidence data model model.features protocol far_values",
        "request": "errors column_names settings data attackers protocol verification",
        "run": "errors column_names environment bootstrap parallel evidence settings data model model.structure "
        "model.features attackers protocol protocol.kept protocol.densities verification caveats request",
        "cli": "errors file_limits column_names atomic_write environment parallel progress evidence evidence.checks "
        "settings data data.files data.sources model model.features model.structure verification run",
    },
    "sanitizer": {
        "information": "",
        "similarity": "",
        "methods": "audit.errors audit.bootstrap audit.far_values audit.evidence audit.data audit.model.maps "
        "information similarity",
        "methods.debiasing": "audit.errors audit.evidence methods",
        "method_table": "audit.data audit.errors audit.plugins audit.evidence audit.model.structure methods "
        "methods.debiasing",
        "job": "audit.column_names audit.data audit.errors audit.model.structure methods",
        "options": "audit.column_names audit.environment audit.errors audit.data audit.model.structure audit.parallel "
        "audit.progress audit.settings methods job",
        "checkpoint": "audit.errors audit.model",
        "export": "audit.data audit.errors audit.model audit.model.structure",
        "training": "audit.errors audit.atomic_write audit.progress audit.evidence audit.data audit.bootstrap "
        "audit.far_values audit.model audit.model.files audit.model.structure audit.parallel audit.attackers "
        "audit.protocol information similarity methods job",
        "teaching": "audit.attackers audit.far_values audit.data audit.errors audit.parallel job methods training",
        "record": "audit.atomic_write audit.environment audit.evidence audit.data audit.model audit.model.maps "
        "audit.parallel methods method_table job training",
        "run": "audit.errors audit.column_names audit.atomic_write audit.evidence audit.data audit.model "
        "audit.model.structure audit.parallel audit.verification methods method_table job options checkpoint export "
        "record teaching training",
        "vectors": "audit.errors audit.column_names audit.atomic_write audit.evidence audit.data audit.model "
        "audit.verification methods method_table options export record training run",
        "plan": "audit.errors audit.column_names audit.evidence methods method_table",
        "sweep": "audit.errors audit.column_names audit.atomic_write audit.environment audit.parallel audit.progress "
        "audit.evidence audit.settings audit.data audit.model audit.model.structure audit.request audit.run methods "
        "method_table job options checkpoint training",
        "cli": "audit.errors audit.column_names audit.atomic_write audit.environment audit.progress audit.evidence "
        "audit.settings audit.data audit.data.files audit.data.sources audit.model audit.parallel audit.cli "
        "methods method_table job options training run vectors plan sweep",
    },
    "reports": {
        "inputs": "audit.errors audit.evidence audit.evidence.checks",
        "render": "audit.errors audit.file_limits audit.atomic_write audit.evidence inputs",
        "text": "audit.evidence inputs render",
        "charts": "audit.errors audit.atomic_write audit.evidence inputs text",
        "charts.densities": "audit.evidence inputs charts",
        "gate": "audit.errors audit.file_limits audit.evidence inputs text render",
        "compliance": "audit.errors audit.file_limits audit.atomic_write audit.evidence inputs text render",
        "audit_page.sections": "audit.evidence inputs text render charts",
        "audit_page": "audit.errors audit.evidence inputs render charts charts.densities compliance "
        "audit_page.sections",
        "models_page.sections": "audit.evidence inputs text render charts",
        "models_page": "audit.evidence inputs text render models_page.sections",
        "sweep_page.sections": "audit.evidence inputs text render charts",
        "sweep_page": "audit.evidence inputs render charts sweep_page.sections",
        "exports": "audit.errors audit.evidence inputs text render",
        "cli": "audit.errors audit.atomic_write audit.evidence inputs text render charts gate compliance audit_page "
        "models_page sweep_page sweep_page.sections exports",
    },
    "irene": {
        "": "audit.errors audit.evidence audit.settings audit.data audit.model audit.run sanitizer.options "
        "sanitizer.plan sanitizer.run sanitizer.sweep sanitizer.vectors reports.audit_page reports.gate",
        "brief_help": "",
        "command": "audit.errors audit.cli sanitizer.cli reports.cli brief_help",
        "__main__": "command",
    },
}
"""Each package of a room and what it may import, from the ground up; names without a room are of the same room."""


def allowed() -> dict[str, set[str]]:
    """Return the table with every name in full."""
    own = {room: {one: f"{room}.{one}".rstrip(".") for one in packages} for room, packages in ARROWS.items()}
    return {
        own[room][package]: {own[room].get(target, target) for target in targets.split()}
        for room, packages in ARROWS.items()
        for package, targets in packages.items()
    }


HOUSE = house.read(ROOT)
HEAVY = ("torch", "torchvision", "sklearn", "lightning_fabric")


def test_packages_import_what_the_table_allows_and_the_table_nothing_else() -> None:
    used = {(package, target) for package, targets in HOUSE.packages().items() for target in targets}
    listed = {(package, target) for package, targets in allowed().items() for target in targets}
    assert len(used) > 100
    assert sorted(used - listed) == []
    assert sorted(listed - used) == [], "nobody needs these any more"


def test_the_table_names_packages_that_exist() -> None:
    assert sorted(allowed().keys() - HOUSE.packages().keys()) == []


def test_the_table_itself_has_no_cycle_and_points_down() -> None:
    table = allowed()
    assert house.in_cycles(table) == []
    order = {room: i for i, room in enumerate(("audit", "sanitizer", "irene"))} | {"reports": 1}
    for package, targets in table.items():
        room = package.split(".")[0]
        others = {target.split(".")[0] for target in targets} - {room}
        assert all(order[other] < order[room] for other in others), f"{package} may import {others}"


def test_reports_take_from_the_audit_its_evidence_errors_and_ways_with_files_alone() -> None:
    packages = HOUSE.packages()
    taken = {target for name in packages if name.startswith("reports") for target in packages[name]}
    assert {name for name in taken if not name.startswith("reports")} == {
        "audit.evidence", "audit.evidence.checks", "audit.errors", "audit.atomic_write", "audit.file_limits",
    }  # fmt: skip


def test_reports_import_no_torch() -> None:
    found = {
        f"{module}: {name}"
        for module, tree in HOUSE.trees.items()
        for name in house.imported(tree)
        if module.startswith("reports") and name.split(".")[0] in HEAVY
    }
    assert found == set()


def test_no_package_is_in_a_cycle() -> None:
    assert sorted(f"{name} in a cycle" for name in house.in_cycles(HOUSE.packages())) == []


def test_a_folder_has_two_to_fifteen_files() -> None:
    sizes = HOUSE.folders()
    assert len(sizes) > 20
    assert sorted(f"{name} has {count} files" for name, count in sizes.items() if count not in house.FILES) == []


def test_no_function_has_more_than_eight_parameters_or_sixty_lines() -> None:
    functions = list(HOUSE.functions())
    assert len(functions) > 1000
    assert sorted(one.name for one in functions if one.parameters > house.MOST_PARAMETERS) == []
    assert sorted(one.name for one in functions if one.lines > house.MOST_LINES) == []


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 has a relative import"):
        list(house.imported(ast.parse("import os\nfrom . import errors")))


def test_a_name_in_a_string_is_an_import_and_one_under_type_checking_too() -> None:
    code = 'if TYPE_CHECKING:\n    from a.b import c\nT = {"d": "d.e:f"}\nimport g.h'
    assert set(house.imported(ast.parse(code))) == {"a.b.c", "d.e", "g.h"}


def test_cycles_and_levels_of_a_graph_are_found() -> None:
    line = {"top": {"middle"}, "middle": {"ground"}, "ground": set()}
    assert (house.in_cycles(line), house.levels(line)) == ([], 3)
    ring = {"top": {"a"}, "a": {"b"}, "b": {"a"}}
    assert (house.in_cycles(ring), house.levels(ring)) == (["a", "b"], 2)


def test_parameters_of_every_kind_are_counted() -> None:
    tree = ast.parse("class A:\n    def f(self, a, /, b, *c, d, **e):\n        pass")
    assert [(one.name, one.parameters, one.lines) for one in house.House(ROOT, {"m": tree}, 3).functions()] == [
        ("m:f", 6, 2)
    ]


def test_contributing_quotes_the_numbers_of_the_house() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"{house.START}\n{house.table(HOUSE)}\n{house.END}" in text, "run: python benchmarks/house.py --write"


@pytest.mark.parametrize(
    "path",
    sorted(path for room in ROOMS for path in (ROOT / room).rglob("__init__.py")),
    ids=lambda path: path.parent.name,
)
def test_a_package_is_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout


def test_a_report_is_made_without_torch(before: Path, tmp_path: Path) -> None:
    arguments = ["report", str(before), "-o", str(tmp_path / "report.html")]
    code = (
        f"import sys\nfrom irene.command import main\nmain({arguments!r}, standalone_mode=False)\n"
        "print([m for m in ('torch', 'sklearn', 'sanitizer') if m in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def test_help_takes_less_than_a_third_of_a_second_of_the_processor() -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def seconds() -> float:
        start = spent()
        subprocess.run([sys.executable, "-m", "irene", "--help"], capture_output=True, cwd=ROOT, check=True)
        return spent() - start

    assert min(seconds() for _ in range(5)) < 0.3


def test_no_help_imports_torch() -> None:
    code = (
        "import sys\nfrom irene.command import COMMANDS, main\n"
        "for name in COMMANDS:\n"
        "    main([name, '--help'], standalone_mode=False)\n"
        "heavy = ('torch', 'numpy', 'sklearn', 'pandas', 'matplotlib', 'pydantic', 'jinja2', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def examples(of: click.Command) -> list[list[str]]:
    """Return the arguments of each line after `Example:`, which must be the end of the help."""
    _, mark, text = (of.help or "").partition("Example:\n")
    assert mark, f"{of.name} has no example"
    lines = [shlex.split(line) for line in text.replace("\\\n", " ").strip().splitlines()]
    assert all(line[0] == "irene" for line in lines), f"{of.name} does not end in its example"
    return [line[1:] for line in lines]


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_every_help_ends_in_an_example_that_parses(name: str | None) -> None:
    shown = examples(main if name is None else command(name))
    assert shown
    for called, *arguments in shown:
        assert name in (None, called)
        command(called).make_context(called, arguments)


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_a_help_fits_a_screen_and_the_whole_of_it_has_every_option(
    name: str | None,
) -> None:
    def called(*typed: str) -> str:
        return CliRunner().invoke(main, [*([name] if name else []), *typed], terminal_width=80).output

    brief = called("--help")
    assert len(brief.splitlines()) <= 40
    assert "Example:\n" in brief
    if name is None:
        return
    params = [one for one in command(name).params if isinstance(one, click.Option) and not one.hidden]
    offered = {max(one.opts, key=len) for one in params}
    shown = set(re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", brief))
    assert shown <= {*offered, "--help"}
    assert COMMON.get(name, frozenset()) <= {one.lstrip("-") for one in shown}  # none that was renamed
    if name not in COMMON:
        assert shown == {*offered, "--help"}
        assert called("--help-all") == brief
        return
    assert SHORT.keys() <= set().union(*COMMON.values())
    whole = called("--help-all")
    assert {*offered, "--help"} == set(re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", whole))
    (more,) = re.findall(rf"(\d+) more options: .*{name} --help-all", brief)
    assert int(more) == len(offered) + 1 - len(shown)


def test_the_examples_of_the_four_jobs_run_one_after_the_other(
    leaky: Path, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/demo").mkdir(parents=True)
    shutil.copy(leaky, "out/demo/model.safetensors")
    after = f"audit out/clean.safetensors {ROWS} {QUICK} -o out/after.json"
    steps = [
        *((" ".join(line), "") for line in examples(command("layers"))),
        *((" ".join(line), QUICK) for line in examples(command("audit"))),
        *((" ".join(line), "--epochs 1 --limit-rows 700") for line in examples(command("sanitize"))),
        (after, ""),
        *((" ".join(line), "") for line in examples(command("report"))),
    ]
    for example, less in steps:
        result = run(example, less)
        assert result.exit_code == 0, f"irene {example}: {result.output}"
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").iterdir() if path.is_file()}
    clean = {"clean.safetensors", "clean.safetensors.json", "clean.pt2", "clean.pt2.json"}
    assert made == {"before.json", *clean, "after.json", "report.html"}


def test_the_version_is_the_same_everywhere(run: Callable[..., Result]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run("--version").stdout.strip() == f"irene, version {version}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"irene(?:-audit)?[ =~v]+(\d+\.\d+\.\d+)", readme)) <= {version}
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
