"""Signatures of evidence, checkpoints and programs: an in-toto Statement of their SHA-256 in a DSSE envelope.

Others verify it too: securesystemslib, or a few lines with `cryptography`. Keys are the user's own, in PEM files, and
are neither written nor shown. A digest tells of an edit, a signature who vouches that there was none.
Source: https://github.com/secure-systems-lab/dsse and https://github.com/in-toto/attestation, Statement v1.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from audit.atomic_write import sha256
from audit.errors import EvidenceError, IreneError
from audit.evidence.json_file import read_json
from audit.evidence.numbers import one_line
from audit.file_limits import read_bounded

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

PAYLOAD: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:irene-audit:files:v1"
"""What is claimed of the files: that the holder of the key vouches for them as they are, and nothing more."""
SUFFIX: Final = ".sig.json"
WHAT: Final = "a signature (a DSSE envelope)"
LARGEST_KEY: Final = 64 * 1024
SCHEMES: Final = ("ed25519", "ecdsa-sha2-nistp256", "rsassa-pss-sha256")
LIBRARY: Final = "Signatures need securesystemslib with cryptography: pip install 'irene-audit[sign]'."


def envelope_of(path: Path) -> Path:
    """Return where the signature of a file stands: beside it."""
    return path.with_name(path.name + SUFFIX)


def is_own(path: Path) -> bool:
    """Return whether a file is an envelope, with a signature."""
    try:
        return {"payload", "payloadType", "signatures"} <= read_json(path, WHAT).keys()
    except EvidenceError:
        return False


def read_key(path: Path) -> bytes:
    """Return the bytes of a key, or raise an EvidenceError."""
    try:
        return read_bounded(path, LARGEST_KEY)
    except OSError as error:
        raise EvidenceError(f"Cannot read {path}: {error.strerror}. Name a key in PEM.") from None


def is_encrypted(private: bytes) -> bool:
    """Return whether a private key, PEM, asks for a passphrase."""
    return b"ENCRYPTED" in private


def sign(files: Sequence[Path], private: bytes, passphrase: bytes | None = None) -> bytes:
    """Return a DSSE envelope, JSON, over the names and SHA-256 of files, signed with a private key in PEM.

    Raises:
        IreneError: The key cannot be read or is of another kind than Ed25519, ECDSA P-256 and RSA, a file cannot be
            read, or two have one name.
    """
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - an extra
        from securesystemslib.dsse import Envelope  # noqa: PLC0415
        from securesystemslib.signer import CryptoSigner  # noqa: PLC0415
    except ImportError:
        raise IreneError(LIBRARY) from None
    try:
        signer = CryptoSigner(load_pem_private_key(private, passphrase))
    except (ValueError, TypeError, AttributeError) as error:
        encrypted = is_encrypted(private)
        told = "its passphrase is another" if encrypted else "it is no private key in PEM of a kind that signs"
        raise IreneError(f"The key cannot sign: {told}. Give one of Ed25519, ECDSA P-256 or RSA.") from error
    _require_known(signer.public_key)
    names = [path.name for path in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise IreneError(f"Two of the files are named {twice[0]}. Sign each in its own folder.")
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": path.name, "digest": {"sha256": _sha256(path)}} for path in files],
        "predicateType": PREDICATE,
        "predicate": {},
    }
    envelope = Envelope(json.dumps(statement, sort_keys=True).encode(), PAYLOAD, {})
    envelope.sign(signer)
    return (json.dumps(envelope.to_dict(), indent=2, sort_keys=True) + "\n").encode()


def require_signature(files: Sequence[Path], key: Path, envelopes: Sequence[Path] = ()) -> None:
    """Refuse files that are not all signed by a public key; signatures are those given, and those beside the files.

    Raises:
        EvidenceError: A file bears no signature, another key signed it, it was changed since, or signed by another
            name.
    """
    public = read_public(key)
    found = dict.fromkeys([*envelopes, *filter(Path.exists, map(envelope_of, files))])
    if not found:
        raise EvidenceError(f"{files[0]} is not signed: there is no {envelope_of(files[0]).name} beside it.")
    signed = {subject for path in found for subject in _subjects(path, public, key)}
    for file in files:
        digits = _sha256(file)
        names = sorted(name for name, subject in signed if subject == digits)
        if not names:
            raise EvidenceError(
                f"{file} is not what was signed by {key}: its SHA-256 is in no signature. It was changed."
            )
        if file.name not in names:
            raise EvidenceError(
                f"{file} was signed by {key} as {one_line(names[0])}, and is named {file.name}: one may stand in the "
                "place of another. Give it the name that it was signed by, or sign it anew."
            )


def _subjects(path: Path, public: "SSlibKey", key: Path) -> set[tuple[str, str]]:
    """Return the name and the SHA-256 of each file that an envelope is about, once the key has verified it."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415 - `read_public` has told if it is not there

    _refuse_link(path)
    content = read_json(path, WHAT)
    try:
        envelope: Envelope = Envelope.from_dict(content)
        payload: Any = json.loads(envelope.payload)
        subjects = {(str(one["name"]), str(one["digest"]["sha256"])) for one in payload["subject"]}
        known = envelope.payload_type == PAYLOAD and payload["_type"] == STATEMENT
    except Exception as error:  # whatever a stranger's JSON does to the library
        raise EvidenceError(f"{path} is not {WHAT} of files: {type(error).__name__}. Sign again.") from None
    if not known or payload.get("predicateType") != PREDICATE:
        raise EvidenceError(f"{path} is no signature by irene sign: it claims something else of its files. Sign again.")
    if not any(_holds(public, signature, envelope) for signature in envelope.signatures.values()):
        raise EvidenceError(f"{path} was not signed by {key}, or was changed after it was. Name its key.")
    return subjects


def _holds(public: "SSlibKey", signature: Any, envelope: "Envelope") -> bool:
    """Return whether a signature is the key's, whatever key the envelope names."""
    from securesystemslib.exceptions import UnverifiedSignatureError  # noqa: PLC0415

    try:
        public.verify_signature(signature, envelope.pae())
    except UnverifiedSignatureError:  # VerificationError, of a signature that is none, is one too
        return False
    return True


def read_public(path: Path) -> "SSlibKey":
    """Return a public key, PEM.

    Raises:
        IreneError: It cannot be read, is no public key of a kind that is used here, or the library is not there.
    """
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - an extra
        from securesystemslib.signer import SSlibKey  # noqa: PLC0415
    except ImportError:
        raise IreneError(LIBRARY) from None
    content = read_key(path)
    try:
        key = SSlibKey.from_crypto(load_pem_public_key(content))
    except (ValueError, TypeError, AttributeError):
        is_private = b"PRIVATE" in content
        fact = "it is a private key, which is needed to sign alone" if is_private else "it is no public key in PEM"
        raise EvidenceError(f"{path} cannot verify: {fact}. Name the public key.") from None
    _require_known(key)
    return key


def _require_known(key: "SSlibKey") -> None:
    if key.scheme not in SCHEMES:
        raise IreneError(f"A key of kind {key.scheme} is not used here. Give one of Ed25519, ECDSA P-256 or RSA.")


def _sha256(path: Path) -> str:
    _refuse_link(path)
    try:
        return sha256(path)
    except OSError as error:
        raise EvidenceError(f"Cannot read {path}: {error.strerror}.") from None


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise EvidenceError(f"Cannot read {path}: it is a link; name the file itself.")
