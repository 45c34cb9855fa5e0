"""`pytest --plan` in a whole repository: what it says, and that it touches nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from drillbook.safety.journal import Journal

from .conftest import Mini, Ran, serving

pytestmark = pytest.mark.lab

GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 20 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 20 seconds the service is up",
)
TOUCHES = """
import pathlib
from drillbook import fault, given, parse, recovery, then

@given("somebody writes a file")
def writes_a_file():
    pathlib.Path("touched").touch()

@then(parse('somebody looks with "{fixture}"'))
def looks(handle): ...

@fault("a command breaks it")
def command(drill):
    pathlib.Path("touched").touch()
    drill.inject("breakage")

@fault("it breaks by what was seen")
def by_what_was_seen(drill):
    from_before = drill.last_before(__import__("drillbook.checks").checks.At("web").status())
    drill.inject("breakage", at=from_before)

@then("there is a typing error")
def typing_error(drill):
    drill.expect()
"""
CONFTEST = """
import pathlib
import pytest

@pytest.fixture(autouse=True)
def everybody():
    pathlib.Path("touched").touch()

@pytest.fixture
def handle():
    pathlib.Path("touched").touch()
"""


def listing(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if "__pycache__" not in path.parts and path.name != "log"
    }


def test_a_plan_says_what_would_happen_and_touches_nothing(mini: Mini) -> None:
    (mini.root / "conftest.py").write_text(CONFTEST)
    (mini.root / "test_python.py").write_text("def test_python():\n    assert False\n")
    mini.replace("playbooks/faults/breakage/inject.yml", "hosts: all", 'hosts: "{{ target }}"')
    mini.replace("playbooks/faults/breakage/undo.yml", "hosts: all", 'hosts: "{{ target }}"')
    mini.replace("steps/web.py", "drill.inject(name)", 'drill.inject(name, target="web-1", password="hunter2hunter2")')
    mini.replace("inventories/hosts.yml", "    flag:", "    api_token: t0k3n-of-nobody\n    flag:")
    mini.replace(
        "steps/web.py",
        "drill.expect(WEB.answers())",
        "drill.note(f\"it is {drill.inventory.setting('api_token')}\")\n    drill.expect(WEB.answers())",
    )
    with (mini.root / "playbooks/recovery/fix.yml").open("a") as file:
        file.write(
            "    - ansible.builtin.add_host: {name: web-2, groups: later}\n- name: More\n  hosts: later\n  tasks: []\n"
        )
    (mini.root / "playbooks/faults/breakage/switch.yml").write_text(
        '- name: Later\n  hosts: "{{ target }}"\n  tasks: [{name: The timer is set, ansible.builtin.meta: noop}]\n'
    )
    before = listing(mini.root)
    ran = mini.pytest(".", "--plan", "--junitxml=../junit.xml")
    assert ran.status == 0, ran.output
    assert listing(mini.root) == before
    for line in (
        "Web: It breaks and is fixed",
        "  features/web.feature:4 on mini (staging), inventory inventories, RTO 60 s",
        "  expected duration: not known, no good drill of it yet",
        "      looks at once: the web service answers  [web]",
        "      runs playbooks/faults/breakage/inject.yml with target=web-1, password=[REDACTED:password]",
        "        The service is broken on web-1 (web-1)",
        "          - The flag is set",
        "      undone by playbooks/faults/breakage/undo.yml",
        "          - Gone",
        "      dead man's switch playbooks/faults/breakage/switch.yml with target=web-1, password=[REDACTED:password]",
        "          - The timer is set",
        "      runs playbooks/recovery/fix.yml",
        "        The service is fixed on web-1 (all)",
        "      it is [REDACTED:api_token]",
        "        More on NO HOST (later)",
        "        Ansible warns: Could not match supplied host pattern, ignoring: later",
        "neither run nor planned, for it is no scenario: 1 test",
    ):
        assert line in ran.output.splitlines(), ran.output
    assert "1 planned" in ran.output
    assert "passed" not in ran.output
    assert "hunter2" not in ran.output and "t0k3n" not in ran.output
    junit = (mini.root.parent / "junit.xml").read_text()
    assert 'skipped="1"' in junit and "planned, not run" in junit


def test_a_plan_expects_what_earlier_drills_took(mini: Mini) -> None:
    mini.feature(*GOOD)
    assert mini.pytest().status == 0
    took = mini.pytest("features", "--plan")
    assert took.status == 0, took.output
    assert "as the one good drill took" in took.output
    assert len(took.drills()) == 1


CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "no recovery": (
        (*GOOD[:3], 'When the recovery playbook "nope" is run', GOOD[4]),
        (
            "{feature}:8: 'When the recovery playbook \"nope\" is run' names a recovery that is not there: "
            "no playbooks/recovery/nope.yml"
        ),
    ),
    "no fault": (
        (GOOD[0], 'When the service breaks by "nope"', *GOOD[2:]),
        (
            "{feature}:6: 'When the service breaks by \"nope\"' needs playbooks/faults/nope/undo.yml, "
            "which is not there: a fault has inject.yml and undo.yml"
        ),
    ),
    "a fault that is none": (
        (GOOD[0], "When nothing is broken", *GOOD[2:]),
        "{feature}:6: 'When nothing is broken' does not call drill.inject (steps/web.py:",
    ),
    "nobody looks": (
        (*GOOD[:2], "Then nobody looks at it", *GOOD[3:]),
        "{feature}:7: no symptom is looked at: no step of this phase hands a check to the drill",
    ),
    "no harmless fault": (
        (GOOD[0], "When a command breaks it", *GOOD[2:]),
        (
            "{feature}:6: 'When a command breaks it' cannot be planned: it calls pathlib.Path(), which is "
            "not known to be harmless (steps/touches.py:14); a step of this kind only says which playbook is run"
        ),
    ),
    "a typing error": (
        (*GOOD[:4], "Then there is a typing error"),
        "'Then there is a typing error' cannot be planned: TypeError: PlanningDrill.expect() missing",
    ),
}
LOOKS = "looks"
"""The feature beside them that can be planned: not executed are only looks."""


def feature_of(name: str) -> str:
    return f"features/{name.replace(' ', '_')}.feature"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One plan of all these features."""
    folder = tmp_path_factory.mktemp("planned")
    with serving(folder / "mini") as mini:
        mini.variables = {"XDG_STATE_HOME": str(folder / "state")}
        (mini.root / "conftest.py").write_text(CONFTEST)
        (mini.root / "steps/touches.py").write_text(TOUCHES)
        looking = GOOD[0], "And somebody writes a file", *GOOD[1:3], 'And somebody looks with "x"', *GOOD[3:]
        for name, steps in {LOOKS: looking, **{name: steps for name, (steps, _) in CASES.items()}}.items():
            mini.feature(*steps, name=name)
            (mini.root / "features/web.feature").rename(mini.root / feature_of(name))
        yield mini.pytest("features", "--plan", "--junitxml=junit.xml")


def failures(ran: Ran) -> dict[str, str]:
    """What is said of each scenario that cannot be planned, by its name."""
    cases = ElementTree.parse(ran.root / "junit.xml").iter("testcase")
    return {
        str(case.get("name")): "".join(case.itertext())
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_planned_is_said(planned: Ran, name: str) -> None:
    said = CASES[name][1].format(feature=feature_of(name))
    assert planned.status == 1, planned.output
    assert said in planned.output
    assert said in failures(planned)[name]
    block = planned.output.partition(f"Web: {name}\n")[2].partition("\nWeb: ")[0]
    assert "CANNOT BE PLANNED" in block, planned.output


def test_a_look_that_might_touch_something_is_listed_by_its_sentence(planned: Ran) -> None:
    assert failures(planned).keys() == CASES.keys(), planned.output
    assert f"{len(CASES)} failed, 1 planned" in planned.output
    assert "    And somebody writes a file  (steps/touches.py:5)" in planned.output
    assert "not executed for the plan: it calls pathlib.Path(), which is not known to be harmless" in planned.output
    said = "not executed for the plan: it asks for the fixture 'handle', and a plan sets up no fixture"
    assert said in planned.output


def test_a_plan_that_fails_has_touched_nothing(planned: Ran) -> None:
    assert not [name for name in ("touched", "evidence", ".drillbook") if (planned.root / name).exists()]


def test_what_playbooks_lack_is_said(mini: Mini) -> None:
    mini.feature(*GOOD)
    mini.replace("playbooks/faults/breakage/inject.yml", "hosts: all", "hosts: \"{{ nobody | default('nope') }}\"")
    mini.replace("playbooks/faults/breakage/undo.yml", "hosts: all", 'hosts: "{{ nobody }}"')
    mini.replace("playbooks/recovery/fix.yml", "ansible.builtin.file:", "ansible.builtin.no_such_module:")
    ran = mini.pytest("features", "--plan")
    assert ran.status == 1, ran.output
    assert (
        'playbooks/faults/breakage/inject.yml:1: the pattern "nope" of the play "The service is broken" matches no '
        "host of inventories" in ran.output
    )
    assert "playbooks/faults/breakage/undo.yml:1: cannot be planned: " in ran.output
    assert "'nobody' is undefined" in ran.output
    assert str(mini.root) not in ran.output.replace(f"rootdir: {mini.root}", "")


def test_what_destroys_data_and_a_message_that_is_missing_are_said(mini: Mini) -> None:
    mini.feature(*GOOD[:4], "And people are told", *GOOD[4:])
    with (mini.root / "steps/web.py").open("a") as steps:
        steps.write('\n\n@recovery("people are told")\ndef told(drill):\n    drill.announce("begin")\n')
    with (mini.root / "playbooks/recovery/fix.yml").open("a") as playbook:
        playbook.write("    - name: Empty\n      ansible.builtin.command: redis-cli FLUSHALL\n")
    (mini.root / "features/web.feature").rename(mini.root / "features/first.feature")
    mini.feature(*GOOD, tags="@accepts-data-loss:5", name="It accepts that")
    ran = mini.pytest("features", "--plan")
    assert ran.status == 1, ran.output
    assert "1 failed, 1 planned" in ran.output, "what is accepted is no obstacle"
    assert "the scenario 'It accepts that'" not in ran.output
    assert "playbooks/recovery/fix.yml:8: FLUSHALL destroys data, and the scenario 'It breaks'" in ran.output
    assert "names a message that is not there: no playbooks/communication/begin.yml" in ran.output


def test_an_endpoint_or_an_inventory_that_is_missing_is_said(mini: Mini) -> None:
    mini.feature(*GOOD)
    mini.replace("inventories/hosts.yml", "      web: {", "      site: {")
    ran = mini.pytest("features", "--plan")
    assert ran.status == 1, ran.output
    assert (
        "features/web.feature:5: 'Given the service is healthy' looks at the endpoint 'web', which inventories does "
        "not sample (endpoints: site)" in ran.output
    )
    gone = mini.pytest("features", "--plan", "--inventory", "nope")
    assert gone.status == 1, gone.output
    assert "features/web.feature:4: hosts and tasks cannot be planned: There is no inventory" in gone.output
    assert "runs playbooks/recovery/fix.yml" in gone.output, "what can be known without it is said"


def test_the_guard_is_asked_and_production_is_planned_without_leave_to_break_it(mini: Mini) -> None:
    mini.feature(*GOOD, name="It is not safe there")
    (mini.root / "features/web.feature").rename(mini.root / "features/first.feature")
    mini.feature(*GOOD, tags="@rto:1m @production-safe")
    mini.replace("inventories/hosts.yml", "kind: staging", "kind: production")
    with (mini.root / "playbooks/recovery/fix.yml").open("a") as file:
        file.write("  handlers: [{name: The service is restarted, ansible.builtin.command: 'true'}]\n")
    ran = mini.pytest("features", "--plan", "--junitxml=junit.xml")
    assert ran.status == 1, ran.output
    assert "on mini (production)" in ran.output
    assert failures(ran).keys() == {"It is not safe there"}
    assert "is production and the scenario has no tag @production-safe" in failures(ran)["It is not safe there"]
    assert "1 failed, 1 planned" in ran.output
    assert "Drillbook breaks nothing there" not in ran.output
    safe = ran.output.partition("Web: It breaks\n")[2].partition("\nWeb: ")[0].splitlines()
    assert "  the drill needs --allow-production mini" in safe
    assert "          - The service is restarted" in safe


def test_a_plan_does_not_forget_what_failed_last(mini: Mini) -> None:
    mini.feature(*GOOD)
    cache = mini.root / ".pytest_cache/v/cache/lastfailed"
    cache.parent.mkdir(parents=True)
    failed = {"features/web.feature::It breaks": True}
    cache.write_text(json.dumps(failed))
    command = [each for each in mini.command("features", "--plan", "--lf") if each != "no:cacheprovider"]
    command.remove("-p")
    mini.command = lambda *_args: command  # type: ignore[method-assign]
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    assert json.loads(cache.read_text()) == failed


def test_plans_come_back_from_the_workers_of_xdist(mini: Mini) -> None:
    mini.feature(*GOOD)
    journal = Journal(mini.root / ".drillbook/journal-mini.ndjson")
    journal.path.parent.mkdir()
    journal.plan(
        "1",
        run_id="1",
        fault="left",
        variables={},
        inventory="inventories",
        undo_playbook="playbooks/faults/left/undo.yml",
        evidence="evidence/1",
    )
    before = journal.path.read_bytes()
    ran = mini.pytest("features", "--plan", "-n", "1")
    assert ran.status == 0, ran.output
    assert "  first the fault 'left' is undone, which an earlier drill left open" in ran.output
    assert journal.path.read_bytes() == before
    assert "1 planned" in ran.output
    assert "      undone by playbooks/faults/breakage/undo.yml" in ran.output
