"""The commands `irene verify` and `irene schema`: what evidence is made of, and whether it is whole."""

import json
from pathlib import Path

import click

KINDS = ("audit", "sweep", "record")
unsealed = click.option(
    "--allow-unsealed",
    is_flag=True,
    help="Also read evidence of a schema that had no digest yet, whose edits nobody can see; every output says so.",
)
WORDS = {True: "holds", False: "BROKEN", None: "unknown"}


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@unsealed
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A public key that must have signed every file.",
)
def verify(files: tuple[Path, ...], allow_unsealed: bool, key: Path | None) -> None:
    """Compute anew the hashes that link evidence to checkpoints, and say which do not match.

    FILES are evidence of `irene audit`, and checkpoints; the record that `irene sanitize` left beside one is read
    too, and so are a program beside a checkpoint and the signature (FILE.sig.json) that `irene sign` made. A link
    that the files given cannot decide is said to be unknown. Exit code 1 where a link is broken.

    \b
    Example:
      irene verify out/demo/after.json out/demo/before.json out/demo/clean.safetensors out/demo/model.safetensors
    """
    from audit.errors import EvidenceError, visible
    from audit.evidence.checks.verify import verify as links

    found = links(files, allow_unsealed=allow_unsealed, key=key)
    for link in found:
        click.echo(visible(f"{WORDS[link.holds]:8}{link.says}"))
    if broken := sum(link.holds is False for link in found):
        raise EvidenceError(f"{broken} of {len(found)} links are broken. Find the files that belong together.")
    if not any(link.holds for link in found):
        raise EvidenceError("Nothing could be verified. Give the checkpoints that the evidence names, too.")


@click.command()
@click.argument("kind", type=click.Choice(KINDS), default="audit")
def schema(kind: str) -> None:
    """Print the JSON Schema of an evidence file: of an audit, a sweep, or a sanitizer's record.

    \b
    Example:
      irene schema audit
    """
    from audit.evidence.audit_result import AuditResult, Sidecar
    from audit.evidence.json_file import Frozen
    from audit.evidence.sweep_result import Sweep

    kinds: dict[str, type[Frozen]] = {"audit": AuditResult, "sweep": Sweep, "record": Sidecar}
    described = kinds[kind].model_json_schema(mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    click.echo(json.dumps(dialect | described, indent=2, ensure_ascii=False))
