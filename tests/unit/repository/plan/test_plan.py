"""Plans as values: what steps hand over, how long drills took, what Ansible lists, and how it all reads."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.checks import At, looked
from drillbook.engine.drill import Drill
from drillbook.errors import DrillbookError
from drillbook.evidence.redaction import Redactor
from drillbook.model.phases import Phase
from drillbook.model.record import EnvironmentRecord, StepRecord, to_plain
from drillbook.model.verdict import Outcome
from drillbook.repository.plan.plan import CheckPlan, History, PlanProblem, PlaybookPlan, ScenarioPlan, StepPlan
from drillbook.repository.plan.planner import history
from drillbook.repository.plan.planning_drill import NotYetKnown, PlanningDrill
from drillbook.repository.plan.text import expected, lines
from drillbook.target.ansible.listing import PlayPlan, parse, warnings
from drillbook.target.inventory.settings import Environment, EnvironmentKind
from tests.support import ROOT, records

pytestmark = pytest.mark.unit

WEB = At("web", "the web service")
GUIDE = ROOT / "docs/guide/steps.md"


# ------------------------------------------------------------------ the drill that only keeps


def test_a_planning_drill_offers_what_the_guide_says_that_a_drill_offers() -> None:
    said = re.search(r"The fixture `drill` offers:\n\n(.*?)\n\n", GUIDE.read_text(), re.DOTALL)
    assert said is not None
    names = set(re.findall(r"`drill\.(\w+)", said[1]))
    assert len(names) > 10
    for name in names:
        real, planned = getattr(Drill, name), getattr(PlanningDrill, name)
        if callable(real):
            assert list(inspect.signature(real).parameters) == list(inspect.signature(planned).parameters), name


def test_it_keeps_what_it_is_given() -> None:
    drill = PlanningDrill(rto_s=90)
    drill.inject("network_cut", client="api")
    drill.recover("redis/start")
    drill.expect(WEB.answers())
    drill.eventually(looked("it", lambda: 1 / 0).is_(1), within=5)
    drill.throughout(WEB.answers(), for_=1)
    drill.always(WEB.silent())
    drill.submit_work(50)
    assert [(each.playbook, each.variables) for each in drill.intents] == [
        ("playbooks/faults/network_cut/inject.yml", {"client": "api"}),
        ("playbooks/recovery/redis/start.yml", {}),
    ]
    assert drill.checks == [
        CheckPlan("at once", "the web service answers", "web"),
        CheckPlan("within 5 s", "it is 1", "(asked by the step)"),
        CheckPlan("for 1 s, beginning within 90 s", "the web service answers", "web"),
        CheckPlan("all the time", "the web service does not answer", "web"),
    ]
    assert drill.load.rate == 50
    drill.next_step()
    assert not drill.intents and not drill.checks and not drill.readings
    assert drill.load.rate == 50, "work goes on from step to step"


def test_nothing_is_made_up() -> None:
    drill = PlanningDrill()
    with pytest.raises(DrillbookError, match="no work is submitted"):
        _ = drill.load
    with pytest.raises(NotYetKnown, match="the web service latency, as it was before the fault"):
        drill.before(WEB.latency())
    assert drill.readings == ["web"]
    with pytest.raises(NotYetKnown, match="the result of the fault 'x'"):
        _ = drill.inject("x").first_change
    with pytest.raises(NotYetKnown, match="cannot be resolved"):
        _ = drill.inventory
    with pytest.raises(NotYetKnown, match="hosts 'web'"):
        drill.hosts("web")
    with pytest.raises(NotYetKnown, match=r"drill\.load\.balance"):
        drill.submit_work(1).balance(0.0)
    drill = PlanningDrill(blind=True)
    with pytest.raises(NotYetKnown, match="the work that is submitted by then"):
        _ = drill.load


# ------------------------------------------------------------------ how long it took


STEP = StepRecord(1, "When", "redis is killed", 7, Phase.FAULT)
OTHER = StepRecord(1, "When", "postgres is killed", 7, Phase.FAULT)
STAGING = EnvironmentRecord("staging", "staging")


def history_of(root: Path, name: str = "S", step: str = STEP.text, environment: str = "lab") -> History:
    """What a plan expects of the scenario of one step, in the environment of this name and kind."""
    scenario = SimpleNamespace(feature_path="f", name=name, steps=[SimpleNamespace(keyword="When", text=step)])
    here = SimpleNamespace(environment=Environment(environment, EnvironmentKind(environment)))
    session = SimpleNamespace(evidence_root=root, inventory=here, redactor=Redactor())
    return history(cast(Any, session), cast(Any, scenario))


def record(
    root: Path,
    number: int,
    duration_s: float | None,
    *,
    scenario: str = "S",
    path: str = "f",
    **more: Any,
) -> None:
    content = root / f"20261101T120000Z-s-{number:06d}" / "content"
    content.mkdir(parents=True)
    known = records.record(
        feature=records.feature(path),
        scenario=records.scenario(scenario),
        duration_s=duration_s,
        **({"outcome": Outcome.PASSED, "steps": [STEP]} | more),
    )
    (content / "drill.json").write_text(json.dumps(known.as_json()))


def test_the_history_of_a_scenario(tmp_path: Path) -> None:
    for number, duration_s in enumerate((30.0, 10.0, 14.0, None)):
        record(tmp_path, number, duration_s)
    record(tmp_path, 8, 99.0, scenario="another")
    record(tmp_path, 9, 99.0, path="another")
    record(tmp_path, 7, 99.0, control=records.CONTROL)
    assert history_of(tmp_path) == History(3, 14.0, 10.0, 30.0)
    assert history_of(tmp_path, "new") == History()
    assert history_of(tmp_path / "missing") == History()


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.PASSED])
def test_only_a_drill_that_passed_says_how_long_it_takes(outcome: Outcome, tmp_path: Path) -> None:
    record(tmp_path, 1, 30.0)
    record(tmp_path, 2, 600.0, outcome=outcome)
    assert history_of(tmp_path) == History(1, 30.0, 30.0, 30.0)


def test_another_environment_says_nothing_of_this_one(tmp_path: Path) -> None:
    record(tmp_path, 1, 30.0)
    record(tmp_path, 2, 600.0, environment=STAGING)
    record(tmp_path, 3, 700.0, environment=EnvironmentRecord("lab", "staging"))
    assert history_of(tmp_path) == History(1, 30.0, 30.0, 30.0)
    assert history_of(tmp_path, environment="staging") == History(1, 600.0, 600.0, 600.0)


def test_each_row_of_an_outline_has_its_own(tmp_path: Path) -> None:
    record(tmp_path, 1, 30.0)
    record(tmp_path, 2, 600.0, steps=[OTHER])
    assert history_of(tmp_path) == History(1, 30.0, 30.0, 30.0)
    assert history_of(tmp_path, step=OTHER.text) == History(1, 600.0, 600.0, 600.0)


def test_a_record_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    record(tmp_path, 1, 10.0)
    name = "20261101T120000Z-s-000001/content/drill.json"
    (tmp_path / name).write_text("{")
    (said,) = history_of(tmp_path).unreadable
    assert said.startswith(f"{name}: is not JSON (")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (History(), "not known, no good drill of it yet"),
        (History(1, 9.0, 9.0, 9.0), "9 s, as the one good drill took"),
        (History(3, 14.0, 10.0, 130.0), "14 s, the median of 3 good drills (10 s to 2 min 10 s)"),
    ],
)
def test_the_expected_duration(known: History, said: str) -> None:
    assert expected(known) == said


# ------------------------------------------------------------------ what Ansible lists


LISTED = """
playbook: playbooks/x.yml

  play #1 (api:redis): The path (a cut) is open: now\tTAGS: [one,two]
    pattern: ['api', 'redis']
    hosts (2):
      redis-1
      api-1
    tasks:
      service : The service is killed\tTAGS: [never, x]
      ansible.builtin.command\tTAGS: []

  play #2 (nope): Nobody\tTAGS: []
    pattern: ['nope']
    hosts (0):
    tasks:
"""


def test_what_ansible_lists() -> None:
    assert parse(LISTED) == (
        PlayPlan(
            "The path (a cut) is open: now",
            "api:redis",
            ("api-1", "redis-1"),
            ("service : The service is killed", "ansible.builtin.command"),
        ),
        PlayPlan("Nobody", "nope", (), ()),
    )
    assert parse("\nplaybook: x.yml\n") == ()


def test_what_ansible_warns_of_is_told_once_in_a_line_each() -> None:
    mismatch = "[WARNING]: Could not match supplied host pattern, ignoring:\nweb-22\n"
    said = f"Using {ROOT}/ansible.cfg\n{mismatch}[DEPRECATION WARNING]: x in {ROOT}/a.yml is old\n{mismatch}"
    assert list(warnings(said, ROOT)) == [
        "Could not match supplied host pattern, ignoring: web-22",
        "x in a.yml is old",
    ]
    plan = PlaybookPlan("fault", "x.yml", {}, (PLAY,), True, (), tuple(warnings(mismatch, ROOT)))
    step = replace(PLAN.steps[1], playbooks=(plan,))
    assert "        Ansible warns: Could not match supplied host pattern, ignoring: web-22" in lines(
        replace(PLAN, steps=(step,))
    )


# ------------------------------------------------------------------ how it reads


PLAY = PlayPlan("The path is open", "api", ("api-1",), ("The path is cut",))
GIVEN = {"of": "api", "n": [1]}
PLAN = ScenarioPlan(
    feature="Redis",
    scenario="It is cut",
    path="features/x.feature",
    line=3,
    inventory="inventories/lab",
    environment="lab",
    kind="lab",
    rto_s=600.0,
    severity="P0",
    history=History(),
    steps=(
        StepPlan("Given", "it is well", 4, "steps/a.py:1", Phase.BASELINE, checks=(CheckPlan("at once", "ok", "web"),)),
        StepPlan(
            "When",
            "it is cut",
            5,
            "steps/a.py:9",
            Phase.FAULT,
            playbooks=(
                PlaybookPlan("fault", "playbooks/faults/cut/inject.yml", GIVEN, (PLAY,), True, ("Told",)),
                PlaybookPlan("undo", "playbooks/faults/cut/undo.yml", GIVEN, (), False),
            ),
        ),
        StepPlan("Then", "it hurts", 6, "steps/a.py:12", Phase.SYMPTOMS, unknown="known only in the drill: x"),
    ),
    leftovers=("killed",),
    needs=("--allow-production lab",),
    cleanup=PlaybookPlan("cleanup", "playbooks/cleanup/work.yml", {}, (PLAY,), True),
)


def test_a_plan_reads_as_text() -> None:
    assert lines(PLAN) == [
        "",
        "Redis: It is cut",
        "  features/x.feature:3 on lab (lab), inventory inventories/lab, P0, RTO 10 min",
        "  expected duration: not known, no good drill of it yet",
        "  the drill needs --allow-production lab",
        "  first the fault 'killed' is undone, which an earlier drill left open",
        "  baseline",
        "    Given it is well  (steps/a.py:1)",
        "      looks at once: ok  [web]",
        "  fault",
        "    When it is cut  (steps/a.py:9)",
        "      runs playbooks/faults/cut/inject.yml with of=api, n=[1]",
        "        The path is open on api-1 (api)",
        "          - The path is cut",
        "        when notified",
        "          - Told",
        "      undone by playbooks/faults/cut/undo.yml",
        "        its hosts and tasks are not known",
        "  symptoms",
        "    Then it hurts  (steps/a.py:12)",
        "      known only in the drill: x",
        "  restore (always)",
        "    runs playbooks/faults/cut/undo.yml",
        "    looks at the baseline again",
        "    removes the drill's work with playbooks/cleanup/work.yml",
        "        The path is open on api-1 (api)",
        "          - The path is cut",
    ]


def test_a_plan_that_failed_says_why() -> None:
    failed = replace(PLAN, environment=None, kind=None, problems=(PlanProblem("features/x.feature", 5, "no undo"),))
    said = lines(failed)
    assert said[2].startswith("  features/x.feature:3 on an unknown environment,")
    assert said[-2:] == ["  CANNOT BE PLANNED", "    features/x.feature:5: no undo"]


def test_a_play_that_matches_no_host_stands_out() -> None:
    nobody = replace(PLAN.steps[1].playbooks[0], plays=(replace(PLAY, hosts=()),))
    plan = replace(PLAN, steps=(replace(PLAN.steps[1], playbooks=(nobody,)),))
    assert "        The path is open on NO HOST (api)" in lines(plan)


def test_an_ordinary_test_is_said_to_be_one() -> None:
    plan = replace(PLAN, steps=(StepPlan("Given", "it is well", 4, "steps/a.py:1", None),), leftovers=())
    assert lines(plan)[2:] == [
        "  features/x.feature:3, an ordinary test: it has no phases, and its steps are not looked into",
        "    Given it is well  (steps/a.py:1)",
    ]


def test_a_plan_is_ready_for_json() -> None:
    plain = json.loads(json.dumps(to_plain(PLAN)))
    assert plain["steps"][1]["playbooks"][0]["variables"] == {"of": "api", "n": [1]}
    assert plain["steps"][1]["phase"] == "fault"
