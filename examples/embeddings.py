"""Embeddings only, with verification: vectors tell people apart and tell their sex; behind a map, the first alone.

You learn to audit vectors without the model that made them, to measure whether people are still recognised, and to fit
a map that lets a few dimensions pass. Two minutes on 2 cores. The vectors are made up; a file of yours holds an
array (n, d), and arrays (n,) of who it is and of the private attribute:

    python examples/embeddings.py
    python examples/embeddings.py faces.npz --person person --private Male
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

import numpy as np

import irene
from irene.command import main as irene_command


def made_up(path: str, people: int = 1200, each: int = 3, d: int = 32) -> None:
    """Write vectors of people, several of each, whose mean depends on their sex."""
    random = np.random.default_rng(0)
    person, sex = np.arange(people).repeat(each), random.integers(2, size=people)
    own = random.normal(size=(people, d)) + np.outer(sex, random.normal(size=d))
    vectors = own[person] + 0.5 * random.normal(size=(len(person), d))
    np.savez(path, face=vectors.astype(np.float32), person=person, sex=np.array(["f", "m"])[sex[person]])


def told(when: str, path: str) -> None:
    """Print what is read of the attribute, and how well people are told apart."""
    result = irene.read_audit(path)
    for finding in result.private:
        read, guess = finding.measurement.score.value, finding.measurement.guess
        verdict, name = finding.decided.verdict, finding.attribute
        print(f"{when}: {verdict}. {name} is read in {read:.1%} of cases, a guess gives {guess:.0%}.")
    auc, eer = result.verifications[0].auc.value, result.verifications[0].eer.value
    print(f"  People are told apart with an AUC of {auc:.3f}, an equal error rate of {eer:.1%}.")


def main(file: Path | None, person: str, private: str) -> None:
    """Audit, fit a map on half of the people, and audit it on the others."""
    if file is None:
        made_up("faces.npz")
    vectors = "faces.npz" if file is None else str(file)
    who = ["--private", private, "--group", person]
    asked = [*who, "--keep-identity", person]

    def run(*arguments: str) -> None:
        irene_command(list(arguments), standalone_mode=False)

    run("audit", vectors, *asked, "--held-out", "-o", "before.json")  # of the people that no map will be fitted on
    run("sanitize", vectors, *who, "--rank", "8", "-o", "clean")
    run("audit", "clean.npz", "--table", vectors, *asked, "-o", "after.json")
    told("Before", "before.json")
    told("After", "after.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--person", default="person")
    parser.add_argument("--private", default="sex")
    given = parser.parse_args()
    given.file = given.file and given.file.resolve()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        main(given.file, given.person, given.private)
