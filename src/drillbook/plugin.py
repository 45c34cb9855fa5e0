"""The pytest plugin: options, and the drill's place in pytest's life of a test.

The rule: pytest never says `passed` of a drill that is not PASSED. The steps run in the call phase, the restore in the
teardown phase, and the word `passed` is only said after both. What only a drill needs is imported when
the first one begins.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import xml_key

from drillbook import collection, planrun, warming
from drillbook.collection import ScenarioItem
from drillbook.control import REPEATED
from drillbook.errors import DrillbookError
from drillbook.failure import without_secrets
from drillbook.live import Mailbox, Post, out_key, screen
from drillbook.proof import Run, proofs, unmissed, write_proof
from drillbook.render import terminal
from drillbook.rollcall import ENDED_WELL, RollCall
from drillbook.verdict import Outcome, worst

if TYPE_CHECKING:
    from drillbook.life import DrillUnderWay
    from drillbook.session import DrillSession

DEFAULT_INVENTORY = "inventories/lab"
NAMED = 10
"""Drills that were not run and are named; of further ones the number is told."""
XDIST_EXIT_TIMEOUT_S = 600
RUN_ID, OUTCOME, REASON, EVIDENCE = "run_id", "outcome", "reason", "evidence"
SCENARIO, CONTROL = "scenario", "control"
REPEAT, REPEAT_REASON = "repeat", "repeat_reason"
"""How recovery-twice ended, where it was the end of the drill."""

session_key = pytest.StashKey["DrillSession"]()
drill_key = pytest.StashKey["DrillUnderWay"]()
facts_key = pytest.StashKey[dict[str, str]]()
"""What reports carry of a drill. Not user_properties: pytest writes those into each JUnit test case, which JUnit's
schema does not allow."""
mailbox_key = pytest.StashKey[Mailbox]()
ended_key = pytest.StashKey[list[dict[str, Any]]]()
roll_key = pytest.StashKey[RollCall]()


# ------------------------------------------------------------------ options


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Options; pytest-ansible owns --inventory where it is installed, and its value is used then."""
    group = parser.getgroup("drillbook", "recovery drills")
    if importlib.util.find_spec("pytest_ansible") is None:
        group.addoption(
            "--inventory", metavar="PATH", default=None, help="Ansible inventory to drill (default: inventories/lab)"
        )
    group.addoption("--evidence", metavar="DIR", default=None, help="where evidence is kept (default: evidence)")
    group.addoption(
        "--allow-production",
        metavar="NAME",
        default=None,
        help="drill the production environment of this name",
    )
    group.addoption("--runs-to", metavar="FILE", default=None, help=argparse.SUPPRESS)
    warming.add_options(group, parser)
    if not pluginmanager.is_registered(warming):
        pluginmanager.register(warming, "drillbook-warming")
    planrun.add_options(group)
    group.addoption(
        "--present",
        metavar="NAME",
        action="append",
        default=None,
        help="who is present at the drills; several times, or separated by commas (default: DRILLBOOK_PRESENT)",
    )
    group.addoption(
        "--require-drills", action="store_true", help="a drill that was left out (-k, -m, --deselect) fails the session"
    )
    parser.addini("drillbook_inventory", "Ansible inventory to drill", default=DEFAULT_INVENTORY)
    parser.addini(
        "drillbook_report",
        "write report.html of each drill at once; 'drillbook report FOLDER' does it later",
        type="bool",
        default=True,
    )
    parser.addini("drillbook_evidence", "folder for evidence", default="evidence")
    parser.addini("drillbook_pass_env", "further environment variables that playbooks may see", type="args", default=[])
    collection.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the collection, and take hold of the terminal while its capture is suspended."""
    if not config.hook.pytest_bdd_before_step.has_spec():
        raise pytest.UsageError("drillbook needs the plugin pytest-bdd, which is switched off: remove -p no:pytest-bdd")
    config.stash[ended_key] = []
    config.stash[roll_key] = RollCall(config, config.stash[ended_key])
    config.pluginmanager.register(config.stash[roll_key], "drillbook-rollcall")
    if not config.pluginmanager.is_registered(collection):
        config.pluginmanager.register(collection, "drillbook-collection")
    planrun.register(config, drill_session)
    if config.option.help or config.option.version or config.option.collectonly:
        return
    if not config.pluginmanager.hasplugin("terminalreporter") and not hasattr(config, "workerinput"):
        return
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        if "drillbook_events" in workerinput:
            config.stash[out_key] = Post(workerinput["drillbook_events"], workerinput["workerid"])
    else:
        config.stash[out_key] = shown = screen(config.get_terminal_writer().hasmarkup)
        if getattr(config.option, "numprocesses", None):
            config.stash[mailbox_key] = Mailbox(shown)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: tell each worker where to send what it shows, and which session it belongs to."""
    # xdist kills a worker 10 s after Ctrl-C: in the middle of an undo
    node.nodemanager.EXIT_TIMEOUT = max(getattr(node.nodemanager, "EXIT_TIMEOUT", 0), XDIST_EXIT_TIMEOUT_S)
    if mailbox_key in node.config.stash:
        node.workerinput["drillbook_events"] = node.config.stash[mailbox_key].address


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the session has started, and give the terminal back."""
    if session_key in config.stash:
        config.stash[session_key].close()
    if mailbox_key in config.stash:
        config.stash[mailbox_key].close()
    if out_key in config.stash:
        config.stash[out_key].close()


def drill_session(config: pytest.Config) -> DrillSession:
    """The session's shared parts, made when the first drill asks. Raises DrillbookError."""
    if session_key not in config.stash:
        from drillbook.prerequisites import distinct_names
        from drillbook.session import DrillSession

        named = config.getoption("--inventory", None)
        if not isinstance(named, str):
            # pytest-ansible's own option is a list, with a default that nobody asked for
            named = next((each for each in named or () if each != "/etc/ansible/hosts"), None)
        named = named or os.environ.get("DRILLBOOK_INVENTORY")
        path = Path(str(named)) if named else config.rootpath / str(config.getini("drillbook_inventory"))
        base = config.invocation_params.dir if named else config.rootpath
        asked = config.getoption("--evidence")
        evidence = (
            config.invocation_params.dir / asked
            if asked
            else config.rootpath / str(config.getini("drillbook_evidence"))
        )
        made = DrillSession(
            root=config.rootpath,
            inventory_path=(base / path).absolute(),
            evidence_root=evidence.absolute(),
            allow_production=config.getoption("--allow-production"),
            people=distinct_names(config.getoption("--present") or [os.environ.get("DRILLBOOK_PRESENT", "")]),
            pass_env=tuple(config.getini("drillbook_pass_env")),
            listener=config.stash.get(out_key, lambda _event: None),
            warm=config.stash.get(warming.warm_key, None),
        )
        workerinput = getattr(config, "workerinput", None)
        if workerinput is not None:
            made.id = workerinput["testrunuid"]  # drills of one xdist run wait for each other
        config.stash[session_key] = made
    return config.stash[session_key]


# ------------------------------------------------------------------ a drill's life


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> DrillUnderWay:
    """The drill under way; what steps hand their checks and playbooks to."""
    item = request.node
    if not isinstance(item, ScenarioItem) or not item.is_drill:
        raise DrillbookError(
            "the fixture 'drill' is for drills: the scenario needs a fault step and a recovery step "
            "(docs/guide/features.md)"
        )
    from drillbook.drill import NotRestored
    from drillbook.life import DrillUnderWay

    _refuse_another_run(item)
    session = drill_session(request.config)
    if request.config.getini("drillbook_report"):
        session.prepare_reports()
    made = DrillUnderWay(session, item)
    item.stash[drill_key] = made
    item.stash[facts_key] = {RUN_ID: made.run_id, **_named(item)}
    request.addfinalizer(lambda: _end(item, made))
    try:
        made.begin()
    except (DrillbookError, NotRestored) as error:
        outcome = Outcome.NOT_RESTORED if isinstance(error, NotRestored) else Outcome.ABORTED
        _conclude(item, outcome, str(error), None)
        raise
    return made


def _refuse_another_run(item: ScenarioItem) -> None:
    """A drill that has not passed is not run until it does. Raises DrillbookError."""
    first = next((row for row in item.config.stash[ended_key] if row["nodeid"] == item.nodeid), None)
    if first is None or first["outcome"] is Outcome.PASSED:
        return
    if drill_key in item.stash:
        del item.stash[drill_key]
    raise DrillbookError(
        f"{first['outcome']}: the drill has been run in this session, and its first outcome stands: {first['reason']}"
    )


def _end(item: ScenarioItem, drill: DrillUnderWay) -> None:
    """Restore, judge and write; then the report. Raises NotRestored."""
    from drillbook.drill import DrillFailure

    try:
        drill.end()
    except DrillFailure:
        if not isinstance(item.failed_with, KeyboardInterrupt):
            raise
        # pytest is on its way out: the exit status and the summary say it; raising here would only hide them
    finally:
        if drill.evidence is not None:
            outcome, reason = Outcome.NOT_RESTORED, "the restore broke off: see the undo journal"
            if drill.verdict is not None:
                outcome, reason = drill.verdict.outcome, drill.verdict.reason
            _conclude(item, outcome, reason, drill.evidence, drill.repeat)
            _report(item.config, drill.evidence)
        if drill.held_signals:
            # noted while the system was put back; now they have their turn, before another drill begins
            item.session.shouldstop = f"stopped by {drill.held_signals[0]}"


def _report(config: pytest.Config, folder: Path) -> None:
    """The page for people. The record is written already: what goes wrong here must not hide how the drill ended."""
    reports = drill_session(config).reports
    if reports is None:
        return
    try:
        reports.report(folder)
    except DrillbookError as error:
        told = config.stash.get(out_key, None)
        if told is not None:
            told({"event": "note", "text": f"no report.html: {error}"})


def _named(item: ScenarioItem) -> dict[str, str]:
    """Which scenario (its node id as a drill) and as which control it is run."""
    return {SCENARIO: item.drill_nodeid, CONTROL: str(item.control) if item.control is not None else ""}


def _conclude(
    item: ScenarioItem,
    outcome: Outcome,
    reason: str,
    evidence: Path | None,
    repeat: Mapping[str, str] | None = None,
) -> None:
    """Let reports, JUnit and the exit status know how the drill ended."""
    facts = item.stash.setdefault(facts_key, {})
    if OUTCOME in facts:
        return
    session = item.config.stash.get(session_key, None)
    said = reason if session is None else session.redactor.text(reason)
    facts |= {OUTCOME: outcome.value, REASON: said, **_named(item), **_repeated(repeat)}
    if evidence is not None:
        facts[EVIDENCE] = os.path.relpath(evidence, item.config.rootpath)
    _ended(item.config, item.nodeid, facts)


def _repeated(repeat: Mapping[str, str] | None) -> dict[str, str]:
    return {} if repeat is None else {REPEAT: repeat["outcome"], REPEAT_REASON: repeat["reason"]}


def _ended(config: pytest.Config, nodeid: str, facts: Mapping[str, str]) -> None:
    """Keep one row for each drill that ended, and for each control; both also as JUnit has a place for them."""
    _one_ended(config, nodeid, facts)
    if REPEAT in facts:
        row = f"{facts[SCENARIO].removesuffix(']')}-" if facts[SCENARIO].endswith("]") else f"{facts[SCENARIO]}["
        of = {OUTCOME: facts[REPEAT], REASON: facts[REPEAT_REASON], CONTROL: str(REPEATED)}
        _one_ended(config, f"{row}{REPEATED}]", {**facts, **of})


def _one_ended(config: pytest.Config, nodeid: str, facts: Mapping[str, str]) -> None:
    """JUnit's schema has a place for it where it is a property of the suite."""
    ended = config.stash[ended_key]
    if any(row["nodeid"] == nodeid and row["outcome"] == facts[OUTCOME] for row in ended):
        return
    outcome, evidence = Outcome(facts[OUTCOME]), facts.get(EVIDENCE)
    # of a drill that ended otherwise nobody is to read that it passed, too
    outdated = [row for row in ended if row["nodeid"] == nodeid and row["outcome"].good]
    ended[:] = [row for row in ended if row not in outdated]
    run = Run(facts[SCENARIO], facts[CONTROL], outcome, facts[REASON], evidence)
    ended.append({"nodeid": nodeid, "outcome": outcome, "reason": facts[REASON], "evidence": evidence, "run": run})
    junit = config.stash.get(xml_key, None)
    if junit is not None:
        if outdated:
            junit.global_properties[:] = [each for each in junit.global_properties if each[0] != nodeid]
        junit.add_global_property(nodeid, f"{outcome}: {facts[REASON]}" + (f" ({evidence})" if evidence else ""))


def _of(request: pytest.FixtureRequest) -> DrillUnderWay | None:
    item = request.node
    return item.stash.get(drill_key, None) if isinstance(item, ScenarioItem) and item.is_drill else None


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_before_scenario(request: pytest.FixtureRequest) -> None:
    """A drill begins before its first step, whether or not a step asks for it."""
    item = request.node
    if isinstance(item, ScenarioItem) and item.is_drill:
        item.conductor = request.getfixturevalue("drill")


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_before_step(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is not None:
        drill.step_started(request.node.step_number)


@pytest.hookimpl(trylast=True)
def pytest_bdd_after_step(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is not None:
        drill.step_passed()


@pytest.hookimpl(trylast=True)
def pytest_bdd_step_error(request: pytest.FixtureRequest, exception: BaseException) -> None:
    drill = _of(request)
    if drill is not None and not isinstance(exception, pytest.exit.Exception):  # that is a stop, not a failure
        drill.step_failed(exception)


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_after_scenario(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is None:
        return
    drill.steps_ended(request.node.failed_with)
    if isinstance(request.node.failed_with, (KeyboardInterrupt, pytest.exit.Exception)):
        _say_stopped(request.node, drill)


def _say_stopped(item: ScenarioItem, drill: DrillUnderWay) -> None:
    """pytest reports nothing of a test that a signal stops; a drill that broke something must not vanish from JUnit."""
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=f"{Outcome.ABORTED}: {drill.reason}",
        when="call",
    )
    vars(report)["drill"] = item.stash[facts_key].copy()
    item.ihook.pytest_runtest_logreport(report=report)


# ------------------------------------------------------------------ what pytest says


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A drill that was skipped, expected to fail, or skipped itself is a failure: nothing was proven.

    Before anything is taken from a report, and shown, the secrets are taken out of it.
    """
    report = yield
    _redact(item.config, report)
    if not isinstance(item, ScenarioItem) or not item.is_drill:
        return report
    facts = item.stash.setdefault(facts_key, {})
    reason = _silence(report, facts)
    if reason is not None:
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        report.outcome = "failed"
        report.longrepr = f"{Outcome.INVALID}: {reason}"
    made = item.stash.get(drill_key, None)
    begun = made is not None and made.evidence is not None
    if made is not None and begun and report.when == "call" and (reason or (report.failed and made.sound_so_far)):
        made.doubt(reason or f"not a step, but something around them failed: {_said(report)}")
    elif reason is not None or (report.failed and OUTCOME not in facts and not begun):
        _conclude(item, Outcome.INVALID, reason or f"the drill did not begin: {_said(report)}", None)
    elif made is not None and report.when == "teardown" and report.failed and _ended_well(made):
        # nobody is to read of a drill that passed while its fixtures failed, in the session or in the record
        verdict = made.take_back(f"a fixture failed after the drill: {_said(report)}")
        facts |= {OUTCOME: verdict.outcome.value, REASON: verdict.reason, **_repeated(made.repeat)}
        _ended(item.config, item.nodeid, facts)
        if made.evidence is not None:
            _report(item.config, made.evidence)
    vars(report)["drill"] = facts.copy()
    return report


def _ended_well(drill: DrillUnderWay) -> bool:
    return drill.verdict is not None and drill.verdict.outcome.good


def _redact(config: pytest.Config, report: pytest.TestReport) -> None:
    """Take the secrets out of what is shown of a test: its error, its captured output, what it hands to JUnit."""
    session = config.stash.get(session_key, None)
    if session is None:
        return
    report.longrepr = without_secrets(report.longrepr, session.redactor.text)
    report.sections = session.redactor.data(report.sections)
    report.user_properties = session.redactor.data(report.user_properties)
    if hasattr(report, "wasxfail"):
        report.wasxfail = session.redactor.text(report.wasxfail)


def _said(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr).strip().splitlines()[0]


def _silence(report: pytest.TestReport, facts: Mapping[str, str]) -> str | None:
    """Why the report, which is none of a failure, is none of a drill that passed either; None when it may be."""
    if report.passed and not hasattr(report, "wasxfail"):
        needed = {"call": RUN_ID, "teardown": OUTCOME}.get(str(report.when))
        missing = needed is not None and needed not in facts and OUTCOME not in facts
        return "the drill was not run: pytest has called none of its steps" if missing else None
    if report.failed:
        return None
    if hasattr(report, "wasxfail"):
        return f"the scenario is marked xfail ({report.wasxfail or 'no reason'}): an expected failure proves nothing"
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    return f"the drill was not run: {reason}"


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Says `passed` of a drill after its restore, and names the outcome in the verbose word."""
    facts = getattr(report, "drill", {})
    if RUN_ID not in facts:
        return None
    outcome = facts.get(OUTCOME)
    if report.when == "call" and report.passed:
        return "", "", ""
    ended = [Outcome(facts[key]) for key in (OUTCOME, REPEAT) if key in facts]
    if report.when == "teardown" and report.passed and outcome is not None and all(each.good for each in ended):
        return "passed", ".", outcome
    if report.when == "call" and report.failed:
        word = str(report.longrepr).strip().splitlines()
        named = next((o.value for o in Outcome if word and o.value in word[0]), "FAILED")
        return "failed", "F", named
    return None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """On xdist's controller the outcomes come with the workers' reports."""
    facts = getattr(report, "drill", {})
    if "config" in _controller and OUTCOME in facts:
        _ended(_controller["config"], report.nodeid, facts)


_controller: dict[str, pytest.Config] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Know the controller's configuration in pytest_runtest_logreport, which gets none."""
    if getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput"):
        _controller["config"] = session.config


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """The exit status names the worst outcome of the session's drills, whatever other hooks make of it."""
    _controller.clear()
    roll, before = session.config.stash[roll_key], session.exitstatus
    roll.report()
    try:
        return (yield)
    finally:
        if not hasattr(session.config, "workerinput"):
            _keep_runs(session.config, [row["run"] for row in session.config.stash[ended_key]])
        # only now: a drill that ends the session (pytest.exit) is put back by pytest's own hook of this name
        outcomes: list[Outcome] = [row["outcome"] for row in session.config.stash[ended_key]]
        if before in ENDED_WELL and roll.speaks_against():
            outcomes.append(Outcome.INVALID)
        status = worst(outcomes).exit_status if outcomes else 0
        if status > 1 or (status == 1 and session.exitstatus == pytest.ExitCode.OK):
            session.exitstatus = status


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for each drill: outcome, scenario, reason, evidence."""
    ended, missing = config.stash[ended_key], config.stash[roll_key].not_run()
    if not ended and not missing:
        return
    terminalreporter.section("drills")
    for row in ended:
        good = row["outcome"].good
        terminalreporter.write_line(f"{row['outcome']:<14}{row['nodeid']}", green=good, red=not good)
        terminalreporter.write_line(f"{'':14}{row['reason']}")
        if row["evidence"]:
            terminalreporter.write_line(f"{'':14}{row['evidence']}")
    for nodeid, why in list(missing.items())[:NAMED]:
        terminalreporter.write_line(f"not run: {nodeid} ({why})")
    if len(missing) > NAMED:
        terminalreporter.write_line(f"not run: {len(missing) - NAMED} more drills")
    _show_proofs(terminalreporter, [row["run"] for row in ended])


def _show_proofs(terminalreporter: pytest.TerminalReporter, runs: Sequence[Run]) -> None:
    whole = [proof for proof in proofs(runs) if proof.whole]
    if whole:
        terminalreporter.section("proofs")
    for proof in whole:
        for line in terminal.proof(proof):
            terminalreporter.write_line(line, green=proof.proven, red=not proof.proven)
    for task in unmissed(runs):
        terminalreporter.write_line(f"{'NOT MISSED':<14}{task}", yellow=True)
        terminalreporter.write_line(f"{'':14}without this task of the recovery every criterion held all the same")


def _keep_runs(config: pytest.Config, runs: Sequence[Run]) -> None:
    """One folder for each runbook that was put to the proof, whatever it came to; the runs for `drillbook prove`."""
    for proof in proofs(runs):
        if proof.whole:
            write_proof(drill_session(config).evidence_root, proof)
    if config.getoption("--runs-to"):
        rows = [asdict(run) | {"folder": str(config.rootpath / run.evidence) if run.evidence else None} for run in runs]
        Path(config.getoption("--runs-to")).write_text(json.dumps(rows), encoding="utf-8")


__all__ = ["drill", "drill_session"]
