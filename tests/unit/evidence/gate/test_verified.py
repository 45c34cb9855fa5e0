"""`drillbook verify` on a folder of kept proofs: whole ones are whole, and each way to bend them has its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drillbook.commands.cli import app
from drillbook.evidence.gate.signed import attestation_of, seal
from drillbook.evidence.gate.verified import Signatures, holds_proofs, verify_proofs
from drillbook.evidence.sealing.signing import Signing
from drillbook.evidence.verifying.findings import Code, Report
from drillbook.evidence.verifying.times import DEFAULT_SKEW_S, Clock
from drillbook.evidence.verifying.trust import read_trust
from drillbook.evidence.verifying.whole import Options
from drillbook.model.times.clock import wall_now
from tests.unit.evidence.gate.test_judging import proof
from tests.unit.evidence.gate.test_signed import OTHER, OURS, kept, signing

pytestmark = pytest.mark.unit

Change = Callable[[Path, Path, Signing], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A signed proof, and another one of another feature; all of them below proofs/, with a trust file beside that."""
    by = signing(tmp_path)
    made = kept(tmp_path, proof(2), by)
    kept(tmp_path, replace(OTHER, scenario="features/x.feature::X"), by)
    trusts(tmp_path, by)
    (tmp_path / "proofs/README.md").write_text("# Proofs\n")
    return made


def trusts(root: Path, by: Signing, **more: object) -> None:
    row = {"keyid": by.keyid, "name": "somebody", "public": by.public_pem} | more
    (root / "trust.json").write_text(json.dumps({"keys": [row]}))


def verified(root: Path) -> Report:
    return verify_proofs(root / "proofs", root / "trust.json", Options(Clock(wall_now(), DEFAULT_SKEW_S)))


def codes(report: Report) -> list[Code]:
    return [each.code for each in report.findings]


def test_whole_proofs_are_whole(path: Path, tmp_path: Path) -> None:
    report = verified(tmp_path)
    assert (report.verdict, codes(report), report.exit_status) == ("whole", [], 0)
    assert (report.counts.bundles, report.counts.signed, report.counts.entries) == (2, 2, 2)
    assert [each.stream for each in report.heads] == ["proofs"]
    kept(tmp_path, proof(1), signing(tmp_path))  # a newer one takes the place of the older one
    assert codes(verified(tmp_path)) == []


def test_the_command_takes_them_for_what_they_are(path: Path, tmp_path: Path) -> None:
    def call(*words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, ["verify", str(tmp_path / "proofs"), *words])
        return ran.exit_code, ran.output

    trust = ("--trust", str(tmp_path / "trust.json"))
    status, said = call(*trust)
    assert (status, said.splitlines()[0]) == (
        0,
        "The evidence is whole: 2 bundles (2 signed), 2 files, 2 entries of the ledger.",
    )
    assert call(*trust, "--expect-head", said.split()[-1])[0] == 0
    assert call(*trust, "--expect-head", f"proofs:1:{'0' * 64}")[0] == 2
    assert call(*trust, "--expect-head", f"proofs:7:{'0' * 64}")[0] == 2
    assert (call()[0], "E_NO_TRUST" in call()[1]) == (3, True)
    path.write_bytes(path.read_bytes() + b"\n")
    assert call(*trust)[0] == 2


def test_those_of_this_repository_are_whole() -> None:
    report = verify_proofs(OURS, OURS / "demonstration-trust.json", Options(Clock(wall_now(), DEFAULT_SKEW_S)))
    assert [each for each in report.findings if each.code is not Code.W_PROOF_GONE] == []
    assert report.counts.bundles == report.counts.signed == len(list(OURS.glob("*/*.json")))


def test_a_folder_of_evidence_is_none_of_proofs(tmp_path: Path) -> None:
    (tmp_path / "20261130-x/content").mkdir(parents=True)
    (tmp_path / "20261130-x/attestations.intoto.jsonl").write_text("{}\n")
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/proofs.jsonl").write_text("{}\n")  # of an environment with that name
    assert not holds_proofs(tmp_path)
    (tmp_path / "20261130-x/content").rmdir()
    assert holds_proofs(tmp_path)


# ------------------------------------------------------------------ bent


def edited(old: bytes, new: bytes) -> Change:
    return lambda path, _root, _by: path.write_bytes(path.read_bytes().replace(old, new))


def ledger(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    def changed(_path: Path, root: Path, _by: Signing) -> None:
        file = root / "proofs/ledger/proofs.jsonl"
        file.write_bytes(b"".join(each + b"\n" for each in change(file.read_bytes().split(b"\n")[:-1])))

    return changed


def signed_anew(change: Callable[[Path], object], **about: object) -> Change:
    """The holder of the key signs another file, or says something else about it."""

    def changed(path: Path, root: Path, by: Signing) -> None:
        change(path)
        seal(root / "proofs", path, replace(proof(2), **about), by)  # type: ignore[arg-type]

    return changed


def rewritten(**fields: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def moved(path: Path, root: Path, by: Signing) -> None:
    new = path.with_name("another-000000.json")
    path.rename(new)
    attestation_of(path).unlink()
    seal(root / "proofs", new, proof(2), by)


def removed(path: Path, _root: Path, _by: Signing) -> None:
    path.unlink()
    attestation_of(path).unlink()


def of_a_stranger(path: Path, root: Path, _by: Signing) -> None:
    data = (root / "proofs/ledger/proofs.jsonl").read_bytes()
    seal(root / "proofs", path, proof(2), signing(root, "stranger.pem"))
    (root / "proofs/ledger/proofs.jsonl").write_bytes(data)


def older(path: Path, root: Path, by: Signing) -> None:
    """A newer proof is taken back."""
    before = {each: each.read_bytes() for each in (path, attestation_of(path))}
    kept(root, proof(1), by)
    for each, data in before.items():
        each.write_bytes(data)


BENT: dict[str, tuple[Change, set[Code]]] = {
    "a byte more": (lambda path, _, __: path.write_bytes(path.read_bytes() + b"\n"), {Code.E_SUBJECT_DIGEST}),
    "another outcome": (edited(b'"PASSED"', b'"HELD"'), {Code.E_SUBJECT_DIGEST}),
    "no signature": (lambda path, _, __: attestation_of(path).unlink(), {Code.E_UNSIGNED}),
    "no envelope": (lambda path, _, __: attestation_of(path).write_bytes(b"{}\n"), {Code.E_JSON}),
    "a stranger's signature": (of_a_stranger, {Code.E_UNTRUSTED_KEY}),
    "no proof": (lambda path, _, __: path.unlink(), {Code.E_FILE_MISSING, Code.W_PROOF_GONE}),
    "a proof is removed": (removed, {Code.W_PROOF_GONE}),
    "another file": (lambda path, _, __: path.with_name("x.txt").write_text("x"), {Code.E_FILE_EXTRA}),
    "a link": (lambda path, _, __: path.with_name("x.json").symlink_to(path), {Code.E_FILETYPE}),
    "a link to a folder": (lambda path, root, _: (root / "proofs/others").symlink_to(path.parent), {Code.E_FILETYPE}),
    "no ledger": (
        lambda _, root, __: (root / "proofs/ledger/proofs.jsonl").unlink(),
        {Code.E_LEDGER_MISSING},
    ),
    "the first entry is dropped": (
        ledger(lambda lines: lines[1:]),
        {Code.E_LEDGER_SEQ, Code.E_LEDGER_CHAIN, Code.E_LEDGER_DIGEST},
    ),
    "the last entry is dropped": (ledger(lambda lines: lines[:1]), {Code.E_LEDGER_DIGEST}),
    "an entry stands twice": (ledger(lambda lines: [*lines, lines[1]]), {Code.E_LEDGER_SEQ, Code.E_LEDGER_CHAIN}),
    "a torn entry": (
        lambda _, root, __: (root / "proofs/ledger/proofs.jsonl").open("ab").write(b"{"),
        {Code.E_LEDGER_TORN},
    ),
    "an older proof": (older, {Code.E_LEDGER_DIGEST}),
    "moved": (moved, {Code.E_RUN_BINDING, Code.W_PROOF_GONE}),
    "of another scenario": (
        signed_anew(rewritten(scenario="features/x.feature::Y")),
        {Code.E_RUN_BINDING},
    ),
    "signed for another time": (
        signed_anew(lambda _path: None, proven_at="2026-01-01T00:00:00Z"),
        {Code.E_RUN_BINDING},
    ),
    "not proven": (signed_anew(rewritten(proven=False, against="so")), {Code.E_OUTCOME_MISMATCH}),
    "proven by the drill alone": (
        signed_anew(
            rewritten(runs=[{"control": None, "outcome": "PASSED", "reason": "", "run_id": "0123456789abcdef"}])
        ),
        {Code.E_SCHEMA},
    ),
    "of no time in UTC": (
        signed_anew(rewritten(proven_at="2026-11-30T12:00:00+02:00"), proven_at="2026-11-30T12:00:00+02:00"),
        {Code.E_STATEMENT},
    ),
    "no proof at all": (signed_anew(lambda path: path.write_text("{}")), {Code.E_SCHEMA}),
    "a key twice": (signed_anew(lambda path: path.write_text('{"a": 1, "a": 2}')), {Code.E_SCHEMA}),
}


@pytest.mark.parametrize(("change", "found"), BENT.values(), ids=list(BENT))
def test_whatever_is_bent_is_found_with_its_code(path: Path, tmp_path: Path, change: Change, found: set[Code]) -> None:
    change(path, tmp_path, signing(tmp_path))
    report = verified(tmp_path)
    assert set(codes(report)) == found
    broken = {code.weight.exit_status for code in found if code.weight.exit_status}
    assert report.exit_status == (min(broken, key=(2, 3, 1).index) if broken else 0)


def test_a_key_that_did_not_count_is_found(path: Path, tmp_path: Path) -> None:
    by, long_ago = signing(tmp_path), wall_now() - timedelta(days=900)
    trusts(tmp_path, by, revoked_at=f"{long_ago:%Y-%m-%dT%H:%M:%SZ}")
    assert set(codes(verified(tmp_path))) == {Code.E_KEY_REVOKED}
    trusts(tmp_path, by, not_after=f"{long_ago:%Y-%m-%dT%H:%M:%SZ}")
    assert set(codes(verified(tmp_path))) == {Code.E_KEY_VALIDITY}


@pytest.mark.parametrize("conflict", [False, True])
def test_two_branches_that_kept_proofs_are_told_what_to_do(path: Path, tmp_path: Path, *, conflict: bool) -> None:
    file = tmp_path / "proofs/ledger/proofs.jsonl"
    before, by = file.read_bytes(), signing(tmp_path)
    kept(tmp_path, proof(1), by)
    ours = file.read_bytes()
    file.write_bytes(before)
    kept(tmp_path, replace(OTHER, scenario="features/z.feature::Z"), by)
    theirs = file.read_bytes().removeprefix(before)
    marks = (b"<<<<<<< ours\n", b"=======\n", b">>>>>>> theirs\n") if conflict else (b"", b"", b"")
    file.write_bytes(before + marks[0] + ours.removeprefix(before) + marks[1] + theirs + marks[2])
    why = Signatures(tmp_path / "proofs", read_trust(tmp_path / "trust.json"), Clock(wall_now())).why_not(path) or ""
    assert "two branches have kept proofs. Take the ledger of one branch" in why
    report = verified(tmp_path)
    assert report.exit_status == 2
    where = f"ledger/proofs.jsonl:{3 if conflict else 4}"
    assert f"({where})" in why
    told = {(each.code, each.where) for each in report.findings if each.sentence in why}
    assert (Code.E_LEDGER_CHAIN, where) in told
