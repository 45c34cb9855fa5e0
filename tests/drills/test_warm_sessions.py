"""Which sessions have a warm Ansible, what a drill says when it has none, and that it ends with the session."""

from __future__ import annotations

import os

import psutil
import pytest

from .conftest import DEADLINE_S, Mini, left_over, read_until, wait_for

pytestmark = pytest.mark.lab

TELLS = """\
import psutil
import pytest

def server():
    lines = [" ".join(each.cmdline()) for each in psutil.Process().children()]
    return any("drillbook-warm-ansible" in line or "drillbook.target.ansible.warm.server" in line for line in lines)

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    print("\\nCOLLECTED", server())

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config):
    print("\\nRUNNING", server())
    yield
    print("\\nENDED", server())
"""
DRILL = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then the service is down for 1 second",
    'When the recovery playbook "fix" is run',
    "Then the service is up for 1 second",
)


@pytest.fixture
def mini(mini: Mini) -> Mini:
    """Its sessions start a warm Ansible of their own."""
    mini.may_fork = False
    return mini


@pytest.fixture
def telling(mini: Mini) -> Mini:
    """Its pytest says whether it has a warm server: after the collection, at the end, and after the end."""
    (mini.root / "conftest.py").write_text(TELLS)
    mini.feature(*DRILL)
    return mini


def said(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.split(" ")[0] in {"COLLECTED", "RUNNING", "ENDED"}]


def test_a_session_with_a_drill_has_a_warm_ansible_until_it_ends(telling: Mini) -> None:
    ran = telling.pytest("-s", "features")
    assert ran.status == 0, ran.output
    assert said(ran.output) == ["COLLECTED True", "RUNNING True", "ENDED False"]
    assert "cold" not in ran.output
    assert [play["warm"] for play in ran.drill["plays"]] == [True] * 3
    assert "(3 of 3 warm)" in ran.output
    overhead = ran.drill["overhead"]
    assert 0 < overhead["in_recover_s"] < overhead["total_s"] < ran.drill["duration_s"]
    assert overhead["play_start_s"] > 0 < overhead["evidence_s"]


@pytest.mark.parametrize(
    "asked",
    [
        ("--warm", "off"),
        ("--collect-only",),
        ("-k", "no_such_drill"),
        ("-o", "drillbook_warm=off"),
    ],
    ids=" ".join,
)
def test_other_sessions_have_none(telling: Mini, asked: tuple[str, ...]) -> None:
    ran = telling.pytest("-s", *asked, "features")
    assert ran.status in {0, 5}, ran.output
    assert said(ran.output) == ["COLLECTED False", "RUNNING False", "ENDED False"]
    assert "cold" not in ran.output


def test_a_session_without_a_drill_has_none(telling: Mini) -> None:
    telling.feature("Then an assertion fails", tags="@web")
    ran = telling.pytest("-s", "features")
    assert said(ran.output) == ["COLLECTED False", "RUNNING False", "ENDED False"], ran.output


def test_the_variable_wins_over_the_ini_and_the_option_over_both(
    telling: Mini, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRILLBOOK_WARM", "off")
    ran = telling.pytest("-s", "-o", "drillbook_warm=auto", "features")
    assert said(ran.output)[0] == "COLLECTED False", ran.output
    ran = telling.pytest("-s", "--warm", "auto", "-o", "drillbook_warm=off", "features")
    assert said(ran.output)[0] == "COLLECTED True", ran.output


def test_a_misspelt_variable_is_one_sentence(telling: Mini, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLBOOK_WARM", "yes")
    ran = telling.pytest("features")
    assert ran.status == 4
    assert "warm playbooks are auto or off, not 'yes': see DRILLBOOK_WARM and drillbook_warm" in ran.output
    assert not (telling.root / "evidence").exists()


def test_a_drill_whose_environment_changes_goes_on_cold_and_says_so_once(telling: Mini) -> None:
    telling.replace("conftest.py", "import psutil\n", "import os\nimport psutil\n")
    with (telling.root / "conftest.py").open("a") as file:
        file.write("\ndef pytest_runtest_setup():\n    os.environ['TZ'] = 'Asia/Tokyo'\n")
    ran = telling.pytest("features")
    assert ran.status == 0, ran.output
    assert ran.output.count("playbooks start a cold Ansible: the environment differs in TZ") == 1
    assert "Asia/Tokyo" not in ran.output
    assert ran.drill["outcome"] == "PASSED"
    assert [play["warm"] for play in ran.drill["plays"]] == [False] * 3
    assert "(0 of 3 warm)" in ran.output


def test_a_killed_pytest_leaves_no_play_that_goes_on(mini: Mini) -> None:
    """The fault's play hangs where it would change the target; it is ended, not left to change it later."""
    hang = f"355.{os.getpid()}"
    path = mini.root / "playbooks/faults/breakage/inject.yml"
    text = path.read_text()
    assert "  tasks:\n" in text
    path.write_text(text.replace("  tasks:\n", f"  tasks:\n    - ansible.builtin.command: sleep {hang}\n", 1))
    mini.feature(*DRILL)
    process = mini.start()
    read_until(process, r"^  fault$")

    def hanging() -> list[psutil.Process]:
        return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", hang]]

    wait_for(hanging, "the fault's play hangs")
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("drillbook-warm-ansible" in " ".join(child.cmdline()) for child in children)
    process.kill()
    process.wait(DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    for child in children:
        child.wait(DEADLINE_S)
    assert hanging() == []
    wait_for(lambda: len(left_over(mini.root)) == 1, "only the service is left")
    assert not mini.broken


def test_drills_on_two_workers_have_a_warm_ansible_each(telling: Mini) -> None:
    ran = telling.pytest("-n", "2", "features")
    assert ran.status == 0, ran.output
    assert "cold" not in ran.output
