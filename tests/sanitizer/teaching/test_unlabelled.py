"""Sanitizing with unlabelled rows from end to end: fresh attackers read less, and the record says what was measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from support.people import EACH, PEOPLE, checkpoint, loaded, rows, vectors

from audit.data.columns import MISSING, Column
from audit.data.labelled import LabelledData, labelled
from audit.errors import IreneError
from audit.evidence.audit_result import Sanitizing, read_sidecar, sidecar
from audit.model.checkpoint import load
from sanitizer.methods import nonlinear_map
from sanitizer.methods.base import Method, Rows
from sanitizer.methods.heads import retained_loss
from sanitizer.methods.low_rank import kept_coordinates
from sanitizer.methods.nonlinear_map import NonlinearMap, _Fit, fit_map
from sanitizer.options import SanitizeOptions
from sanitizer.run import sanitize
from sanitizer.teaching import network
from sanitizer.vectors import Vectors, sanitize_vectors

Run = Callable[..., Result]
Matrix = NDArray[np.float32]
D, FEW, MANY = 60, 240, 4000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STEPS", 60)  # what a network learns is tried beside


def drawn(count: int, seed: int) -> tuple[Matrix, list[str]]:
    """Vectors of two classes, 4.5 deviations apart along a line that no number of them shows alone."""
    generator = np.random.default_rng(seed)
    v = generator.integers(0, 2, count)
    z = generator.normal(size=(count, D)) + (v - 0.5)[:, None] * 4.5 / D**0.5
    return z.astype(np.float32), ["f" if one else "m" for one in v]


def few_and_many(seed: int) -> tuple[Vectors, LabelledData]:
    """Return few labelled vectors, all of which may fit, and many without a label."""
    z, v = drawn(FEW, 3 * seed)
    data = labelled(z, {"v": v, "split": ["train"] * FEW})
    return Vectors("z", z, data, "0" * 64), labelled(drawn(MANY, 3 * seed + 1)[0], {})


def read_behind(folder: Path, method: Method | str, seed: int, *, helped: bool) -> float:
    """Return what a fresh linear attacker reads behind the map, of rows that nothing has seen."""
    vectors, more = few_and_many(seed)
    options = SanitizeOptions(seed=seed, unlabelled=more if helped else None)
    sanitize_vectors(vectors, folder / "clean.npz", private="v", method=method, options=options)
    z, v = drawn(20_000, 3 * seed + 2)
    with torch.no_grad():
        clean = load(folder / "clean.pt2").module(torch.from_numpy(z)).numpy()
    half = len(v) // 2
    attacker = LogisticRegression(max_iter=200).fit(clean[:half], v[:half])
    return float(balanced_accuracy_score(v[half:], attacker.predict(clean[half:])))


def test_a_fresh_attacker_of_leace_reads_less_where_unlabelled_rows_help_to_erase(tmp_path: Path) -> None:
    few = [read_behind(tmp_path, "leace", seed, helped=False) for seed in range(4)]
    helped = [read_behind(tmp_path, "leace", seed, helped=True) for seed in range(4)]
    assert np.mean(few) > 0.65, few  # the law of rows: .4 √(60 / 240) above one half
    assert np.mean(helped) < np.mean(few) - 0.06, (few, helped)
    assert all(more < less for more, less in zip(helped, few, strict=True))


@pytest.mark.slow
def test_a_fresh_attacker_of_the_map_reads_less_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 150)
    few = [read_behind(tmp_path, NonlinearMap(rank=16), seed, helped=False) for seed in range(2)]
    helped = [read_behind(tmp_path, NonlinearMap(rank=16), seed, helped=True) for seed in range(2)]
    assert np.mean(helped) < np.mean(few) - 0.03, (few, helped)


def test_the_width_begins_with_what_the_rows_are_worth_and_labelled_rows_alone_choose_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    n, generator = 4000, torch.Generator().manual_seed(0)
    v, z = torch.arange(n) % 2, torch.randn(n, 80, generator=generator)
    plain = Rows(z, z, torch.zeros(n, 1), torch.zeros(n, dtype=torch.int64), {"v": v})
    taught = torch.arange(n) >= 1000
    chooses = (torch.arange(n) >= 600) & ~taught
    discounted = replace(plain, worth={"v": 1 - 0.75 * taught.double()}, chooses=chooses)
    monkeypatch.setattr(nonlinear_map, "STEPS", 1)

    def width(_fit: _Fit, most: int) -> int:
        asked.append(most)
        return 1

    monkeypatch.setattr(_Fit, "width", width)
    for one in (plain, discounted, replace(plain, worth={"v": torch.ones(n)})):
        fit_map(one, {"v": 2}, [], NonlinearMap(), has_task=False)
    assert asked == [62, 27, 62]  # of 4,000 rows, and of 1,000 and 3,000 that are worth a quarter
    fit = _Fit(discounted, {"v": 2}, NonlinearMap(), torch.eye(80), torch.zeros(80), None, told=False)
    assert sorted(fit._held(np.random.default_rng(0).permutation(n))) == list(range(600, 1000))


def test_a_retained_label_that_is_not_known_takes_no_part() -> None:
    z = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    v = (z[:, 0] > 0).long().numpy()
    unknown = np.where(np.arange(400) < 200, v, MISSING)
    axes, _ = kept_coordinates(z, [unknown], 16.0, 2)
    told = (z.double().numpy() @ axes.T)[:, -1]
    assert abs(np.corrcoef(told, z[:, 0])[0, 1]) > 0.9
    assert kept_coordinates(z, [np.full(400, MISSING)], 16.0, 2)[0].shape == (2, 6)
    scores, labels = torch.randn(400, 2, generator=torch.Generator().manual_seed(1)), torch.as_tensor(unknown)
    assert retained_loss(scores, labels, 2) == retained_loss(scores[:200], labels[:200], 2)
    assert retained_loss(scores, torch.full((400,), MISSING), 2) == 0


def without(data: LabelledData, *names: str) -> LabelledData:
    return replace(data, columns={name: column for name, column in data.columns.items() if name not in names})


@pytest.mark.slow
@pytest.mark.parametrize("method", ["leace", "kernel", "pairs", "rich", "irene"])
def test_an_encoder_is_sanitized_with_unlabelled_rows_by_every_kind_of_method(method: str, tmp_path: Path) -> None:
    data, more = rows(0), without(rows(1), "v")
    kept = Column((np.arange(len(data)) // EACH % 3 == 0).astype(np.int64), ("no", "yes"))
    data = replace(data, columns={**data.columns, "kept": kept})
    options = SanitizeOptions(epochs=1, batch_size=64, unlabelled=more)
    out = tmp_path / "clean.pt"
    given = {"private": "v", "method": method, "options": options}
    done = sanitize(loaded(checkpoint(tmp_path)), data, out, keep="kept", **given)  # type: ignore[arg-type]
    assert done == read_sidecar(sidecar(out)).sanitizing
    assert (done.settings["data.rows"], done.settings["unlabelled.rows"]) == (720, 720)
    assert done.head_rows == 180  # a quarter of the labelled ones
    assert isinstance(done.settings["unlabelled.error.v"], float) and done.settings["unlabelled.error.v"] < 0.3
    assert any("'kept' is not known of 720" in note for note in done.notes)


def test_another_file_of_unlabelled_rows_is_another_request(tmp_path: Path) -> None:
    sums = []
    for more in (rows(1), rows(1).take(np.arange(300))):
        options = SanitizeOptions(unlabelled=without(more, "v"))
        given = {"private": "v", "method": "leace", "options": options}
        done = sanitize(loaded(checkpoint(tmp_path)), rows(0), tmp_path / "clean.pt", **given)  # type: ignore[arg-type]
        sums.append((done.settings["unlabelled.sha256"], done.data_fingerprint))
    assert sums[0][0] != sums[1][0] and sums[0][1] == sums[1][1]


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    z, columns = vectors()
    known = np.arange(len(z)) < len(z) // 2
    np.savez("faces.npz", face=z[known], **{name: one[known] for name, one in columns.items()})  # type: ignore[arg-type]
    np.savez("more.npz", vector=z[~known])
    np.savez("named.npz", face=z[~known], person=columns["person"][~known])
    empty = np.where(known, columns["v"], "")
    np.savez("both.npz", face=z, person=columns["person"], v=empty)
    np.savez("narrow.npz", face=z[:, 1:])
    return tmp_path


def record() -> Sanitizing:
    return read_sidecar(Path("clean.npz.json")).sanitizing


MAP = "--private v --group person --method leace -o clean.npz"


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ("faces.npz --unlabelled more.npz", 720),
        ("faces.npz --unlabelled named.npz --keep-identity person", 720),
        ("both.npz --unlabelled both.npz --classes person,v", 720),
    ],
)
def test_embeddings_are_mapped_with_bare_ones_with_people_or_with_the_rows_that_lack_a_label(
    files: str, count: int, faces: Path, run: Run
) -> None:
    result = run(f"sanitize {files} {MAP}")
    assert result.exit_code == 0, result.output
    done = record()
    assert done.settings["unlabelled.rows"] == count
    assert f"Note: {count} unlabelled rows of " in result.output and "rows with true labels" in result.output
    for name in ("clean.npz", "clean.npz.json", "clean.pt2", "clean.pt2.json"):
        assert b"zqperson" not in (faces / name).read_bytes(), name
    table = " --table both.npz" if "both" in files else " --table faces.npz"
    audited = run(f"audit clean.npz{table} --private v --group person --attackers logistic -o a.json")
    assert audited.exit_code == 0, audited.output
    assert run("verify a.json clean.npz").exit_code == 0


@pytest.mark.parametrize(
    ("typed", "fact"),
    [
        ("--unlabelled narrow.npz", "shape [11]"),
        ("--unlabelled faces.npz", "Every row of faces.npz has a label of 'v'"),
        ("--unlabelled nowhere.npz", "does not exist"),
        ("--unlabelled more.npz --keep-identity person", "no column 'person', by which people"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    typed: str, fact: str, faces: Path, run: Run
) -> None:
    before = {one.name for one in faces.iterdir()}
    result = run(f"sanitize faces.npz {MAP}", typed)
    assert result.exit_code == 1 and fact in result.output
    assert "Traceback" not in result.output and {one.name for one in faces.iterdir()} == before


def test_people_who_are_audited_are_left_out_of_the_unlabelled_rows(faces: Path, run: Run) -> None:
    z, columns = vectors()
    again = z + 0.01  # other pictures of the labelled people
    np.savez("again.npz", face=again, person=columns["person"])
    result = run(f"sanitize faces.npz --unlabelled again.npz {MAP}")
    assert result.exit_code == 0, result.output
    labelled_people = PEOPLE // 2
    teach = labelled_people // 2 - -(-labelled_people // 2 // 4)  # of the half that fits, three quarters
    assert record().settings["unlabelled.rows"] == EACH * (PEOPLE - labelled_people + teach)
    assert "are of groups held out and were left out" in result.output


BUILD = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
"""


def test_a_table_is_named_twice_and_another_one_would_be_encoded_otherwise(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("build.py").write_text(BUILD)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(900, 3))
    lines = [
        f"{a:.6f},{b:.6f},{c:.6f},{'yes' if a > 0 else 'no'},{('f' if b > 0 else 'm') if row < 400 else ''},train"
        for row, (a, b, c) in enumerate(x)
    ]
    head = "a,b,c,y,v,split"
    Path("rows.csv").write_text("\n".join([head, *lines]))
    Path("other.csv").write_text("\n".join([head, *lines[500:]]))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    torch.save(model.state_dict(), "model.pt")
    usual = "sanitize model.pt --arch build.py:build --data rows.csv --features a,b,c --task y --private v"
    usual += " --method kernel --epochs 1 --batch-size 64 --allow-chance -o clean.pt"
    refused = run(f"{usual} --unlabelled other.csv")
    assert refused.exit_code == 1 and "would be encoded by its own rows" in refused.output
    result = run(f"{usual} --unlabelled rows.csv")
    assert result.exit_code == 0, result.output
    done = read_sidecar(Path("clean.pt.json")).sanitizing
    assert (done.settings["data.rows"], done.settings["unlabelled.rows"]) == (400, 500)
    assert "400 rows of rows.csv have the private labels already" in result.output
    assert float(str(done.settings["unlabelled.error.v"])) < 0.15


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    options = SanitizeOptions(unlabelled=without(rows(1), "v"))
    with pytest.raises(IreneError, match="--unlabelled runs in one process"):
        sanitize(loaded(checkpoint(tmp_path)), rows(0), tmp_path / "c.pt", private="v", method="leace", options=options)
