"""docs/verify-by-hand.md does what it says, with sha256sum and openssl alone, and so does a report for its drill."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from drillbook.evidence.render.html import by_hand
from drillbook.evidence.render.html.page import render
from drillbook.evidence.sealing.keys import public_pem
from tests.docs.blocks import BY_HAND, Use, blocks
from tests.support.sealed import Evidence, key

pytestmark = pytest.mark.unit

ONE, LINES, LEDGER = [block.text for block in blocks(BY_HAND) if block.use is Use.RUN]


def signed(root: Path) -> tuple[Evidence, Path]:
    """Evidence on a disk as the page has it, with the public key; and the folder of its drill."""
    evidence = Evidence()
    state = {"state": "signed", "keyid": key().keyid, "reason": None}
    folder = evidence.drill(record=lambda it: it.update(signature=state))
    evidence.drill("bbbb02")
    evidence.write(root / "evidence")
    (root / "drill.pub").write_text(key().public)
    return evidence, root / "evidence" / folder


def run(root: Path, *scripts: str) -> tuple[int, str]:
    """What a shell says that has nothing of ours on its path."""
    env = {"PATH": "/usr/bin:/bin", "TMPDIR": str(root), "HOME": os.devnull}
    script = "\n".join(scripts)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_the_page_verifies_a_drill_and_the_ledger(tmp_path: Path) -> None:
    evidence, _ = signed(tmp_path)
    status, said = run(tmp_path, ONE, LINES, LEDGER)
    assert status == 0, said
    verified, drill, entry, head = said.splitlines()
    assert verified == "Signature Verified Successfully"
    assert json.loads(drill)["predicate"]["outcome"] == "PASSED"
    assert json.loads(entry)["predicate"]["kind"] == "sealed"
    assert head == f"head {evidence.head().digest}"


@pytest.mark.parametrize(
    ("what", "change", "says"),
    [
        ("content/report.html", b"another", "differ"),
        ("content/work.ndjson", b"", "EOF on"),
        ("SHA256SUMS", b"", "EOF on"),
        ("../../drill.pub", key(1).public.encode(), "Signature Verification Failure"),
    ],
)
def test_what_was_changed_in_the_drill_is_seen(tmp_path: Path, what: str, change: bytes, says: str) -> None:
    _, folder = signed(tmp_path)
    (folder / what).write_bytes(change)
    status, said = run(tmp_path, ONE, LINES)
    assert (status, says in said) == (1, True), said


def test_what_was_changed_and_listed_anew_is_seen(tmp_path: Path) -> None:
    _, folder = signed(tmp_path)
    (folder / "content/report.html").write_bytes(b"another")
    first = by_hand.commands()[0].partition(" | cmp")[0] + ' > "$drill/SHA256SUMS"'
    status, said = run(tmp_path, ONE, first, LINES)
    assert (status, said) == (1, "Signature Verified Successfully\n")


@pytest.mark.parametrize("spoil", ["drop", "move", "flip"])
def test_what_was_changed_in_the_ledger_is_seen(tmp_path: Path, spoil: str) -> None:
    evidence, _ = signed(tmp_path)
    lines = evidence.lines()
    if spoil == "drop":
        del lines[1]
    elif spoil == "move":
        lines.reverse()
    else:
        lines[2] = lines[2].replace(b'"sig":"', b'"sig":"AAAA')
    (tmp_path / evidence.ledger).parent.mkdir(exist_ok=True)
    (tmp_path / "evidence" / evidence.ledger).write_bytes(b"".join(lines))
    status, said = run(tmp_path, ONE, LEDGER)
    assert (status, "head" in said) == (1, False)


(OTHER_KEYS,) = [block.text for block in blocks(BY_HAND) if block.use is Use.NOT_RUN]


@pytest.mark.parametrize(
    ("signer", "more"),
    [(CryptoSigner.generate_ecdsa(), ""), (CryptoSigner.generate_rsa(), "-sigopt rsa_padding_mode:pss ")],
)
def test_the_line_for_other_keys_is_right(tmp_path: Path, signer: CryptoSigner, more: str) -> None:
    assert more.strip() in BY_HAND.read_text(encoding="utf-8")
    (tmp_path / "signed").write_bytes(b"what was signed")
    (tmp_path / "sig").write_bytes(bytes.fromhex(signer.sign(b"what was signed").signature))
    (tmp_path / "drill.pub").write_text(public_pem(signer))
    line = OTHER_KEYS.replace("-signature", f"{more}-signature")
    assert run(tmp_path, "key=drill.pub work=.", line) == (0, "Verified OK\n")
    (tmp_path / "signed").write_bytes(b"another")
    assert run(tmp_path, "key=drill.pub work=.", line)[0] == 1


# ---- the report ---------------------------------------------------------------------------------------------------


def test_the_report_has_the_lines_for_its_own_drill(tmp_path: Path) -> None:
    evidence, folder = signed(tmp_path)
    record = json.loads((folder / "content/drill.json").read_text())
    page = render(record, {}, [])
    (found,) = re.findall(r'<pre id="by-hand-lines">(.*?)</pre>', page, re.DOTALL)
    commands = html.unescape(found)
    status, said = run(tmp_path, commands)
    assert (status, said.splitlines()[0]) == (0, "Signature Verified Successfully")
    assert commands.splitlines() == [*ONE.splitlines(), *LINES.splitlines()] == list(by_hand.lines(record))
    assert key().keyid in page
    assert evidence.signer.keyid == key().keyid


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": None},
        {"signature": {"state": "unsigned", "keyid": None, "reason": "no key"}},
        {"signature": "signed"},
        {"started_at": "yesterday"},
    ],
)
def test_a_report_that_nobody_signs_has_none(tmp_path: Path, changes: dict[str, object]) -> None:
    _, folder = signed(tmp_path)
    record = json.loads((folder / "content/drill.json").read_text()) | changes
    page = render(record, {}, [])
    assert "by-hand" not in page


def test_a_control_is_in_the_folder_of_its_name() -> None:
    state = {"state": "signed", "keyid": "k"}
    record = {"title": "It", "run_id": "a" * 32, "started_at": "2026-11-22T12:00:00.000Z", "signature": state}
    control = record | {"control": {"name": "no-fault"}}
    assert by_hand.lines(control)[0].startswith('drill="evidence/20261122T120000Z-no-fault-it-aaaaaa"')
