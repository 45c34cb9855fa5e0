"""Time stamps of an authority on this machine (openssl ts), which openssl verifies; nonsense is told."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from drillbook.evidence.redaction import Redactor
from drillbook.evidence.sealing.key_source import KeySource
from drillbook.evidence.sealing.lines import read_envelope
from drillbook.evidence.sealing.sealer import Sealer
from tests.support.sealing import kept, key, sealed_runs

pytestmark = pytest.mark.unit

AUTHORITY = """\
[req]
distinguished_name = dn
prompt = no
x509_extensions = v3
[dn]
CN = A time stamp authority of a test
[v3]
basicConstraints = CA:FALSE
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


def openssl(folder: Path, words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *words.split()], cwd=folder, capture_output=True, check=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its URL, and its folder with tsa.pem. Below /wrong it stamps something else, and below /no it has no answer."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(AUTHORITY)
    (folder / "serial").write_text("01\n")
    made = openssl(folder, "req -x509 -newkey rsa:2048 -nodes -days 30 -config tsa.cnf -keyout tsa.key -out tsa.pem")
    assert made.returncode == 0, made.stderr
    (folder / "other").write_bytes(b"other")
    openssl(folder, "ts -query -data other -sha256 -cert -out other.tsq")

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "asked.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            query = "other.tsq" if "wrong" in self.path else "asked.tsq"
            openssl(folder, f"ts -reply -queryfile {query} -config tsa.cnf -section here -out tsr")
            body = b"<html>no</html>" if "no" in self.path else (folder / "tsr").read_bytes()
            self.send_response(503 if "busy" in self.path else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()


def sealed(root: Path, url: str) -> tuple[Path, list[str]]:
    """A sealed folder, and what was told meanwhile; it is sealed whatever the authority does."""
    source, said = key(root), list[str]()
    folder = kept(root)
    Sealer(root / "evidence", KeySource(source.place, None, None, url), Redactor(), said.append).seal(folder)
    public = (root / "drill.pem.pub").read_text()
    assert set(sealed_runs(root, public).values()) == {"sealed"}
    return folder, said


def test_the_signature_of_the_bundle_is_stamped(tmp_path: Path, authority: tuple[str, Path]) -> None:
    url, of = authority
    folder, said = sealed(tmp_path, url)
    assert said == []
    line = (folder / "attestations.intoto.jsonl").read_bytes().splitlines()[-1]
    (folder / "sig").write_bytes(read_envelope(line).signatures[0].signature)
    verify = f"ts -verify -data sig -in timestamp.tsr -CAfile {of / 'tsa.pem'}"
    assert openssl(folder, verify).returncode == 0
    (folder / "sig").write_bytes(b"another signature")
    assert openssl(folder, verify).returncode != 0


@pytest.mark.parametrize(
    ("path", "why"),
    [("/wrong", "its answer is about something else"), ("/no", "its answer is no time stamp"), ("/busy", "503")],
)
def test_a_stamp_that_cannot_be_had_is_told_and_refuses_no_seal(
    tmp_path: Path, authority: tuple[str, Path], path: str, why: str
) -> None:
    url, _ = authority
    folder, (sentence,) = sealed(tmp_path, url + path)
    assert sentence.startswith(f"no time stamp of {url}{path}: ")
    assert why in sentence
    assert not (folder / "timestamp.tsr").exists()
