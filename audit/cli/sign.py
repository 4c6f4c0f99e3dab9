"""The command `irene sign`: who vouches for evidence and checkpoints."""

import os
from pathlib import Path

import click

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--key", required=True, type=FILE, help="Your private key: PEM, of Ed25519, ECDSA P-256 or RSA.")
@click.option(
    "--passphrase-env",
    metavar="NAME",
    help="The environment variable with the key's passphrase; it is asked for if left out.",
)
@click.option("-o", "--output", type=FILE, help="The signature; FILE.sig.json beside the first file if left out.")
def sign(files: tuple[Path, ...], key: Path, passphrase_env: str | None, output: Path | None) -> None:
    """Sign FILES, evidence, checkpoints and programs, with a private key of your own.

    The signature is a DSSE envelope over an in-toto Statement that names each file with its SHA-256; `irene verify
    --key` checks it, and so do other tools. Nothing is sent anywhere, and the key is neither copied nor shown. A key is
    made by `openssl genpkey -algorithm ed25519 -out private.pem`, and its public half by `openssl pkey -in private.pem
    -pubout -out public.pem`.

    \b
    Example:
      irene sign out/after.json out/clean.pt --key private.pem
    """
    from audit.atomic_write import refuse_unless, write_whole
    from audit.errors import IreneError, visible
    from audit.evidence.signature import envelope_of, is_encrypted, is_own, read_key
    from audit.evidence.signature import sign as signed

    private = read_key(key)
    passphrase = None
    if is_encrypted(private):
        if passphrase_env is not None and passphrase_env not in os.environ:
            raise IreneError(f"--passphrase-env names {passphrase_env}, which is not set. Set it, or leave it out.")
        asked = os.environ[passphrase_env] if passphrase_env else click.prompt("Passphrase of the key", hide_input=True)
        passphrase = asked.encode()
    place = output or envelope_of(files[0])
    if place.resolve() in {path.resolve() for path in (*files, key)}:
        raise IreneError(f"{place} is a file that is read and would be lost. Name another with -o.")
    refuse_unless(is_own, place)
    write_whole(place, signed(files, private, passphrase))
    click.echo(visible(f"Wrote {place}"))
