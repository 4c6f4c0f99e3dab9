"""Removal without a task, on real face embeddings: what is still read, and whether people are still told apart.

    python benchmarks/verification.py [--seeds 0] [--methods leace,pairs:64,map,map:16]

Rows are those of ../shared/data/embeddings/celeba_faces.npz (5,000 × 128, person, Male). The map of each method is
fitted on half of the people, and everything is measured on the other half: attackers are fitted, chosen and tested
there, and people verified on its test rows. The half and all draws follow from the seed. `rich:32` is rich at rank 32,
`pairs:64` pairs of 64 words, `map:limit=0.08` a map of the width for another limit. Without the file the script says
so and ends.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit.atomic_write import sha256
from audit.data.parts import PartRule
from audit.data.sources.embeddings import LayerRows, read_embeddings
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Estimate
from audit.run import audit_embeddings
from audit.settings import Settings
from sanitizer.method_table import make_method
from sanitizer.methods.base import Method
from sanitizer.options import SanitizeOptions
from sanitizer.vectors import Vectors, sanitize_vectors

FACES = Path(__file__).parents[2] / "shared/data/embeddings/celeba_faces.npz"
PRIVATE, PERSON, LAYER = "Male", "person", "embedding"


def read(path: Path) -> Vectors:
    """Read the vectors and their labels, grouped by person."""
    found = read_embeddings(path, classes=PERSON)
    data = replace(found.data.grouped_by(PERSON), inputs=LayerRows(found.layers[LAYER]))
    return Vectors(LAYER, found.layers[LAYER], data, sha256(path))


def method(name: str) -> Method:
    """Return a method by its name, `rich:32` at a rank of its own, `pairs:64` with as many words, or a setting."""
    kind, _, many = name.partition(":")
    setting, _, value = many.partition("=")
    if value:
        return make_method(kind, {setting: float(value)})
    return make_method(kind, {"words" if kind == "pairs" else "rank": int(many)} if many else {})


def audited(given: Vectors, z: np.ndarray, seed: int) -> AuditResult:
    """Audit some vectors on the half of the people that fitted no map."""
    rows = PartRule.of(given.data, seed).rows(given.data, "audit")
    settings = Settings(ceiling=False, seed=seed, keep_identity=PERSON)
    return audit_embeddings({LAYER: z[rows]}, given.data.take(rows), private=PRIVATE, settings=settings)


def told(estimate: Estimate | None, scale: float = 1, digits: int = 3) -> str:
    """Return a figure with its interval."""
    if estimate is None:
        return "–"
    value, low, high = (f"{scale * one:.{digits}f}" for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def lines(name: str, result: AuditResult) -> list[str]:
    """Return a row of the table for each kind of impostors."""
    measurement = result.findings[0].measurement
    linear = max(one.figures["balanced_accuracy"].value for one in measurement.attackers if one.name == "logistic")
    found = []
    for one in result.verifications:
        rates = " | ".join(told(tar.rate, 100, 1) for tar in one.accepted)
        leak = f"{told(measurement.score, 100, 1)} | {100 * linear:.1f}"
        among = "all" if one.among is None else f"same {one.among}"
        found.append(f"| {name} | {leak} | {among} | {told(one.auc)} | {told(one.eer, 100, 1)} | {rates} |")
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--methods", default="leace,pairs:64,map,map:16")
    parser.add_argument("--epochs", type=int, default=30)
    asked = parser.parse_args()
    if not FACES.is_file():
        print(f"{FACES} is not here: nothing was measured.")
        return
    given = read(FACES)
    for seed in map(int, asked.seeds.split(",")):
        before = audited(given, given.values, seed)
        one = before.verifications[0]
        rows = (
            f"{before.data.rows:,} rows audited, {before.data.test.rows:,} test rows, {one.people} people with several"
        )
        pairs = f"{one.genuine:,} genuine and {one.impostor:,} of {one.impostor_held:,} impostor pairs"
        print(f"\nSeed {seed}: {rows}; {pairs}\n")
        print("| vectors | Male, % read | linear | impostors | AUC | EER, % | TAR @ 1 % | .1 % | .01 % |")
        print("|---|---|---|---|---|---|---|---|---|")
        print("\n".join(lines("as they are", before)), flush=True)
        for name in asked.methods.split(","):
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "clean.npz"
                recipe = SanitizeOptions(asked.epochs, 256, seed=seed)
                options = replace(recipe, keep_identity=PERSON, name=name)
                sanitize_vectors(given, output, private=PRIVATE, method=method(name), options=options)
                z = np.load(output)[LAYER]
            print("\n".join(lines(name, audited(given, z, seed))), flush=True)


if __name__ == "__main__":
    main()
