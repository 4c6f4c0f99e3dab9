"""A map alone, for vectors without a model: fitted on rows that no audit of it sees, and nothing else is written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from support.people import EACH, WIDTH, vectors

import irene
from audit.data.sources.embeddings import read_embeddings
from audit.evidence.audit_result import AuditResult, read_audit, read_sidecar
from audit.model.checkpoint import load
from sanitizer.methods import nonlinear_map

Run = Callable[..., Result]
ASKED = "--private v --keep-identity person"
QUICK = "--attackers logistic"


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    z, columns = vectors()
    np.savez("faces.npz", face=z, **columns)  # type: ignore[arg-type]
    return tmp_path


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def audited(run: Run, given: str) -> AuditResult:
    done(run("audit", given, ASKED, QUICK, "-o audit.json"))
    return read_audit("audit.json")


def test_vectors_and_a_map_are_written_with_their_records_and_no_label_or_id(
    faces: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 40)
    told = done(run("sanitize faces.npz", ASKED, "-o clean"))
    assert "Method: map" in told
    made = {one.name for one in faces.iterdir() if one.name.startswith("clean")}
    assert made == {"clean.npz", "clean.npz.json", "clean.pt2", "clean.pt2.json"}
    for name in made:
        assert b"zqperson" not in (faces / name).read_bytes(), name
    with np.load("clean.npz") as clean:
        assert clean.files == ["face"]
        assert clean["face"].shape == vectors()[0].shape and clean["face"].dtype == np.float32
        program = load("clean.pt2").module
        assert np.allclose(program(torch.from_numpy(vectors()[0])).detach().numpy(), clean["face"], atol=1e-4)
    record = read_sidecar(faces / "clean.npz.json").sanitizing
    assert (record.settings["data.part_by"], record.settings["data.part_group"]) == ("half", "person")
    assert any("fitted on 720 of 1440 rows" in note for note in record.notes)


def test_python_maps_vectors_as_the_command_does_and_refuses_in_a_line(faces: Path, run: Run) -> None:
    z, columns = vectors()
    rows = irene.labelled(z, {"v": columns["v"]}, group=columns["person"], group_name="person")
    done(run("sanitize faces.npz --private v --group person --method leace -o typed.npz"))
    record = irene.sanitize_embeddings({"face": z}, rows, "called.npz", private="v", method="leace")
    with np.load("typed.npz") as typed, np.load("called.npz") as called:
        assert np.array_equal(typed["face"], called["face"])
    assert record.settings["data.part_by"] == "half"
    for given, fact in (
        ({"face": z[:9]}, "'face' has 9 rows of 12 numbers and there are labels of 1440"),
        ({"face": z.astype(str)}, "Save features as floats"),
        ({"face": np.where(z == z[3, 3], np.nan, z)}, "NaN or infinity in row 4"),
        ({}, "without a layer"),
        ({"face": z, "voice": z}, "2 arrays of vectors were given, and a map is of one"),
    ):
        with pytest.raises(irene.IreneError, match=fact):
            irene.sanitize_embeddings(given, rows, "refused.npz", private="v", method="leace")
    assert not list(faces.glob("refused*"))


@pytest.mark.parametrize("name", ["file", "allow_pickle", "args", "a/b"])
def test_vectors_of_any_name_are_written_under_it(name: str, faces: Path) -> None:
    z, columns = vectors()
    rows = irene.labelled(z, {"v": columns["v"]})
    record = irene.sanitize_embeddings({name: z}, rows, "clean.npz", private="v", method="leace")
    with np.load("clean.npz") as clean:
        assert clean.files == [name] and clean[name].shape == z.shape
    assert [*read_embeddings(faces / "clean.npz", may_lack_labels=True).layers] == [name]
    assert read_sidecar(faces / "clean.npz.json").sanitizing == record


def test_without_a_method_a_map_is_fitted_whatever_is_kept(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 3)
    z, columns = vectors()
    rows = irene.labelled(z, {"v": columns["v"], "w": np.arange(len(z)) % 2})
    record = irene.sanitize_embeddings({"face": z}, rows, "clean.npz", private="v", keep="w")
    assert (record.method, record.settings["keep"]) == ("map", "w")


@pytest.mark.parametrize("method", ["map", "rich"])
def test_more_dimensions_than_there_are_are_refused(method: str, faces: Path, run: Run) -> None:
    ended = run(f"sanitize faces.npz {ASKED} --method {method} --rank 13 --epochs 0 -o clean.npz")
    assert ended.exit_code == 1
    last = ended.output.strip().splitlines()[-1]
    assert "--rank 13 is more than the 12 dimensions of the layer. Give at most 12." in last
    assert not list(faces.glob("clean*"))


@pytest.mark.slow
def test_the_same_rows_are_audited_before_and_after_and_none_of_them_fitted_the_map(faces: Path, run: Run) -> None:
    done(run("sanitize faces.npz", ASKED, "--method leace -o clean.npz"))
    before = audited(run, "faces.npz --held-out")
    after = audited(run, "clean.npz --table faces.npz")
    assert before.data.fingerprint == after.data.fingerprint
    assert before.data.rows == after.data.rows == 720
    assert any("rows that may fit a map were left out" in note for note in after.warnings)
    assert after.checkpoint.sanitizing is not None
    assert after.checkpoint.sanitizing.parent_sha256 == before.checkpoint.sha256
    read, left = (one.findings[0].measurement.score.value for one in (before, after))
    assert read > 0.85 and left < 0.65
    assert after.verifications[0].auc.value > 0.9
    done(run("audit faces.npz --held-out", ASKED, QUICK, "-o before.json"))
    done(run("report before.json audit.json -o page.html"))
    assert "Change" in Path("page.html").read_text()
    assert "are of one run of the sanitizer" in done(run("verify audit.json before.json faces.npz clean.npz"))


@pytest.mark.slow
def test_a_map_is_fitted_on_the_rows_of_the_split_train_alone(faces: Path, run: Run) -> None:
    z, columns = vectors()
    person = np.arange(len(z)) // EACH
    split = np.where(person % 4 < 2, "train", "test")
    far = np.where((split == "test")[:, None], z * 50 + 1000, z)  # what a map that saw them could not miss
    maps = []
    for one in (z, far):
        np.savez("parted.npz", face=one, split=split, **columns)  # type: ignore[arg-type]
        done(run("sanitize parted.npz", ASKED, "--method leace -o clean.npz"))
        maps.append(load("clean.pt2").module(torch.eye(WIDTH)))
    assert torch.equal(*maps)
    assert audited(run, "clean.npz --table parted.npz").data.rows == (split == "test").sum()


def test_an_audit_that_would_part_other_groups_than_the_record_is_refused(faces: Path, run: Run) -> None:
    done(run("sanitize faces.npz --private v --group person --method leace -o clean.npz"))
    result = run("audit clean.npz --table faces.npz --private v", QUICK, "-o audit.json")
    assert result.exit_code == 1 and "the same --group" in result.output


@pytest.mark.parametrize(
    ("typed", "fact"),
    [
        ("--method irene", "trains an encoder, and these are vectors without one"),
        ("--method codebook", "trains an encoder, and these are vectors without one"),
        ("--private w", "private column"),
        ("--keep v", "is to be kept and to be removed"),
        ("-o clean.pt", "Vectors are written as .npz or .npy"),
        ("-o faces.npz", "faces.npz is read by this command"),
        ("--arch small-convnet", "take no --arch"),
        ("--layer fase", "Did you mean 'face'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    typed: str, fact: str, faces: Path, run: Run
) -> None:
    result = run("sanitize faces.npz --private v -o clean.npz", typed)
    assert result.exit_code in (1, 2) and fact in result.output
    assert {one.name for one in faces.iterdir()} == {"faces.npz"}


@pytest.mark.parametrize("method", ["map", "pairs", "rich"])
def test_vectors_that_are_all_alike_are_refused_in_one_line(method: str, faces: Path, run: Run) -> None:
    z, columns = vectors()
    np.savez("alike.npz", face=np.ones_like(z), **columns)  # type: ignore[arg-type]
    trained = "--epochs 1 --batch-size 64" if method == "rich" else ""
    result = run(f"sanitize alike.npz --private v --method {method} {trained} -o clean.npz")
    assert result.exit_code == 1 and "All training rows have the same features" in result.output
    assert not Path("clean.npz").exists()


@pytest.mark.parametrize("method", ["leace", "pairs"])
def test_vectors_too_large_to_be_squared_are_refused_before_any_work(method: str, faces: Path, run: Run) -> None:
    z, columns = vectors()
    np.savez("large.npz", face=z * np.float32(1e20), **columns)  # type: ignore[arg-type]
    result = run(f"sanitize large.npz --private v --method {method} -o clean.npz")
    assert result.exit_code == 1 and "'face' holds values up to" in result.output
    assert result.output.strip().endswith("Divide the vectors by a number first.")
    result = run("sanitize faces.npz --unlabelled large.npz --private v --method leace -o clean.npz")
    assert result.exit_code == 1 and "Divide the vectors by a number first." in result.output
    assert {one.name for one in faces.iterdir()} == {"faces.npz", "large.npz"}


@pytest.mark.parametrize("method", ["map", "pairs"])
def test_six_rows_make_a_map(method: str, faces: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 3)
    np.savez("six.npz", face=vectors()[0][:6], v=["f", "m"] * 3)
    done(run(f"sanitize six.npz --private v --method {method} -o clean.npz"))
    with np.load("clean.npz") as clean:
        assert np.isfinite(clean["face"]).all()


def test_people_who_are_in_both_parts_of_a_split_are_counted(faces: Path, run: Run) -> None:
    z, columns = vectors()
    split = np.where(np.arange(len(z)) // EACH % 4 < 2, "train", "test")
    split[0] = "test"  # of a person whose other rows train
    np.savez("both.npz", face=z, split=split, **columns)  # type: ignore[arg-type]
    asked = "both.npz --private v --group person"
    told = f"groups of 'person' that have rows in the other part of the split, too: 1 of {len(z) // EACH // 2 + 1};"
    assert told not in done(run("audit", asked, QUICK, "-o a.json"))
    assert told in done(run("audit", asked, QUICK, "--held-out -o a.json"))
    done(run("sanitize", asked, "--method leace -o clean.npz"))
    assert any(told.partition(": ")[0] in note for note in read_sidecar(faces / "clean.npz.json").sanitizing.notes)


def test_a_row_without_a_known_split_is_refused(faces: Path, run: Run) -> None:
    z, columns = vectors()
    np.savez("odd.npz", face=z, split=np.where(np.arange(len(z)) % 2, "train", "tset"), **columns)  # type: ignore[arg-type]
    result = run("sanitize odd.npz --private v -o clean.npz")
    assert result.exit_code == 1 and "'tset'" in result.output


def test_an_npy_file_becomes_one_with_its_labels_in_a_table(faces: Path, run: Run) -> None:
    z, columns = vectors()
    np.save("face.npy", z)
    lines = [f"{person},{v}" for person, v in zip(columns["person"], columns["v"], strict=True)]
    Path("labels.csv").write_text("\n".join(["person,v", *lines]))
    done(run("sanitize face.npy --table labels.csv --private v --group person --method leace -o clean.npy"))
    assert np.load("clean.npy").shape == z.shape


@pytest.mark.slow
def test_rich_fits_a_map_of_vectors_too_and_keeps_their_geometry(faces: Path, run: Run) -> None:
    told = done(run("sanitize faces.npz --method rich --epochs 3 --batch-size 64", ASKED, "-o clean.npz"))
    assert "verification has an AUC of" in told
    assert audited(run, "clean.npz --table faces.npz").verifications[0].auc.value > 0.7
