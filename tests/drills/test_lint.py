"""`drillbook lint` as a command, with the real ansible-lint and an inventory that Ansible resolves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from .conftest import DEADLINE_S, Mini, serving

pytestmark = pytest.mark.lab


def lint(mini: Mini, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drillbook.commands.cli", "lint", *args]
    env = {name: value for name, value in os.environ.items() if name != "DRILLBOOK_INVENTORY"}
    return subprocess.run(
        command, cwd=mini.root, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


ROLE = "    - name: By a role\n      ansible.builtin.import_role: {name: %s}\n"
PLAY = f"- name: By a role\n  hosts: all\n  tasks:\n{ROLE}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mini, subprocess.CompletedProcess[str]]]:
    """What is said of a task that has no name, of an endpoint that is not there, and of a role that is not there."""
    with serving(tmp_path_factory.mktemp("told") / "mini") as mini:
        mini.replace("playbooks/recovery/fix.yml", "    - name: The flag is away\n      ansible", "    - ansible")
        mini.replace("inventories/hosts.yml", "      web: {", "      site: {")
        (mini.root / "playbooks/recovery/there.yml").write_text(PLAY % "there")
        (mini.root / "playbooks/recovery/nowhere.yml").write_text(PLAY % "nowhere")
        tasks = mini.root / "playbooks/roles/there/tasks"
        tasks.mkdir(parents=True)
        (tasks / "main.yml").write_text("- name: Told\n  ansible.builtin.debug:\n    msg: here\n")
        yield mini, lint(mini)


def test_what_lint_says_of_a_repository(told: tuple[Mini, subprocess.CompletedProcess[str]]) -> None:
    mini, said = told
    lines = said.stdout.splitlines()
    assert said.returncode == 1, said.stdout + said.stderr
    assert lines[:-1] == sorted(lines[:-1], key=lambda line: (line.split(":")[0], int(line.split(":")[1])))
    assert "playbooks/recovery/fix.yml:5: ansible-lint: All tasks should be named [name[missing]] (warning)" in lines
    assert any(line.startswith("features/web.feature:5: no-endpoint: ") for line in lines)
    unused = 1 + (mini.root / "steps/web.py").read_text().splitlines().index('@given("nobody looks")')
    assert f"steps/web.py:{unused}: unused-step: no scenario says 'nobody looks' (warning)" in lines
    assert " errors, " in lines[-1] and lines[-1].endswith(" in 1 feature")
    assert not (mini.root / "evidence").exists() and not (mini.root / ".drillbook").exists()


def test_a_repository_without_errors(mini: Mini) -> None:
    (mini.root / ".ansible-lint").write_text("skip_list: [name, var-naming, yaml, key-order]\n")
    lenient = lint(mini, "features/web.feature")
    assert lenient.returncode == 0, lenient.stdout + lenient.stderr
    assert lenient.stdout.splitlines()[-1] == "0 errors, 0 warnings, 1 note in 1 feature"
    (mini.root / ".ansible-lint").write_text("exclude_paths: [playbooks]\n")  # it is about the steps
    strict = lint(mini, "--strict")
    assert strict.returncode == 1, "steps that nobody uses are warnings"
    assert strict.stdout.splitlines()[-1].startswith("0 errors, ")


def test_what_a_step_hands_over_is_known_and_no_style_is_an_error(mini: Mini) -> None:
    """ansible-lint by itself says of each of these playbooks that it cannot be read."""
    mini.replace("steps/web.py", "    drill.inject(name)", '    drill.inject(name, victim="web-1", tasks="down")')
    for part in ("inject", "undo"):
        mini.replace(f"playbooks/faults/breakage/{part}.yml", "  hosts: all\n", '  hosts: "{{ victim }}"\n')
    told = "    - name: told\n      import_tasks: '{{ tasks }}.yml'\n"
    mini.replace("playbooks/faults/breakage/inject.yml", "  tasks:\n", f"  tasks:\n{told}")
    down = "- name: Told\n  ansible.builtin.debug: {msg: down}\n"
    (mini.root / "playbooks/faults/breakage/down.yml").write_text(down)
    (mini.root / ".ansible-lint").write_text("skip_list: [var-naming]\n")
    said = lint(mini)
    assert "syntax-check" not in said.stdout and "undefined" not in said.stdout
    hints = [line for line in said.stdout.splitlines() if ": ansible-lint: " in line]
    assert any("[fqcn[action-core]] (warning)" in line for line in hints)
    assert all(line.endswith(" (warning)") for line in hints)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_role_that_a_playbook_imports_is_found(told: tuple[Mini, subprocess.CompletedProcess[str]]) -> None:
    """ansible-lint by itself looks beside each playbook only."""
    lost = [line for line in told[1].stdout.splitlines() if "syntax-check" in line]
    assert [line.split(":")[0] for line in lost] == ["playbooks/recovery/nowhere.yml"]


@pytest.mark.parametrize("args", [["nope"], ["--nope"]])
def test_a_wrong_call(mini: Mini, args: list[str]) -> None:
    said = lint(mini, *args)
    assert said.returncode == 64
    assert "nope" in said.stderr
