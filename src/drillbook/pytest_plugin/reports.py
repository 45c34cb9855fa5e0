"""How drills are reported: pytest's reports, the summary and the exit status."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.machine_paths import without_machine
from drillbook.evidence.render import terminal
from drillbook.evidence.sealing.key_source import NO_KEY, key_source
from drillbook.evidence.sealing.ledger import Head, head_of, streams
from drillbook.model.printable import printable, printable_data
from drillbook.model.proof import Run, proofs, unmissed
from drillbook.model.verdict import Outcome, worst
from drillbook.pytest_plugin import summary
from drillbook.pytest_plugin.collecting.asked import HOW_TO_ASK
from drillbook.pytest_plugin.collecting.failure_repr import in_each_text
from drillbook.pytest_plugin.collecting.hiding import hide
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_hooks import drill_key
from drillbook.pytest_plugin.handed_over import handed_over_key
from drillbook.pytest_plugin.options import evidence_root
from drillbook.pytest_plugin.outcomes import (
    Told,
    conclude,
    conclude_anew,
    ended_key,
    keep,
    keep_proofs,
    outcome_key,
    rows_of,
    runs_of,
    told,
)
from drillbook.pytest_plugin.output import drawing
from drillbook.pytest_plugin.repository_plugin import roll_key
from drillbook.pytest_plugin.roll_call import ENDED_WELL, NOT_ASKED_FOR

if TYPE_CHECKING:
    from drillbook.engine.lifecycle import DrillLife

NAMED = 10
"""The number of drills named among those that did not run; for the others only their number is shown."""

# ------------------------------------------------------------------ what pytest says


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A drill that was skipped, expected to fail, or skipped itself is a failure: nothing was proven.

    The secrets are taken out of a report before anybody uses or shows it.
    """
    report = yield
    hide(item.config, report)
    if isinstance(item, ScenarioItem):
        _let_be_shown(item.config, report)
    if not isinstance(item, ScenarioItem) or not item.scenario.is_drill:
        return report
    before = told(item)
    reason = _silence(report, before)
    if reason is not None:
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        report.outcome = "failed"
        report.longrepr = f"{Outcome.INVALID}: {reason}"
    made = item.stash.get(drill_key, None)
    begun = made is not None and made.evidence is not None
    if made is not None and begun and report.when == "call" and (reason or (report.failed and made.sound_so_far)):
        made.doubt(reason or f"not a step, but something around them failed: {_said(report)}")
    elif reason is not None or (report.failed and before.ended is None and not begun):
        conclude(item, Outcome.INVALID, reason or f"the drill did not begin: {_said(report)}", None)
    elif made is not None and report.when == "teardown" and report.failed and _ended_well(made):
        # nobody may read that a drill passed while its fixtures failed, in the session or in the record
        verdict = made.take_back(f"a fixture failed after the drill: {_said(report)}")
        conclude_anew(item, verdict.outcome, verdict.reason, made.repeat)
        if made.evidence is not None:
            drawing.draw(item.config, made.evidence)
    if made is not None and report.when == "teardown":
        problem = _seal(item, made)
        if problem is not None and report.passed:
            report.outcome, report.longrepr = "failed", f"{Outcome.INVALID}: {problem}"
    told(item, _standing(item, made)).put_on(report)
    return report


def _seal(item: ScenarioItem, made: DrillLife) -> str | None:
    """Seal the drill's evidence, which nobody writes any more.

    A drill that had to be sealed and is not proves nothing.
    """
    problem = made.seal()
    if problem is None:
        return None
    if _ended_well(made):
        verdict = made.take_back(problem)
        conclude_anew(item, verdict.outcome, verdict.reason, made.repeat)
    if made.evidence is not None:
        drawing.draw(item.config, made.evidence)
    return problem


def _standing(item: ScenarioItem, made: DrillLife | None) -> Outcome | None:
    """The finding against the drill so far; None when there is none."""
    ended = item.stash.get(outcome_key, None)
    if ended is not None:
        return ended.outcome
    return made.standing if made is not None and made.evidence is not None and not made.standing.good else None


def _ended_well(drill: DrillLife) -> bool:
    return drill.verdict is not None and drill.verdict.outcome.good


def _let_be_shown(config: pytest.Config, report: pytest.TestReport) -> None:
    """Make a report safe to show.

    Its error and its captured output may hold a system's answers: make them safe for a terminal, and take out the paths
    of this machine, because JUnit is read elsewhere.
    """

    def shown(text: str) -> str:
        return printable(without_machine(text, config.rootpath))

    report.longrepr = in_each_text(report.longrepr, shown)
    report.sections = [(shown(title), shown(text)) for title, text in report.sections]
    report.user_properties = printable_data(report.user_properties)


def _said(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr).strip().splitlines()[0]


def _silence(report: pytest.TestReport, drill: Told) -> str | None:
    """Why this report, which is no failure, is not that of a passed drill either; None when it may be."""
    if report.passed and not hasattr(report, "wasxfail"):
        missing = drill.ended is None and (report.when == "teardown" or (report.when == "call" and not drill.begun))
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
    """Says `passed` about a drill after its restore, and names the outcome in the verbose word."""
    drill = Told.on(report)
    if drill is None or not drill.begun:
        return None
    if report.when == "call" and report.passed:
        return "", "", ""
    if report.when == "teardown" and report.passed and drill.ended is not None and drill.ended.good:
        return "passed", ".", drill.ended.outcome.value
    if report.when == "call" and report.failed:
        return "failed", "F", drill.standing or "FAILED"
    return None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """On xdist's controller the outcomes come with the workers' reports."""
    drill = Told.on(report)
    if "config" in _controller and drill is not None and drill.ended is not None:
        keep(_controller["config"], drill.ended)


_controller: dict[str, pytest.Config] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keep the controller's configuration for pytest_runtest_logreport, which gets none."""
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
        for item in session.items if hasattr(session, "items") else ():
            if isinstance(item, ScenarioItem) and drill_key in item.stash:
                _seal(item, item.stash[drill_key])  # from a session that was stopped
        if not hasattr(session.config, "workerinput"):
            _keep_runs(session.config)
        # only now: pytest's own hook of this name puts back a drill that ends the session (pytest.exit)
        outcomes = [each.outcome for each in session.config.stash[ended_key]]
        if before in ENDED_WELL and roll.speaks_against():
            outcomes.append(Outcome.INVALID)
        status = worst(outcomes).exit_status if outcomes else 0
        if status > 1 or (status == 1 and session.exitstatus == pytest.ExitCode.OK):
            session.exitstatus = status
        _sum_up(session)


def _sum_up(session: pytest.Session) -> None:
    """Write the file for other programs. If that fails, the exit status must not say that all went well."""
    config = session.config
    ended, missing = config.stash[ended_key], config.stash[roll_key].not_run()
    said, heads = _of_seals(config) if any(each.evidence for each in ended) else ([], [])
    problem = summary.write(config, ended, missing, int(session.exitstatus), heads)
    if config.pluginmanager.hasplugin("terminalreporter") and not hasattr(config, "workerinput"):
        for line in said:
            config.get_terminal_writer().line(line)
    if problem is not None:
        config.get_terminal_writer().line(problem, red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR


def _of_seals(config: pytest.Config) -> tuple[list[str], list[Head]]:
    """The session's last lines, and the heads of the ledgers; people should keep both elsewhere."""
    if key_source(config.getini, config.rootpath) is None:
        return [f"evidence: unsigned ({NO_KEY})"], []
    said, heads = [], []
    root = evidence_root(config)
    for stream in streams(root):
        try:
            head = head_of(root, stream)
        except DrillbookError as error:
            said.append(f"evidence: {error}")
        else:
            heads += [head] if head is not None else []
    return [*said, *(f"ledger {head.stream}: {head}" for head in heads)], heads


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for each drill: outcome, scenario, reason, evidence."""
    ended, missing = config.stash[ended_key], config.stash[roll_key].not_run()
    if not ended and not missing:
        return
    terminalreporter.section("drills")
    for each in ended:
        good = each.outcome.good
        terminalreporter.write_line(f"{each.outcome:<14}{each.nodeid}", green=good, red=not good)
        terminalreporter.write_line(f"{'':14}{each.reason}")
        if each.evidence:
            terminalreporter.write_line(f"{'':14}{each.evidence}")
    for nodeid, why in list(missing.items())[:NAMED]:
        terminalreporter.write_line(f"not run: {nodeid} ({why})")
    if len(missing) > NAMED:
        terminalreporter.write_line(f"not run: {len(missing) - NAMED} more drills")
    if NOT_ASKED_FOR in missing.values():
        terminalreporter.write_line(HOW_TO_ASK)
    _show_proofs(terminalreporter, [each.run for each in ended])


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


def _keep_runs(config: pytest.Config) -> None:
    """Write the proofs, and the runs for the starter of this session: `drillbook prove` or `drillbook drills`."""
    if handed_over_key in config.stash:
        config.stash[handed_over_key].close()
        return
    keep_proofs(config, runs_of(config))
    if config.getoption("--runs-to"):
        told = {"asked_for": config.stash[roll_key].asked_for(), "runs": rows_of(config, runs_of(config))}
        Path(config.getoption("--runs-to")).write_text(json.dumps(told), encoding="utf-8")
