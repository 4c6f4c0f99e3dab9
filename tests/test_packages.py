"""How irene is packed for builds: an action, a component, a hook, a container, and the forms of its issues."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement

from irene.command import main

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
ISSUES = ROOT / ".github" / "ISSUE_TEMPLATE"


def read(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def options() -> set[str]:
    command = main.get_command(click.Context(main), "check")
    assert command is not None
    return {name for one in command.params for name in one.opts}


@pytest.fixture
def irene_on_the_path(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `irene` is this one."""
    script = tmp_path / "bin" / "irene"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m irene "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return os.environ | {"PATH": f"{script.parent}:{os.environ['PATH']}"}


def called(script: str, folder: Path, environment: dict[str, str]) -> int:
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, check=False)
    return done.returncode


def test_the_action_checks_writes_its_summary_and_hands_on_the_exit_code(
    tmp_path: Path, irene_on_the_path: dict[str, str]
) -> None:
    (action,) = read(ROOT / "action.yml")
    step = next(one for one in action["runs"]["steps"] if one.get("id") == "check")
    given = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
    given |= {"evidence": str(GOLDEN / "kept.json"), "output": "out here", "limit": "0.42; touch ran"}

    def run(**changed: str) -> int:
        named = {k: (given | changed)[re.findall(r"inputs\.([\w-]+)", v)[0]] for k, v in step["env"].items()}
        for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
            named[name] = str(tmp_path / name)
        return called(step["run"], tmp_path, irene_on_the_path | named)

    assert run() == 2  # an input is a value, whatever stands in it
    assert not (tmp_path / "ran").exists()
    (tmp_path / "out here").mkdir()
    (tmp_path / "out here" / "summary.md").write_text("## Privacy check: of an earlier run\n", encoding="utf-8")
    assert run(evidence="nowhere.json", limit="") == 1
    assert not (tmp_path / "GITHUB_STEP_SUMMARY").exists()
    code = run(limit="0.04", private="sex")
    assert code in (0, 3, 4)
    assert (tmp_path / "GITHUB_OUTPUT").read_text().splitlines() == ["exit-code=2", "exit-code=1", f"exit-code={code}"]
    assert "sex" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert {path.name for path in (tmp_path / "out here").iterdir()} == {"report.html", "check.xml", "summary.md"}
    assert set(re.findall(r"--[a-z-]+", step["run"])) - {"--"} <= options()
    (install,) = (one["run"] for one in action["runs"]["steps"] if "pip install" in one.get("run", ""))
    assert "sign" in re.findall(r"\$\{IRENE\}\[(\w+)\]", install), "a policy may ask for a signature"


def test_the_component_calls_irene_with_options_that_exist_and_names_each_input() -> None:
    spec, jobs = read(ROOT / "templates" / "check.yml")
    (job,) = jobs.values()
    named = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", str(job)))
    assert named == set(spec["spec"]["inputs"])
    check = next(line for line in job["script"] if line.startswith("irene "))
    assert {word for word in shlex.split(check) if word.startswith("--")} - {"--"} <= options()
    assert set(re.findall(r'"\$(\w+)"', " ".join(job["script"]))) == set(job["variables"])
    assert "default" not in spec["spec"]["inputs"]["install"], "whoever has the name in an index would be installed"


def test_the_hook_is_a_command_of_irene() -> None:
    ((hook,),) = read(ROOT / ".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= hook.keys()
    program, command = hook["entry"].split()
    assert (program, main.get_command(click.Context(main), command) is not None) == ("irene", True)


def test_what_the_container_copies_exists_and_is_not_left_out_and_it_is_not_run_by_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    names = [name for name, _ in steps]
    assert set(names) <= {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}
    assert names[0] == "FROM"
    copied = {source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    assert all((ROOT / source).exists() for source in copied)
    assert copied == kept
    assert {"audit", "sanitizer", "reports", "irene"} <= copied  # what the wheel is made of
    users = [rest for name, rest in steps if name == "USER"]
    assert users == ["1000"]  # a number, which every host can tell from root
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_a_build_runs_the_gate_and_the_quick_tests_on_a_second_python() -> None:
    (workflow,) = read(ROOT / ".github" / "workflows" / "test.yml")
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"]
    runs = {name: [step["run"] for step in job["steps"] if "run" in step][-1] for name, job in jobs.items()}
    assert runs == {"gate": "bash .ci/run", "newer": "make quick PYTHON=python"}
    assert (ROOT / ".ci" / "run").is_file()
    assert re.search(r"(?m)^quick:", (ROOT / "Makefile").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(ISSUES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_form_asks_for_something_and_gives_each_field_a_name_of_its_own(path: Path) -> None:
    (form,) = read(path)
    if path.stem == "config":
        assert all({"name", "url", "about"} == set(link) for link in form["contact_links"])
        return
    assert {"name", "description", "body"} <= form.keys()
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert len({one["id"] for one in fields}) == len(fields)
    assert all(one["attributes"]["label"] for one in fields)
    assert any(one.get("validations", {}).get("required") for one in fields)


def test_there_are_forms_for_a_bug_a_wrong_verdict_and_a_new_kind_of_model() -> None:
    assert {path.stem for path in ISSUES.glob("*.yml")} == {"bug", "verdict", "model", "config"}
    assert "SECURITY.md" in (ROOT / "CODE_OF_CONDUCT.md").read_text(encoding="utf-8")


def test_the_lock_has_a_version_of_every_dependency_that_the_declared_lowest_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (one for name, some in project["optional-dependencies"].items() if name != "test" for one in some)
    lines = (ROOT / "constraints" / "cpu.txt").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert not [name for name in locked if name.startswith(("nvidia", "cuda", "triton", "irene"))]
    for wanted in map(Requirement, (*project["dependencies"], *extras)):
        assert wanted.specifier.contains(locked[wanted.name.lower()]), wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_irene(shell: str) -> None:
    environment = os.environ | {"_IRENE_COMPLETE": f"{shell}_source", "PYTHONPATH": str(ROOT)}
    called = [sys.executable, "-c", "from irene.command import main; main(prog_name='irene')"]
    done = subprocess.run(called, env=environment, capture_output=True, text=True, check=False)
    assert "_IRENE_COMPLETE" in done.stdout
    typed = environment | {"_IRENE_COMPLETE": "bash_complete", "COMP_WORDS": "irene check --allow", "COMP_CWORD": "2"}
    done = subprocess.run(called, env=typed, capture_output=True, text=True, check=False)
    assert "plain,--allow-inconclusive" in done.stdout.split()
