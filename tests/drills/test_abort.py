"""The abort condition: in whatever phase it fires, the drill stops there, and the system is put back."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .conftest import Mini, Ran, ended, read_until

pytestmark = pytest.mark.lab

CUSTOMERS = """\
      customer site:
        kind: http
        url: "http://127.0.0.1:{{ lookup('ansible.builtin.file', inventory_dir ~ '/../port') }}/customers"
"""
TAG = "@abort-when:customer_site"
GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 60 seconds the service is down",
    'When the recovery playbook "fix" is run',
    "Then within 60 seconds the service is up",
)
PHASES = ("baseline", "fault", "symptoms", "recovery", "criteria")
FIRED = "the abort condition fired: customer site: observed status 503, required a healthy answer"


@pytest.fixture
def mini(mini: Mini) -> Mini:
    """The repository with a second endpoint, which the fault does not touch."""
    hosts = mini.root / "inventories/hosts.yml"
    hosts.write_text(hosts.read_text().replace("      web:", f"{CUSTOMERS}      web:"))
    return mini


def angry(mini: Mini) -> None:
    (mini.root / "angry").touch()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def aborted_in(mini: Mini, phase: str) -> Ran:
    """Start the drill, let the customers be angry when the phase has begun, and let it end."""
    mini.lasting(phase, tags=f"@rto:1h {TAG}")
    process = mini.start()
    seen = read_until(process, rf"^  {phase}$")
    angry(mini)
    rest = ended(process)
    return Ran(process.returncode, seen + rest, mini.root)


@pytest.mark.parametrize("phase", PHASES)
def test_it_stops_the_drill_in_every_phase(mini: Mini, phase: str) -> None:
    ran = aborted_in(mini, phase)
    assert ran.status == 13, ran.output
    assert f"ABORTED: {FIRED}" in ran.output
    assert "1 failed" in ran.output
    assert (ran.drill["outcome"], ran.drill["reason"]) == ("ABORTED", FIRED)
    assert [finding["phase"] for finding in ran.drill["findings"]] == [phase]
    assert ran.drill["axes"]["restored"]["holds"] is True
    assert all(fault["undo"] in {"gone", "never happened"} for fault in ran.drill["faults"])
    assert not mini.broken
    (moment,) = [event for event in ran.drill["timeline"] if event["event"] == "abort_fired"]
    assert moment["source"] == "customer site: status 503"
    begun = {each["phase"]: each["started_s"] for each in ran.drill["phases"]}
    assert begun[phase] <= moment["at_s"] <= begun["restore"]
    (stopped,) = [step for step in ran.drill["steps"] if step["status"] == "interrupted"]
    assert stopped["error"] == FIRED


def test_an_endpoint_that_stays_healthy_stops_nothing(mini: Mini) -> None:
    mini.feature(*GOOD, tags=TAG)
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert ran.drill["notes"] == []
    assert "abort_fired" not in {event["event"] for event in ran.drill["timeline"]}


def test_without_the_tag_nobody_stops_for_it(mini: Mini) -> None:
    angry(mini)
    mini.feature(*GOOD)
    ran = mini.pytest()
    assert ran.status == 0, ran.output


def test_what_is_there_before_the_drill_is_refused(mini: Mini) -> None:
    angry(mini)
    mini.feature(*GOOD, tags=TAG)
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    assert "the abort condition was there before the drill: customer site: observed status 503" in ran.output
    assert ran.drills() == []
    (mini.root / "angry").unlink()
    assert mini.pytest().status == 0, "no lock is left"


def test_in_the_restore_it_is_noted_only(mini: Mini) -> None:
    mini.feature(*GOOD, tags=TAG)
    mini.hold("restore")
    process = mini.start()
    seen = read_until(process, r"  restore$")
    angry(mini)
    mini.go_on()
    rest = ended(process)
    ran = Ran(process.returncode, seen + rest, mini.root)
    assert ran.status == 0, ran.output
    (note,) = ran.drill["notes"]
    assert note == (
        "while the system was put back the abort condition was there: "
        "customer site: observed status 503, required a healthy answer"
    )


@pytest.mark.parametrize("step", ["somebody sleeps", "somebody sleeps and catches everything"])
def test_a_step_of_the_users_own_is_stopped_too(mini: Mini, step: str) -> None:
    append(
        mini.root / "steps/web.py",
        """

@then("somebody sleeps")
def sleeps() -> None:
    import time
    time.sleep(600)


@then("somebody sleeps and catches everything")
def catches() -> None:
    import time
    try:
        time.sleep(600)
    except BaseException:
        pass
""",
    )
    mini.feature(*GOOD, f"And {step}", tags=TAG)
    process = mini.start()
    seen = read_until(process, r"^  criteria$") + read_until(process, r"the service is up ")
    angry(mini)
    rest = ended(process)
    ran = Ran(process.returncode, seen + rest, mini.root)
    assert ran.status == 13, ran.output
    assert ran.drill["reason"] == FIRED
    assert [step["status"] for step in ran.drill["steps"]] == ["passed"] * 5 + ["interrupted"]
    assert not mini.broken


def test_only_that_drill_ends(mini: Mini) -> None:
    mini.lasting("symptoms", tags=f"@rto:1h {TAG}")
    text = (mini.root / "features/web.feature").read_text()
    other = text.replace(TAG, "").replace("It breaks", "It breaks again").replace("for 10 minutes", "for 1 second")
    (mini.root / "features/x.feature").write_text(other)
    process = mini.start()
    seen = read_until(process, r"^  symptoms$")
    angry(mini)
    rest = ended(process)
    ran = Ran(process.returncode, seen + rest, mini.root)
    assert ran.status == 13, ran.output
    assert [record["outcome"] for record in ran.drills()] == ["ABORTED", "PASSED"]
    assert "1 failed, 1 passed" in ran.output


def test_ctrl_c_in_the_restore_of_an_aborted_drill_waits_and_ends_the_session(mini: Mini) -> None:
    mini.lasting("symptoms", tags=f"@rto:1h {TAG}")
    mini.hold("restore")
    text = (mini.root / "features/web.feature").read_text()
    (mini.root / "features/x.feature").write_text(text.replace("It breaks", "It breaks again"))
    process = mini.start()
    seen = read_until(process, r"^  symptoms$")
    angry(mini)
    seen += read_until(process, r"  restore$")  # pytest has written its F into that line
    process.send_signal(signal.SIGINT)
    seen += read_until(process, "SIGINT received")
    mini.go_on()
    rest = ended(process)
    ran = Ran(process.returncode, seen + rest, mini.root)
    assert "stopped by SIGINT" in ran.output
    assert ran.status == 13, ran.output
    assert ran.drill["reason"] == FIRED
    assert not mini.broken


def test_an_endpoint_that_there_is_not(mini: Mini) -> None:
    mini.feature(*GOOD, tags="@abort-when:customer_sight")
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    said = " ".join(ran.output.split())
    assert "@abort-when:customer_sight: no such endpoint in drillbook_endpoints (" in said
    assert "hosts.yml:8); did you mean customer_site? There are: customer_site, web" in said, said
    assert ran.drills() == []
    assert not mini.broken


def test_two_conditions_and_the_one_that_fails_is_named(mini: Mini) -> None:
    mini.feature(*GOOD, tags=f"{TAG} @abort-when:web")
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    assert ran.drill["reason"] == "the abort condition fired: web: observed status 503, required a healthy answer"
    assert not mini.broken
