"""The command as the evidence has it: every option, and no folder."""

import shlex

import click
import pytest
from click.testing import CliRunner

from audit.cli.command_line import command_line


@click.command()
@click.argument("subject", type=click.Path())
@click.option("--data")
@click.option("--data-arg", multiple=True)
@click.option("--arch-arg", multiple=True)
@click.option("--tokenizer")
@click.option("--private")
@click.option("--quiet", is_flag=True)
@click.option("-o", "--output", type=click.Path())
def toy(**_options: object) -> None:
    click.echo(command_line())


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("clients/ada/model.pt -o out/a.json", "model.pt -o a.json"),
        ("/clients/model.pt -o/home/ada/a.json", "model.pt -oa.json"),
        ("m.pt --output=../ada/a.json --quiet", "m.pt --output=a.json --quiet"),
        ("--quiet ./m.pt --data ada/faces/", "--quiet m.pt --data faces"),
        ("m.pt --data ada/own.py:rows --data-arg root=/srv/ada/x", "m.pt --data own.py:rows --data-arg root=x"),
        ("m.pt --data s3://ada/faces.csv", "m.pt --data faces.csv"),
        ("m.pt --data 'https://x.org/ada/faces.csv?key=secret'", "m.pt --data faces.csv"),
        (
            "m.pt --arch-arg words=clients/ada/words.txt --tokenizer ada/own",
            "m.pt --arch-arg words=words.txt --tokenizer own",
        ),
        ("m.pt --private black/white,and/or", "m.pt --private black/white,and/or"),
        ("m.pt --data digits -o 'ada lovelace/a b.json'", "m.pt --data digits -o 'a b.json'"),
    ],
)
def test_a_command_is_recorded_without_the_folders_that_it_names(
    typed: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(typed)
    monkeypatch.setattr("sys.argv", ["irene", "toy", *words])
    done = CliRunner().invoke(toy, words)
    assert done.output == f"irene toy {shown}\n"
