"""`drillbook gate` and `--stale`: pytest's own collection says what there is, the proofs say what of it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from drillbook.commands.cli import app
from drillbook.commands.fleet.listing import collected
from drillbook.commands.gating import asking, command
from drillbook.evidence.artefacts import Digests
from drillbook.evidence.files import dumps
from drillbook.evidence.gate.kept import KeptProof, KeptRun, file_of
from drillbook.evidence.gate.signed import attestation_of
from drillbook.evidence.provenance import engine
from drillbook.model.record import ArtefactKind, ArtefactRecord, EngineRecord
from drillbook.model.times.clock import rfc3339, wall_now
from drillbook.model.verdict import Outcome
from tests.support import ROOT
from tests.unit.commands.test_drills_asked_for import root
from tests.unit.evidence.gate.test_judging import HELD

pytestmark = pytest.mark.unit

__all__ = ["root"]

ALPHA, BETA, GAMMA = "features/x.feature::Alpha", "features/x.feature::Beta", "features/y.feature::Gamma"


_known: dict[object, Any] = {}


def collected_once(features: Sequence[str], options: Sequence[str] = ()) -> Any:
    """pytest's own collection, once for the same question about the same texts: it takes a third of a second."""
    asked = [each.removeprefix(f"{Path.cwd()}/") for each in features]
    texts = tuple((path.name, path.read_bytes()) for path in sorted(Path().glob("[fs]*/*.*")))
    question = (tuple(asked), tuple(options), texts)
    if question not in _known:
        _known[question] = collected(features, options)
    config, items = _known[question]
    return SimpleNamespace(rootpath=Path.cwd(), of=config), items


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "collected", collected_once)


def keep(root: Path, *nodeids: str, by: EngineRecord | None = None) -> None:
    """Proofs of these scenarios as they are now."""
    _, items = collected_once(())
    digests = Digests(root)
    for item in items:
        scenario = item.scenario
        if item.drill_nodeid in nodeids and scenario.control is None:
            whole = digests.of(scenario.feature_path) or ""
            made = KeptProof(
                scenario=item.drill_nodeid,
                feature=scenario.feature_path,
                name=scenario.name,
                proven=True,
                against=None,
                proven_at=rfc3339(wall_now()),
                runs=(KeptRun(None, Outcome.PASSED, "so it was", "0" * 32), *HELD),
                engine=by or engine(),
                artefacts=(
                    ArtefactRecord(
                        ArtefactKind.FEATURE, scenario.feature_path, whole, scenario.name, scenario.text_sha256
                    ),
                    ArtefactRecord(ArtefactKind.STEPS, "steps/all.py", digests.of("steps/all.py") or ""),
                ),
            )
            path = root / "proofs" / file_of(item.drill_nodeid)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dumps(made.as_json()))


def gate(*words: str) -> Result:
    return CliRunner().invoke(app, ["gate", *words])


def states(*words: str) -> dict[str, str]:
    return {each["name"]: each["state"] for each in json.loads(gate("--json", *words).stdout)["scenarios"]}


def test_the_gate_opens_only_when_all_that_is_asked_for_is_proven(root: Path) -> None:
    keep(root, ALPHA, GAMMA)
    assert states() == {"Alpha": "fresh", "Beta": "never proven", "Gamma": "fresh"}
    refused = gate()
    assert refused.exit_code == 1
    assert "NOT PROVEN  Beta (features/x.feature:12)" in refused.stdout
    assert "    drillbook drills features/x.feature::Beta" in refused.stdout
    assert gate(BETA).exit_code == 1
    assert gate("features/y.feature").exit_code == 0
    assert gate("--require", "slow").exit_code == 0
    assert gate("--require", "quick").exit_code == 1
    keep(root, BETA)
    assert gate().exit_code == 0
    assert gate().stdout == "3 of 3 scenarios are proven as they are here.\n"


def test_a_secret_in_a_title_is_found_and_not_shown(root: Path) -> None:
    keep(root, ALPHA, BETA, GAMMA)
    path = root / "proofs" / file_of(BETA)
    hidden = BETA.replace("Beta", "[REDACTED:token]")
    document = json.loads(path.read_text()) | {"scenario": hidden, "name": "[REDACTED:token]"}
    path.unlink()
    (root / "proofs" / file_of(hidden)).write_text(dumps(document))
    assert gate().exit_code == 0
    feature = root / "features/x.feature"
    given = "    Given it is well\n"
    feature.write_text(feature.read_text().replace(f"Beta\n{given}", f"Beta\n{given}{given}"))
    refused = gate("--github")
    assert "NOT PROVEN  [REDACTED:token] (features/x.feature:12)" in refused.stdout
    assert "    drillbook drills features/x.feature\n" in refused.stdout
    assert "Beta" not in refused.output
    assert asking.stale((), (), lambda _said: None, max_age="30d") == [f"{root}/{BETA}"], "pytest knows it by that"


def test_a_change_is_told_and_only_of_the_scenario_that_it_is_in(root: Path) -> None:
    keep(root, ALPHA, BETA, GAMMA)
    feature = root / "features/x.feature"
    feature.write_text(
        "# a note\n" + feature.read_text().replace("Beta\n    Given it is well", "Beta\n    And it is well")
    )
    feature.write_text(feature.read_text().replace("And it is well", "Given it is well\n    Given it is well"))
    assert states() == {"Alpha": "fresh", "Beta": "changed", "Gamma": "fresh"}
    (root / "steps/all.py").write_text((root / "steps/all.py").read_text() + "\n")
    refused = gate("--github", "features/y.feature")
    assert refused.exit_code == 1
    assert "The step module steps/all.py has not been drilled since it changed." in refused.stdout
    assert refused.stderr.startswith("::error file=steps/all.py,line=1,title=Not proven::")


def test_nothing_is_never_proven(root: Path) -> None:
    assert gate("--require", "@nobody").exit_code == 64
    assert "none of 3 scenarios is tagged @nobody" in gate("--require", "nobody").stderr
    assert gate("-k", "nothing_of_that_name").exit_code == 64
    (root / "features/x.feature").write_text("Feature: X\n  Scenario: Ordinary\n    Given it is well\n")
    assert gate("features/x.feature").exit_code == 64


def test_an_age_that_is_none_is_refused(root: Path) -> None:
    keep(root, ALPHA)
    assert gate("--max-age", "a while", ALPHA).exit_code == 64
    assert gate("--max-age", "1ms", ALPHA).exit_code == 1


def test_what_cannot_be_read_is_told(root: Path) -> None:
    keep(root, ALPHA)
    path = root / "proofs" / file_of(ALPHA)
    path.write_text("{")
    refused = gate(ALPHA)
    assert refused.exit_code == 1
    assert f"drillbook: {path}: " in refused.stderr
    said = json.loads(gate("--json", ALPHA).stdout)
    assert (said["passed"], len(said["unreadable"])) == (False, 1)


def test_the_evidence_of_a_store_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    keep(root, ALPHA)
    (root / "store/20991122T080000Z-proof-alpha-aaaa01/content").mkdir(parents=True)
    (root / "store/20991122T080000Z-proof-alpha-aaaa01/content/proof.json").write_text("{")
    read = gate("--evidence", f"file://{root}/store", ALPHA)
    assert read.exit_code == 0
    assert "20991122T080000Z-proof-alpha-aaaa01/content/proof.json" in read.stderr
    assert gate("--evidence", "nowhere://it", ALPHA).exit_code == 64


def test_what_is_kept_is_signed_with_the_key_and_counts_for_who_trusts_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(root, ALPHA)
    trust = str(ROOT / "proofs/demonstration-trust.json")
    assert gate("--trust", trust, ALPHA).exit_code == 1
    assert gate("--keep", ALPHA).stderr == "", "it is there already, and there is no key"
    monkeypatch.setenv("DRILLBOOK_KEY", str(ROOT / "proofs/demonstration-key.pem"))
    path = root / "proofs" / file_of(ALPHA)
    assert gate("--keep", ALPHA).stderr.endswith(f"drillbook: kept {path}\n")
    assert gate("--trust", trust, ALPHA).exit_code == 0
    assert f"kept {path}" not in gate("--keep", ALPHA).stderr
    path.write_text(path.read_text() + "\n")
    refused = gate("--trust", trust, ALPHA)
    assert refused.exit_code == 1
    assert f"{path}: it is not the file that was signed: it proves nothing" in refused.stderr
    assert gate("--trust", "nowhere.json", ALPHA).exit_code == 64
    before = attestation_of(path).read_bytes()
    gate("--keep", ALPHA)
    assert attestation_of(path).read_bytes() == before, "it was changed by hand, and nobody signs that"


def test_a_kept_proof_that_was_not_judged_is_not_signed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(root, ALPHA)
    monkeypatch.setenv("DRILLBOOK_KEY", str(ROOT / "proofs/demonstration-key.pem"))
    path = root / "proofs" / file_of(ALPHA)
    found = asking.answer(asking.Question("30d", (ALPHA,)), print)
    newer = json.loads(path.read_text()) | {"proven_at": rfc3339(wall_now()), "inventory": "another"}
    path.write_text(dumps(newer))  # by somebody else, in the meantime
    assert command.kept(found) == []
    assert not attestation_of(path).exists()
    judged = found.standings[0].proof
    assert judged is not None
    path.write_text(dumps(judged.as_json()))
    assert command.kept(found) == [path]
    assert attestation_of(path).exists()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was to be drilled, by the names of their scenarios."""
    calls: list[list[str]] = []

    def drills(features: list[str], _labs: int | None, _options: list[str], _say: Any) -> int:
        calls.append([each.rpartition("::")[2] for each in features])
        return 0

    def prove(arguments: list[str], *, ablate: bool, say: Any) -> int:
        del ablate, say
        calls.append([each.rpartition("::")[2] for each in arguments if "::" in each])
        return 0

    monkeypatch.setattr("drillbook.commands.fleet.command.run", drills)
    monkeypatch.setattr("drillbook.commands.prove.prove", prove)
    return calls


def test_stale_runs_what_the_gate_refuses_and_nothing_else(root: Path, run: list[list[str]]) -> None:
    keep(root, ALPHA, GAMMA)
    for words in (["drills", "--stale"], ["prove", "--stale", "features"]):
        assert CliRunner().invoke(app, words).exit_code == 0
    assert run == [["Beta"], ["Beta"]]
    keep(root, BETA)
    done = CliRunner().invoke(app, ["drills", "--stale"])
    assert (done.exit_code, len(run)) == (0, 2)
    assert "0 of 3 scenarios are not proven as they are here" in done.stderr


def test_one_a_family_adds_the_oldest_of_each_that_has_none(root: Path, run: list[list[str]]) -> None:
    keep(root, BETA, GAMMA)
    assert CliRunner().invoke(app, ["drills", "--stale", "--one-a-family"]).exit_code == 0
    keep(root, ALPHA)
    assert CliRunner().invoke(app, ["drills", "--stale", "--one-a-family"]).exit_code == 0
    assert run == [["Alpha", "Gamma"], ["Beta", "Gamma"]]


def test_another_drillbook_asks_for_one_of_each_family(root: Path, run: list[list[str]]) -> None:
    keep(root, ALPHA, BETA, GAMMA, by=EngineRecord("0.0.9", "0" * 64))
    assert states() == {"Alpha": "engine", "Beta": "fresh", "Gamma": "engine"}
    assert CliRunner().invoke(app, ["drills", "--stale"]).exit_code == 0
    assert run == [["Alpha", "Gamma"]]


def test_our_options_stand_before_the_features(root: Path) -> None:
    assert gate("features", "--json").exit_code == 64
