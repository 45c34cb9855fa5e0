"""The hooks of pytest and pytest-bdd that lead one drill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.errors import DrillbookError
from drillbook.model.verdict import RESTORE, Outcome
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session
from drillbook.pytest_plugin.outcomes import begun_key, conclude, ended_key, outcome_key, told
from drillbook.pytest_plugin.output import drawing
from drillbook.pytest_plugin.warm_ansible import no_garbage

if TYPE_CHECKING:
    from drillbook.engine.drill import Drill
    from drillbook.engine.lifecycle import DrillLife

drill_key = pytest.StashKey["DrillLife"]()

# ------------------------------------------------------------------ a drill's life


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Drill:
    """The drill under way. Steps hand their checks and playbooks to it."""
    item = request.node
    if not isinstance(item, ScenarioItem) or not item.scenario.is_drill:
        raise DrillbookError(
            "the fixture 'drill' is for drills: the scenario needs a fault step and a recovery step "
            "(docs/guide/features.md)"
        )
    with no_garbage():
        # the engine, for sessions that drill
        from drillbook.pytest_plugin import drilling

    _refuse_another_run(item)
    session = drill_session(request.config)
    drawing.prepare(request.config)
    made = drilling.new_life(session, item)
    item.stash[drill_key] = made
    item.stash[begun_key] = True
    if outcome_key in item.stash:
        del item.stash[outcome_key]  # from an earlier run of it, which passed
    request.addfinalizer(lambda: _end(item, made))
    try:
        return made.begin()
    except (DrillbookError, drilling.NotRestored) as error:
        outcome = Outcome.NOT_RESTORED if isinstance(error, drilling.NotRestored) else Outcome.ABORTED
        conclude(item, outcome, str(error), None)
        raise


def _refuse_another_run(item: ScenarioItem) -> None:
    """Refuse to run a drill again until it passes. Raises DrillbookError."""
    first = next((each for each in item.config.stash[ended_key] if each.nodeid == item.nodeid), None)
    if first is None or first.outcome is Outcome.PASSED:
        return
    if drill_key in item.stash:
        del item.stash[drill_key]
    raise DrillbookError(
        f"{first.outcome}: the drill has been run in this session, and its first outcome stands: {first.reason}"
    )


def _end(item: ScenarioItem, drill: DrillLife) -> None:
    """Restore, judge and write; then the report. Raises NotRestored."""
    # imported by now: the drill that ends has begun
    from drillbook.pytest_plugin import drilling

    try:
        drill.end()
    except drilling.DrillFailure:
        if not isinstance(item.failed_with, KeyboardInterrupt):
            raise
        # pytest is on its way out: the exit status and the summary report it; raising here would only hide them
    finally:
        if drill.evidence is not None:
            outcome, reason, unmissed = Outcome.NOT_RESTORED, f"the restore broke off: {RESTORE}", False
            if drill.verdict is not None:
                outcome, reason, unmissed = drill.verdict.outcome, drill.verdict.reason, drill.verdict.unmissed
            conclude(item, outcome, reason, drill.evidence, drill.repeat, unmissed=unmissed, record=drill.record)
            drawing.draw(item.config, drill.evidence)
        if drill.held_signals:
            # noted during the restore; now they have their turn, before another drill begins
            item.session.shouldstop = f"stopped by {drill.held_signals[0]}"


def _of(request: pytest.FixtureRequest) -> DrillLife | None:
    item = request.node
    return item.stash.get(drill_key, None) if isinstance(item, ScenarioItem) and item.scenario.is_drill else None


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_bdd_before_scenario(request: pytest.FixtureRequest) -> None:
    """A drill begins before its first step, whether or not a step asks for it."""
    item = request.node
    if isinstance(item, ScenarioItem) and item.scenario.is_drill:
        request.getfixturevalue("drill")
        item.conductor = item.stash.get(drill_key, None)  # none when a user's fixture has taken the name


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_bdd_before_step(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is not None:
        drill.step_started(request.node.step_number)


@pytest.hookimpl(trylast=True, optionalhook=True)
def pytest_bdd_after_step(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is not None:
        drill.step_passed()


@pytest.hookimpl(trylast=True, optionalhook=True)
def pytest_bdd_step_error(request: pytest.FixtureRequest, exception: BaseException) -> None:
    drill = _of(request)
    if drill is not None and not isinstance(exception, pytest.exit.Exception):  # that is a stop, not a failure
        drill.step_failed(exception)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_bdd_after_scenario(request: pytest.FixtureRequest) -> None:
    drill = _of(request)
    if drill is None:
        return
    error = request.node.failed_with
    drill.steps_ended(
        error,
        stopped=isinstance(error, (KeyboardInterrupt, SystemExit, pytest.exit.Exception)),
        skipped=isinstance(error, pytest.skip.Exception),
    )
    if isinstance(error, (KeyboardInterrupt, pytest.exit.Exception)):
        _say_stopped(request.node, drill)


def _say_stopped(item: ScenarioItem, drill: DrillLife) -> None:
    """Report a stopped drill. pytest reports nothing about a test that a signal stops, but JUnit must show a drill that
    broke something.
    """
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=f"{Outcome.ABORTED}: {drill.reason}",
        when="call",
    )
    told(item).put_on(report)
    item.ihook.pytest_runtest_logreport(report=report)
