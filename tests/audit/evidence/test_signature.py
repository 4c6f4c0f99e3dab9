"""Signatures: verified by others too, and refused for another key, a changed file, a link or a device."""

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from support.findings import audit

from audit.atomic_write import sha256
from audit.evidence.audit_result import write_audit
from irene.command import main

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KINDS: dict[str, Callable[[], Private]] = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "ECDSA P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


def saved(private: Private, folder: Path, name: str = "private.pem", passphrase: bytes | None = None) -> Path:
    """Write a key and its public half, and say where it is."""
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    (folder / name).write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / name.replace("private", "public")).write_bytes(public)
    return folder / name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"weights")
    write_audit(audit(sha=sha256(tmp_path / "model.pt")), tmp_path / "after.json")
    saved(ed25519.Ed25519PrivateKey.generate(), tmp_path)
    return tmp_path


def irene(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def refused(result: Result, told: str) -> None:
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    assert len(result.stderr.splitlines()) == 1
    assert told in result.output


@pytest.mark.parametrize("kind", KINDS)
def test_others_verify_the_signature_by_its_preauthentication_encoding_alone(kind: str, here: Path) -> None:
    private = KINDS[kind]()
    saved(private, here)
    assert irene("sign", "after.json", "model.pt", "--key", "private.pem").exit_code == 0
    envelope = json.loads((here / "after.json.sig.json").read_text(encoding="utf-8"))
    payload, name = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    encoded = b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)
    signature, public = base64.b64decode(envelope["signatures"][0]["sig"]), private.public_key()
    match public:
        case ed25519.Ed25519PublicKey():
            public.verify(signature, encoded)
        case ec.EllipticCurvePublicKey():
            public.verify(signature, encoded, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPublicKey():
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            public.verify(signature, encoded, pss, hashes.SHA256())
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == {
        name: sha256(here / name) for name in ("after.json", "model.pt")
    }
    result = irene("verify", "after.json", "model.pt", "--key", "public.pem")
    assert result.exit_code == 0 and result.output.count("is signed by public.pem") == 2, result.output


def test_what_is_not_signed_or_by_another_key_or_was_changed_is_a_broken_link(here: Path) -> None:
    words = ("verify", "after.json", "model.pt", "--key")
    refused(irene(*words, "public.pem"), "after.json is not signed")
    assert irene("sign", "after.json", "model.pt", "--key", "private.pem", "-o", "any.sig.json").exit_code == 0
    refused(irene(*words, "public.pem"), "after.json is not signed")
    assert irene(*words, "public.pem", "any.sig.json").exit_code == 0
    assert "which --key checks" in irene("verify", "after.json", "model.pt", "any.sig.json").output
    saved(ed25519.Ed25519PrivateKey.generate(), here, "private2.pem")
    refused(irene(*words, "public2.pem", "any.sig.json"), "was not signed by public2.pem")
    (here / "model.pt").write_bytes(b"weightz")
    refused(irene(*words, "public.pem", "any.sig.json"), "model.pt is not what was signed by public.pem")


def test_a_signature_is_not_written_over_another_model(here: Path) -> None:
    (here / "other.pt").write_bytes(b"weights")
    refused(irene("sign", "after.json", "--key", "private.pem", "-o", "other.pt"), "other.pt is there already")
    assert (here / "other.pt").read_bytes() == b"weights"


def test_an_odd_name_of_a_file_that_is_signed_is_spelled_out(here: Path) -> None:
    odd = "model\n\x1b[31m.pt"
    (here / odd).write_bytes(b"x")
    assert irene("sign", odd, "--key", "private.pem").output == "Wrote model\\n\\x1b[31m.pt.sig.json\n"


def test_a_signed_file_in_the_place_of_another_is_told_by_both_names(here: Path) -> None:
    assert irene("sign", "after.json", "model.pt", "--key", "private.pem", "-o", "any.sig.json").exit_code == 0
    (here / "before.json").write_bytes((here / "after.json").read_bytes())
    refused(
        irene("verify", "before.json", "--key", "public.pem", "any.sig.json"),
        "before.json was signed by public.pem as after.json, and is named before.json",
    )


@pytest.mark.parametrize("key", ["payload", "payloadType", "signatures"])
def test_an_envelope_that_was_edited_is_refused_in_one_line(key: str, here: Path) -> None:
    irene("sign", "after.json", "--key", "private.pem")
    path = here / "after.json.sig.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    odd: list[Any] = ["", "AAAA", 7, None, [], {}, [{}], [{"sig": 7}], [{"keyid": "", "sig": "AAAA"}]]
    for value in odd:
        path.write_text(json.dumps(whole | {key: value}), encoding="utf-8")
        refused(irene("verify", "after.json", "--key", "public.pem"), "BROKEN")
    payload = json.loads(base64.b64decode(whole["payload"]))
    payload["subject"].append({"name": "model.pt", "digest": {"sha256": sha256(here / "model.pt")}})
    forged = base64.b64encode(json.dumps(payload).encode()).decode()
    path.write_text(json.dumps(whole | {"payload": forged}), encoding="utf-8")
    refused(irene("verify", "after.json", "--key", "public.pem"), "was changed after it was")


def test_a_passphrase_is_asked_for_or_read_from_the_variable_named_and_never_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(ed25519.Ed25519PrivateKey.generate(), here, passphrase=b"open sesame")
    words = ["sign", "model.pt", "--key", "private.pem"]
    asked = CliRunner().invoke(main, words, input="open sesame\n")
    assert asked.exit_code == 0 and "sesame" not in asked.output
    monkeypatch.setenv("WORD", "open sesame")
    named = irene(*words, "--passphrase-env", "WORD")
    assert named.exit_code == 0 and "sesame" not in named.output
    monkeypatch.setenv("WORD", "another")
    refused(irene(*words, "--passphrase-env", "WORD"), "its passphrase is another")
    refused(irene(*words, "--passphrase-env", "NONE"), "is not set")
    text = (here / "model.pt.sig.json").read_text(encoding="utf-8")
    assert "sesame" not in text and "PRIVATE" not in text


def test_links_devices_pipes_and_keys_of_another_kind_are_refused(here: Path) -> None:
    (here / "link.pt").symlink_to("model.pt")
    os.mkfifo(here / "pipe.pt")
    saved(ec.generate_private_key(ec.SECP384R1()), here, "private3.pem")
    for file, told in (
        ("link.pt", "it is a link"),
        ("pipe.pt", "it is a pipe"),
        ("none.pt", "No such file"),
    ):
        refused(irene("sign", file, "--key", "private.pem"), told)
    refused(irene("sign", "/dev/zero", "--key", "private.pem", "-o", "x.sig.json"), "no regular file")
    refused(irene("sign", "model.pt", "--key", "/dev/zero"), "no regular file")
    refused(irene("sign", "model.pt", "--key", "private3.pem"), "Ed25519, ECDSA P-256 or RSA")
    refused(irene("sign", "model.pt", "--key", "public.pem"), "The key cannot sign")
    refused(irene("sign", "model.pt", "--key", "private.pem", "-o", "private.pem"), "would be lost")
    irene("sign", "after.json", "--key", "private.pem")
    refused(irene("verify", "after.json", "--key", "private.pem"), "Name the public key")


def test_without_the_library_one_line_names_what_to_install(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    refused(irene("sign", "model.pt", "--key", "private.pem"), "pip install 'irene-audit[sign]'")
    refused(irene("verify", "after.json", "--key", "public.pem", "model.pt"), "pip install 'irene-audit[sign]'")
