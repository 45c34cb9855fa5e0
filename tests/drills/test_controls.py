"""Controls: each holds on the good repository, and is betrayed by the very thing that it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Mini, Ran, serving
from .mutants import added, step
from .test_verdicts import GOOD

pytestmark = pytest.mark.lab

RITUAL = """\
    - name: A ritual
      ansible.builtin.command: "true"
      changed_when: false
"""
# in a session of its own: a play that ends signals the process groups of its workers
BLIP = """\
- name: The service breaks for a moment
  hosts: all
  gather_facts: false
  tasks:
    - name: The flag is set
      ansible.builtin.copy: {content: x, dest: "{{ flag }}", mode: "0644"}
    - name: It heals by itself
      ansible.builtin.command: {argv: [setsid, --fork, sh, -c, "exec >/dev/null 2>&1; sleep 2; rm -f '{{ flag }}'"]}
      changed_when: false
"""


def control(mini: Mini, name: str, *steps: str, tags: str = "@rto:1m") -> Ran:
    mini.feature(*(steps or GOOD), tags=tags)
    return mini.pytest("features", f"--control={name}")


def test_a_sound_runbook_is_proven(mini: Mini) -> None:
    mini.feature(*GOOD)
    ran = mini.pytest("features", "--prove")
    assert ran.status == 0, ran.output
    drill, *controls = ran.drills()
    assert drill["outcome"] == "PASSED"
    assert drill["control"] is None
    assert drill["repeat"] == {
        "outcome": "HELD",
        "reason": "the second run of the recovery (1 playbook) changed nothing, and every criterion held",
    }
    assert [phase["phase"] for phase in drill["phases"]][-3:] == ["criteria", "repeat", "restore"]
    assert [play["purpose"] for play in drill["plays"]] == ["fault", "recovery", "second recovery", "undo"]
    assert [check["met"] for check in drill["checks"] if check["phase"] == "repeat"] == [True]
    assert [(each["control"]["name"], each["outcome"]) for each in controls] == [
        ("no-fault", "HELD"),
        ("no-recovery", "HELD"),
    ]
    assert {each["control"]["times_from"] for each in controls} == {drill["run_id"]}
    (path,) = mini.root.glob("evidence/*-proof-*/content/proof.json")
    proof = json.loads(path.read_text())
    assert proof["proven"] is True
    assert [run["control"] for run in proof["runs"]] == [None, "recovery-twice", "no-fault", "no-recovery"]
    assert proof["runs"][1]["evidence"] == proof["runs"][0]["evidence"]
    assert "proven        features/web.feature::It breaks" in ran.output
    assert "HELD          features/web.feature::It breaks[recovery-twice]" in ran.output


SYMPTOMS = """
from drillbook.checks import looked


@then(parse("within {deadline:Duration} somebody says that it is down"))
def said(drill: Drill, deadline: float) -> None:
    drill.eventually(looked("what is said", lambda: "up").is_("down"), within=deadline)


@given("it is settled")
def settled(drill: Drill) -> None:
    drill.expect(WEB.answers())
    drill.baseline_begins()


@then("it takes ten seconds longer than before")
def slower(drill: Drill) -> None:
    drill.eventually(WEB.latency().at_least(drill.before(WEB.latency()) + 10_000), within=1)
"""
WITHOUT_FAULT = {
    "always_there": (*GOOD[:3], "Then within 2 seconds the service is up", *GOOD[3:]),
    # both deadlines count from the fault: the first symptom is waited for until the second one's is over
    "asked": (
        *GOOD[:2],
        "Then within 2 seconds the service is down",
        "And within 1 second somebody says that it is down",
        *GOOD[3:],
    ),
    "compared": (GOOD[0], "And it is settled", GOOD[1], "Then it takes ten seconds longer than before", *GOOD[3:]),
}


@pytest.fixture(scope="module")
def without_fault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The control of all of these, in one session."""
    folder = tmp_path_factory.mktemp("without")
    with serving(folder / "mini") as mini:
        mini.variables = {"XDG_STATE_HOME": str(folder / "state")}
        added("steps/web.py", SYMPTOMS)(mini)
        for name, steps in WITHOUT_FAULT.items():
            mini.feature(*steps, name=name)
            (mini.root / "features/web.feature").rename(mini.root / f"features/{name}.feature")
        yield mini.pytest("features", "--control=no-fault")


def control_of(ran: Ran, name: str) -> dict[str, Any]:
    """The record of the control of this feature."""
    (record,) = (each for each in ran.drills() if each["feature"]["path"] == f"features/{name}.feature")
    return record


def test_a_symptom_that_is_always_there_betrays_itself(without_fault: Ran) -> None:
    assert without_fault.status == 14, without_fault.output
    record = control_of(without_fault, "always_there")
    assert record["outcome"] == "BETRAYED"
    assert "although nothing was broken" in record["reason"]
    assert "1 failed, 2 passed" in without_fault.output, "the session fails for this one alone"
    assert not (without_fault.root / "flag").exists()


def test_a_symptom_that_is_asked_is_looked_at_however_late_its_turn_comes(without_fault: Ran) -> None:
    record = control_of(without_fault, "asked")
    assert (record["outcome"], record["checks"][-1]["unknown"]) == ("HELD", False)


def test_a_symptom_that_compares_with_before_has_a_before_although_the_fault_is_withheld(without_fault: Ran) -> None:
    """A drill's fault takes longer than a sample does; a control's asks as soon as the baseline has begun."""
    assert control_of(without_fault, "compared")["outcome"] == "HELD"


IDLE = """\
- name: It is waited until somebody has healed it
  hosts: all
  gather_facts: false
  tasks:
    - name: A ritual
      ansible.builtin.command: sleep 4
      changed_when: true
"""


def test_a_system_that_heals_while_the_recovery_runs_betrays_its_runbook(mini: Mini) -> None:
    """The criterion is looked at once, and in the control there is no recovery that takes its time before that."""
    (mini.root / "playbooks/faults/breakage/inject.yml").write_text(BLIP)
    (mini.root / "playbooks/recovery/fix.yml").write_text(IDLE)
    mini.feature(*GOOD[:4], 'Then the service says "ok"', tags="@rto:1m @not-repeatable")
    ran = mini.pytest("features", "--prove")
    assert ran.status == 14, ran.output
    assert "recovered, not by the runbook" in ran.output
    assert [drill["outcome"] for drill in ran.drills()] == ["PASSED", "HELD", "BETRAYED"]


def test_a_system_that_heals_by_itself_betrays_its_runbook(mini: Mini) -> None:
    (mini.root / "playbooks/faults/breakage/inject.yml").write_text(BLIP)
    ran = control(mini, "no-recovery")
    assert ran.status == 14, ran.output
    assert "recovered, not by the runbook" in ran.drill["reason"]


def test_a_recovery_that_cannot_be_repeated_betrays_itself(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + RITUAL.replace("false", "true"))
    ran = control(mini, "recovery-twice")
    assert ran.status == 14, ran.output
    assert "changed something again: 'A ritual' on web-1 (playbooks/recovery/fix.yml:7)" in ran.drill["reason"]


def test_a_second_run_at_the_end_of_the_drill_that_changes_something(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + RITUAL.replace("false", "true"))
    mini.feature(*GOOD)
    ran = mini.pytest("features", "--prove", "--junitxml=junit.xml")
    assert ran.status == 14, ran.output
    drill = ran.drills()[0]
    assert (drill["outcome"], drill["repeat"]["outcome"]) == ("PASSED", "BETRAYED")
    assert "changed something again: 'A ritual' on web-1 (playbooks/recovery/fix.yml:7)" in drill["repeat"]["reason"]
    assert "BETRAYED: recovery-twice: the second run" in (mini.root / "junit.xml").read_text()
    assert "1 failed, 2 passed" in ran.output
    assert "NOT PROVEN    features/web.feature::It breaks" in ran.output


LOOK_FOR_MARK = "drill.expect(looked('the mark', lambda: Path('flag.mark').exists()).is_(False))"
HARMFUL_AGAIN = """\
    - name: Once it helps, and then it harms
      ansible.builtin.shell: test -e '{{ flag }}.once' && touch '{{ flag }}' || touch '{{ flag }}.once'
      changed_when: false
"""


def test_a_second_run_at_the_end_of_the_drill_that_harms(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + HARMFUL_AGAIN)
    mini.feature(*GOOD[:-1], "Then within 2 seconds the service is up")
    ran = mini.pytest("features", "--prove")
    assert ran.status == 14, ran.output
    drill = ran.drills()[0]
    assert (drill["outcome"], drill["repeat"]["outcome"]) == ("PASSED", "BETRAYED")
    assert drill["repeat"]["reason"].startswith("after the second run of the recovery: the web service answers")


MARK = """\
- name: A mark is left
  hosts: all
  gather_facts: false
  tasks:
    - name: The mark is there
      ansible.builtin.copy: {content: x, dest: "{{ flag }}.mark", mode: "0644"}
"""


def test_what_a_later_recovery_has_ended_does_not_have_to_be_so_again(mini: Mini) -> None:
    (mini.root / "playbooks/recovery/mark.yml").write_text(MARK)
    step("there is no mark", "from pathlib import Path", LOOK_FOR_MARK)(mini)
    marked = 'When the recovery playbook "mark" is run'
    mini.feature(*GOOD, "And there is no mark", marked, "Then within 20 seconds the service is up")
    ran = mini.pytest("features", "--prove")
    assert ran.status == 0, ran.output
    drill = ran.drills()[0]
    assert drill["repeat"]["outcome"] == "HELD"
    assert [check["name"] for check in drill["checks"] if check["phase"] == "repeat"] == ["the web service answers"]


ARRIVED = (
    "import time",
    "from drillbook.checks import Check, Observation",
    "arrived = lambda sample: Observation(True, 'here', 'here', sample.value)",
    "drill.eventually(Check('the message', time.monotonic, arrived), within=20)",
)


def test_a_second_run_after_which_nothing_can_be_looked_at_shows_nothing(mini: Mini) -> None:
    step("a message has arrived", *ARRIVED)(mini)
    mini.feature(*GOOD[:-1], "Then a message has arrived")
    ran = mini.pytest("features", "--prove")
    assert ran.status != 0, ran.output
    drill = ran.drills()[0]
    assert (drill["outcome"], drill["repeat"]["outcome"]) == ("PASSED", "INVALID")
    assert "no criterion after the last recovery can be looked at again" in drill["repeat"]["reason"]


def test_a_second_run_that_cannot_be_the_end_of_its_drill_is_a_drill_of_its_own(mini: Mini) -> None:
    mini.feature(*GOOD, *GOOD[1:])
    ran = mini.pytest("features", "--prove")
    assert ran.status == 0, ran.output
    drill, *controls = ran.drills()
    assert drill["repeat"] is None
    assert [each["control"]["name"] for each in controls] == ["no-fault", "no-recovery", "recovery-twice"]


def test_a_recovery_that_is_said_to_be_not_repeatable_is_held_to_it(mini: Mini) -> None:
    ran = control(mini, "recovery-twice", tags="@rto:1m @not-repeatable")
    assert ran.status == 14, ran.output
    assert "the scenario is @not-repeatable, but the second run of the recovery changed nothing" in ran.drill["reason"]
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + RITUAL.replace("false", "true"))
    ran = control(mini, "recovery-twice", tags="@rto:1m @not-repeatable")
    assert ran.status == 0, ran.output
    _, again = ran.drills()
    assert (again["outcome"], "changed something again" in again["reason"]) == ("HELD", True)


def test_a_control_whose_drill_fails_shows_nothing(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + RITUAL.replace("true", "false"))
    ran = control(mini, "recovery-twice")
    assert ran.status == 11, ran.output
    assert "the control shows nothing: the recovery 'fix' did not run clean" in ran.drill["reason"]


def test_what_heals_by_itself_names_what_switches_that_off(mini: Mini) -> None:
    steps = (*GOOD[:3], "When the system is left to itself", "Then within 20 seconds the service is up")
    (mini.root / "playbooks/faults/breakage/inject.yml").write_text(
        BLIP.replace("; rm -f", "; test -e '{{ flag }}.off' || rm -f")
    )
    ran = control(mini, "no-recovery", *steps, tags="@rto:1m @self-healing")
    assert ran.status == 13, ran.output
    assert "name the fault that switches the self-healing off with @self-healing-off:NAME" in ran.output

    folder = mini.root / "playbooks/faults/healing_off"
    folder.mkdir()
    for name, was in (("inject", "breakage/undo.yml"), ("undo", "breakage/undo.yml")):
        text = (mini.root / "playbooks/faults" / was).read_text().replace('"{{ flag }}"', '"{{ flag }}.off"')
        if name == "inject":
            text = text.split("    - name: Look")[0].replace("file: {path:", "copy: {content: x, dest:")
            text = text.replace("state: absent", 'mode: "0644"')
        (folder / f"{name}.yml").write_text(text)
    ran = control(mini, "no-recovery", *steps, tags="@rto:1m @self-healing @self-healing-off:healing_off")
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == "HELD"
    assert [fault["undo"] for fault in ran.drill["faults"]] == ["gone", "gone"]
    assert not (mini.root / "flag.off").exists()

    mini.feature(*steps, tags="@rto:1m @self-healing")
    ran = mini.pytest()
    assert ran.status == 0, ran.output


def test_a_task_that_nothing_misses_is_told(mini: Mini) -> None:
    mini.replace("playbooks/recovery/fix.yml", "state: absent}", "state: absent}\n" + RITUAL)
    mini.feature(*GOOD)
    ran = mini.pytest(
        "features",
        "--control=without:playbooks/recovery/fix.yml:5",
        "--control=without:playbooks/recovery/fix.yml:7",
        "--control=without:playbooks/recovery/fix.yml:99",
    )
    assert ran.status == 11, ran.output
    missed, unmissed, nowhere = ran.drills()
    assert "without playbooks/recovery/fix.yml:5: the web service answers: observed status 503" in missed["reason"]
    assert "the task playbooks/recovery/fix.yml:7 is not missed" in unmissed["reason"]
    assert "not part of what the recovery runs" in nowhere["reason"]
    assert [each["outcome"] for each in (missed, unmissed, nowhere)] == ["HELD", "HELD", "INVALID"]
    assert ran.output.count("NOT MISSED") == 1


def test_a_control_that_is_none_is_refused(mini: Mini) -> None:
    ran = control(mini, "no-mistake")
    assert ran.status == 4, ran.output
    assert "'no-mistake' is not a control: there are no-fault, no-recovery, recovery-twice" in ran.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--collect-only",), "nothing is proven: pytest has run no drill"),
        (("--plan",), "nothing is proven: pytest has run no drill"),
        (
            ("-k", "not no-recovery"),
            "features/web.feature::It breaks is not proven: no-recovery: this control was not run",
        ),
    ],
)
def test_a_proof_of_which_pytest_leaves_something_out_has_no_status_0(
    mini: Mini, options: tuple[str, ...], says: str
) -> None:
    mini.short()
    ran = mini.prove("features", *options)
    assert ran.status == 11, ran.output
    assert ran.output.splitlines()[-1] == f"drillbook: {says}"
