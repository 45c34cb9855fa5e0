"""Time stamps of a drill's signature, made by openssl as an authority would, against what the reader brings."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from drillbook.evidence.verifying.findings import Code, Report
from drillbook.evidence.verifying.times import Clock
from drillbook.evidence.verifying.whole import Options, Verifier
from drillbook.model.times.clock import wall_now
from tests.support.sealed import Evidence, Memory, codes, envelope, key, stable

pytestmark = pytest.mark.unit

SETTINGS = """\
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[tsa]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[stamps]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


class Authority:
    """Who stamps times, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "conf").write_text(SETTINGS)
        (folder / "serial").write_text("01")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "conf", "-days", "30")
        self._run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-extensions", "ca")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-extensions", "tsa", "-subj", "/CN=TSA")
        self._run("req", "-x509", *curve, *signed, "-keyout", "tsa.key", "-out", "tsa.pem")

    @property
    def root(self) -> bytes:
        return (self.folder / "ca.pem").read_bytes()

    def stamp(self, what: bytes) -> bytes:
        (self.folder / "what").write_bytes(what)
        self._run("ts", "-query", "-data", "what", "-sha512", "-cert", "-no_nonce", "-out", "query")
        self._run("ts", "-reply", "-queryfile", "query", "-config", "conf", "-section", "stamps", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stamps") / "authority")


def signature(evidence: Evidence, folder: str) -> bytes:
    """What is stamped: the signature of the statement over all files."""
    line = evidence.lines(f"{folder}/attestations.intoto.jsonl")[1]
    return base64.b64decode(json.loads(line)["signatures"][0]["sig"])


@pytest.fixture
def stamped(authority: Authority) -> Callable[..., Report]:
    """Verifies a drill of a few minutes ago with this stamp; the right one without any."""

    def verify(
        stamp: bytes | None = None, *, roots: bytes | None = authority.root, ago: timedelta = timedelta(minutes=10)
    ) -> Report:
        evidence = Evidence(at=wall_now() - ago)
        folder = evidence.drill()
        made = authority.stamp(signature(evidence, folder)) if stamp is None else stamp
        evidence.files[f"{folder}/timestamp.tsr"] = made
        verifier = Verifier(evidence.trust(), Options(Clock(wall_now()), tsa_roots=roots))
        return verifier.all(Memory.of(evidence.files))

    return verify


def test_a_stamp_of_an_authority_that_the_reader_trusts_is_good(stamped: Callable[..., Report]) -> None:
    assert codes(stamped()) == []


def test_a_stamp_over_a_strangers_signature_is_none_of_the_drill(authority: Authority) -> None:
    evidence, name = Evidence(at=wall_now() - timedelta(minutes=10)), "attestations.intoto.jsonl"
    folder = evidence.drill()
    path = f"{folder}/{name}"
    lines = evidence.lines(path)
    of_a_stranger = json.loads(envelope(base64.b64decode(json.loads(lines[1])["payload"]), key(7)))["signatures"]
    both = json.loads(lines[1])
    own = signature(evidence, folder)
    both["signatures"] = [*of_a_stranger, *both["signatures"]]
    evidence.files[path] = lines[0] + stable(both) + b"\n"
    for stamped, found in (
        (base64.b64decode(of_a_stranger[0]["sig"]), {Code.W_UNKNOWN_SIGNER, Code.E_TSA_MISMATCH}),
        (own, {Code.W_UNKNOWN_SIGNER}),
    ):
        evidence.files[f"{folder}/timestamp.tsr"] = authority.stamp(stamped)
        verifier = Verifier(evidence.trust(), Options(Clock(wall_now()), tsa_roots=authority.root))
        assert set(codes(verifier.all(Memory.of(evidence.files)))) == found


def test_a_stamp_without_certificates_is_told_as_unchecked(
    stamped: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes(stamped(roots=None)) == [Code.W_TSA_UNCHECKED]
    monkeypatch.setitem(sys.modules, "drillbook.evidence.verifying.timestamps", None)
    (found,) = stamped().findings
    assert (found.code, "pip install 'drillbook[timestamp]'" in found.sentence) == (Code.W_TSA_UNCHECKED, True)


def test_what_nobody_stamped_is_told_where_stamps_are_asked_for(authority: Authority) -> None:
    evidence = Evidence()
    evidence.drill()
    verifier = Verifier(evidence.trust(), Options(Clock(wall_now()), tsa_roots=authority.root))
    assert codes(verifier.all(Memory.of(evidence.files))) == [Code.W_TSA_MISSING]


def test_a_stamp_of_something_else_is_refused(stamped: Callable[..., Report], authority: Authority) -> None:
    assert codes(stamped(authority.stamp(b"another"))) == [Code.E_TSA_MISMATCH]


def test_a_stamp_of_another_authority_is_refused(stamped: Callable[..., Report], tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    assert codes(stamped(roots=other.root)) == [Code.E_TSA_UNTRUSTED]
    assert codes(stamped(roots=b"none")) == [Code.E_TSA_UNTRUSTED]


@pytest.mark.parametrize("stamp", [b"", b"\x30\x03\x02\x01\x00", b"stamp"])
def test_what_is_no_stamp_is_refused(stamped: Callable[..., Report], stamp: bytes) -> None:
    assert codes(stamped(stamp)) == [Code.E_TSA_INVALID]


def test_a_stamp_that_was_changed_is_refused(stamped: Callable[..., Report], authority: Authority) -> None:
    evidence = Evidence(at=wall_now() - timedelta(minutes=10))
    folder = evidence.drill()
    good = authority.stamp(signature(evidence, folder))
    for place in range(0, len(good), 23):
        spoilt = bytearray(good)
        spoilt[place] ^= 1
        evidence.files[f"{folder}/timestamp.tsr"] = bytes(spoilt)
        verifier = Verifier(evidence.trust(), Options(Clock(wall_now()), tsa_roots=authority.root))
        assert verifier.all(Memory.of(evidence.files)).exit_status == 2, place


def test_a_stamp_from_before_the_drills_end_is_refused(stamped: Callable[..., Report]) -> None:
    report = stamped(ago=timedelta(hours=-2))
    assert set(codes(report)) == {Code.E_FUTURE, Code.E_TSA_OUTSIDE_WINDOW}


def test_a_stamp_of_tomorrow_is_refused(authority: Authority) -> None:
    evidence = Evidence()
    folder = evidence.drill()
    evidence.files[f"{folder}/timestamp.tsr"] = authority.stamp(signature(evidence, folder))
    yesterday = Clock(wall_now() - timedelta(days=1))
    verifier = Verifier(evidence.trust(), Options(yesterday, tsa_roots=authority.root))
    assert codes(verifier.all(Memory.of(evidence.files))) == [Code.E_FUTURE]


def test_a_stamp_without_end_is_not_read(stamped: Callable[..., Report]) -> None:
    assert codes(stamped(bytes((1 << 20) + 1))) == [Code.E_SIZE]
