"""Every example of docs/extending.md runs as it is written there."""

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from test_readme import blocks, shell_lines, trained

import irene

PAGES = Path(__file__).parents[1] / "docs"
PAGE = PAGES / "extending.md"
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files of the page, and a trained model."""
    monkeypatch.chdir(tmp_path)
    names = re.findall(r"(?m)^`(own\w*\.py)`:", PAGE.read_text(encoding="utf-8"))
    for name, code in zip(names, blocks(PAGE, "python"), strict=True):
        (tmp_path / name).write_text(code, encoding="utf-8")
    (works,) = blocks(PAGES / "framework.md", "toml")
    (tmp_path / "works.toml").write_text(works, encoding="utf-8")
    own = runpy.run_path("own.py")
    data = own["rows"]("train")
    inputs = torch.stack([data.inputs[row] for row in range(len(data))])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = own["network"]()
    trained(model, inputs, torch.from_numpy(data.columns["answer"].codes))
    torch.save(model.state_dict(), "model.pt")
    return tmp_path


def test_what_the_page_writes_and_calls_runs_in_its_order(folder: Path, run: Callable[..., Result]) -> None:
    for line in shell_lines(PAGE):
        done = run(" ".join(shlex.split(line)[1:]))
        assert done.exit_code == 0, f"{line}: {done.output}"
    before, after = irene.read_audit("out/before.json"), irene.read_audit("out/after.json")
    own = [one for one in before.private[0].measurement.attackers if one.name == "own_attacker.py:Nearest"]
    assert [one.failure for one in own] == [None, None]
    made = irene.read_audit("out/after.json").checkpoint.sanitizing
    assert made is not None and made.card is not None
    assert made.card.description == "makes features and classes uncorrelated"
    linear = [max(one.figures["balanced_accuracy"].value for one in audit.private[0].measurement.attackers
                  if one.name == "logistic") for audit in (before, after)]  # fmt: skip
    assert linear[1] < linear[0] - 0.1  # the method takes a part away, as the page says
    assert after.private[0].decided.verdict == "FAIL"
    assert "Works agreement" in (folder / "out" / "report.html").read_text(encoding="utf-8")
    runpy.run_path("own_section.py")
    page = (folder / "out" / "own.html").read_text(encoding="utf-8")
    assert page.count("Who reads most") >= 2  # in the contents, and over the section
