"""A speech encoder of others, without a task, end to end: audited, sanitized, audited again, and its report.

    pip install --no-deps resemblyzer
    apt-get install espeak-ng
    python benchmarks/speech.py [--out out/speech]

The encoder is that of the package resemblyzer (GE2E, 256 numbers for an utterance), its own weights; the utterances are
those of voices.py, random numbers said in eight languages by the voices of espeak-ng. Private is the language; voices
should stay recognisable. Half of the voices fit the map, the others are audited. It runs what a user would run.
"""

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import numpy as np
import voices

from audit.data.labelled import LabelledData, Part, labelled
from audit.evidence.audit_result import read_audit
from audit.evidence.findings import Estimate

HERE = Path(__file__).parent
ROWS = ("--data", f"{HERE / 'speech.py'}:load", "--private", "language", "--keep-identity", "voice")
NET = ("--arch", f"{HERE / 'third_party_networks.py'}:VoiceNet")
METHODS = ("leace", "pairs", "map")


def load(part: Part = "audit") -> LabelledData:
    """Return the utterances of every second voice, the first ones to fit a map, with the voice as a column."""
    said = _said()
    names = sorted(set(map(str, said.groups())))
    own = set(names[part == "audit" :: 2])
    rows = np.array([row for row, voice in enumerate(said.groups()) if str(voice) in own])
    voice = [str(said.groups()[row]) for row in rows]
    inputs = [said.inputs[int(row)] for row in rows]
    language = said.column("language", "private")
    columns = {"language": [language.classes[language.codes[row]] for row in rows], "voice": voice}
    return labelled(inputs, columns, group=voice, group_name="voice", name="synthetic speech")


@cache
def _said() -> LabelledData:
    said = voices.load()
    number = np.unique(said.groups(), return_inverse=True)[1]
    return labelled(said.inputs, {"language": said.columns["language"]}, group=[f"voice {one:03d}" for one in number])


def irene(*words: str) -> None:
    """Run a command as a user would."""
    subprocess.run([sys.executable, "-m", "irene", *words], check=True)


def told(one: Estimate, scale: float = 1, digits: int = 3) -> str:
    """Return a figure with its interval."""
    value, low, high = (f"{scale * end:.{digits}f}" for end in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/speech"), show_default=True)
@click.option("--methods", default=",".join(METHODS), show_default=True)
def main(out: Path, methods: str) -> None:
    """Run the commands, and print the table."""
    spec = importlib.util.find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        raise click.ClickException("No package resemblyzer here. Install it: pip install --no-deps resemblyzer.")
    out.mkdir(parents=True, exist_ok=True)
    weights, before = str(Path(spec.origin).with_name("pretrained.pt")), out / "before.json"
    irene("audit", weights, *NET, *ROWS, "-o", str(before))
    found = {"as it is": before}
    for method in methods.split(","):
        clean, after = out / f"{method}.pt", out / f"{method}.json"
        irene("sanitize", weights, *NET, *ROWS, "--method", method, "-o", str(clean))
        irene("audit", str(clean), *NET, *ROWS, "-o", str(after))
        irene("report", str(before), str(after), "-o", str(out / f"{method}.html"))
        found[method] = after
    click.echo("\n| encoder | language read, % | verdict | voices: AUC | EER, % |\n|---|---|---|---|---|")
    for name, path in found.items():
        result = read_audit(path)
        one, seen = result.private[0], result.verifications[0]
        cells = (told(one.measurement.score, 100, 1), one.decided.verdict, told(seen.auc), told(seen.eer, 100, 1))
        click.echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
