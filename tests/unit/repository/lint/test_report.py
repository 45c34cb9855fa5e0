"""Counts and exit statuses, the inventory's one sentence, and what ansible-lint said or did not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drillbook.commands.lint_collection import refusals
from drillbook.errors import DrillbookError, InventoryError, NoEnvironmentError, Place, PlaybookError
from drillbook.pytest_plugin.collecting.refusal import FeatureRefused
from drillbook.repository.feature_file import Problem
from drillbook.repository.lint import Report, ansible_lint, inventory
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.findings import Finding, Severity
from drillbook.repository.step_modules import UnloadedModule

pytestmark = pytest.mark.unit

ERROR = Finding("a", 1, "x", "wrong")
WARNING = Finding("a", 2, "x", "odd", Severity.WARNING)
NOTE = Finding("a", 3, "x", "not run", Severity.NOTE)


@pytest.mark.parametrize(
    ("findings", "lenient", "strict"),
    [((), 0, 0), ((NOTE,), 0, 0), ((WARNING,), 0, 1), ((WARNING, NOTE), 0, 1), ((ERROR,), 1, 1)],
)
def test_the_exit_status(findings: tuple[Finding, ...], lenient: int, strict: int) -> None:
    report = Report(findings, 1)
    assert (report.exit_status(), report.exit_status(strict=True)) == (lenient, strict)


def test_the_lines_of_a_report() -> None:
    assert Report((ERROR, WARNING, NOTE), 2).lines() == [
        "a:1: x: wrong",
        "a:2: x: odd (warning)",
        "a:3: x: not run (note)",
        "1 error, 1 warning, 1 note in 2 features",
    ]
    assert Report((), 1).lines() == ["0 errors, 0 warnings, 0 notes in 1 feature"]


# ------------------------------------------------------------------ what collection refuses


PATH = "features/x.feature"


def refused(error: BaseException, text: str) -> list[str]:
    return [str(each) for each in refusals(error, text, PATH)]


def test_each_problem_of_a_refusal_stands_at_its_place() -> None:
    twice = Problem(3, "'Given x' meets 2 step definitions:", ("@given x  (steps/a.py:1)", "@given y  (s:2)"))
    error = FeatureRefused.of(PATH, [twice, Problem(7, "it breaks: off (a.py:7)")])
    assert refused(error, str(error)) == [
        f"{PATH}:3: refused: 'Given x' meets 2 step definitions: @given x  (steps/a.py:1) @given y  (s:2)",
        f"{PATH}:7: refused: it breaks: off (a.py:7)",
    ]


def test_a_step_module_that_is_refused_stands_at_its_own_place() -> None:
    sentence = "this step module cannot be imported: SyntaxError"
    error = FeatureRefused.of_modules([UnloadedModule("steps/b.py", 9, sentence)])
    assert str(error) == f"steps/b.py:9: {sentence}"
    assert refused(error, str(error)) == [f"steps/b.py:9: refused: {sentence}"]


def test_a_refusal_without_a_place_is_not_lost() -> None:
    error = RuntimeError("no")
    assert refused(error, "RuntimeError: no\n") == [f"{PATH}:1: refused: RuntimeError: no"]
    assert refused(error, "") == [f"{PATH}:1: refused: RuntimeError"]


# ------------------------------------------------------------------ the inventory


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            InventoryError(
                "drillbook_endpoints.api.url (/srv/inventories/lab/hosts.yml:23): the lab is not running.",
                Place("/srv/inventories/lab/hosts.yml", 23),
            ),
            (
                "inventories/lab/hosts.yml:23: inventory: drillbook_endpoints.api.url "
                "(inventories/lab/hosts.yml:23): the lab is not running."
            ),
        ),
        (
            InventoryError(
                "drillbook_endpoints (/srv/inventories/lab): it is empty.", Place("/srv/inventories/lab", None)
            ),
            "inventories/lab:1: inventory: drillbook_endpoints (inventories/lab): it is empty.",
        ),
        (
            NoEnvironmentError(
                "The inventory /srv/inventories/lab does not say what it is, so no drill may run against it: add it."
            ),
            (
                "inventories/lab:1: no-environment: The inventory inventories/lab does not say what it is, so no "
                "drill may run against it: add it."
            ),
        ),
        (InventoryError("There is no inventory x."), "inventories/lab:1: inventory: There is no inventory x."),
        (PlaybookError("There is no ansible."), "inventories/lab:1: inventory: There is no ansible."),
    ],
)
def test_an_inventory_that_cannot_be_used(problem: DrillbookError, said: str) -> None:
    broken = Repository(Path("/srv"), inventory_name="inventories/lab", inventory_problem=problem)
    assert [str(each) for each in inventory.check(broken)] == [said]


def test_a_sound_inventory() -> None:
    assert list(inventory.check(Repository(Path("/srv"), inventory_name="inventories/lab"))) == []


# ------------------------------------------------------------------ ansible-lint


def issue(severity: str = "major", rule: str = "syntax-check[specific]", **location: Any) -> dict[str, Any]:
    where = location or {"lines": {"begin": 7}}
    return {
        "check_name": rule,
        "severity": severity,
        "description": "All tasks\nshould be named.",
        "location": {"path": "playbooks/x.yml", **where},
    }


def test_its_findings_have_file_and_line() -> None:
    output = json.dumps([issue(), issue("minor", positions={"begin": {"line": 9, "column": 2}})])
    assert [str(each) for each in ansible_lint.findings(output, "", 2)] == [
        "playbooks/x.yml:7: ansible-lint: All tasks should be named [syntax-check[specific]]",
        "playbooks/x.yml:9: ansible-lint: All tasks should be named [syntax-check[specific]] (warning)",
    ]
    assert ansible_lint.findings("[]\n", "WARNING: PATH altered", 0) == []


@pytest.mark.parametrize(
    ("output", "errors", "status", "said"),
    [
        ("", "boom\nno such option", 3, "not run to its end (status 3): no such option"),
        ("", "", 1, "not run to its end (status 1): it said nothing"),
        ("[{}]", "", 2, "not run to its end (status 2): [{}]"),
        ("[]", "killed", 137, "it ended with status 137 and named no finding: killed"),
    ],
)
def test_its_silence_is_no_clean_bill(output: str, errors: str, status: int, said: str) -> None:
    assert [str(each) for each in ansible_lint.findings(output, errors, status)] == [
        f"playbooks:1: ansible-lint: {said}"
    ]


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("syntax-check[unknown-module]", Severity.ERROR),
        ("load-failure[not-found]", Severity.ERROR),
        ("args[module]", Severity.ERROR),
        ("jinja[invalid]", Severity.ERROR),
        ("jinja[spacing]", Severity.WARNING),
        ("name[missing]", Severity.WARNING),
        ("yaml[line-length]", Severity.WARNING),
        ("fqcn[action-core]", Severity.WARNING),
        ("var-naming[no-role-prefix]", Severity.WARNING),
    ],
)
def test_how_a_playbook_is_better_written_is_a_hint(rule: str, severity: Severity) -> None:
    (found,) = ansible_lint.findings(json.dumps([issue(rule=rule)]), "", 2)
    assert found.severity is severity


CONFIGURED = """
while [ "$1" != -c ]; do shift || exit 4; done
tr '\n' ' ' < "$2" >&2
exit 3
"""


@pytest.mark.parametrize("name", [".ansible-lint", ".config/ansible-lint.yml"])
def test_it_knows_what_steps_hand_over(name: str, tmp_path: Path) -> None:
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("skip_list: [yaml]\nextra_vars: {kind: odd}\nrulesdir: [rules]\n")
    (finding,) = said_of(CONFIGURED, tmp_path, victim="web-1", kind="other")
    assert json.loads(finding.sentence.partition("(status 3): ")[2]) == {
        "skip_list": ["yaml"],
        "extra_vars": {"victim": "web-1", "kind": "odd"},
        "rulesdir": [str(own.parent / "rules")],
        "project_dir": str(tmp_path),
    }


def test_a_configuration_that_cannot_be_read_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / ".ansible-lint").write_text("skip_list: [yaml\n")
    (finding,) = said_of('echo "$*" >&2; exit 3', tmp_path, victim="web-1")
    assert finding.sentence.endswith("(status 3): --offline --nocolor -q -f json playbooks")


def test_a_further_run_is_of_some_playbooks_alone(tmp_path: Path) -> None:
    said_of("exit 0", tmp_path)
    (tmp_path / "ansible-lint").write_text('#!/bin/sh\necho "$*" >&2; exit 3\n')
    (finding,) = ansible_lint.check(
        tmp_path, path=f"{tmp_path}:/bin:/usr/bin", only=["playbooks/a.yml", "playbooks/b.yml"]
    )
    assert finding.sentence.endswith("-f json playbooks/a.yml playbooks/b.yml")


def test_that_it_is_not_installed_is_said(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    assert [str(each) for each in ansible_lint.check(tmp_path, path=str(tmp_path))] == [
        "playbooks:1: ansible-lint: not run: ansible-lint is not installed (note)"
    ]


def said_with(script: str, root: Path) -> str:
    """The one finding in a repository whose ansible-lint is this script of the shell."""
    (said,) = said_of(script, root)
    return str(said)


def said_of(script: str, root: Path, **variables: object) -> list[Finding]:
    """The findings there, with these variables of steps."""
    (root / "playbooks").mkdir()
    program = root / "ansible-lint"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return list(ansible_lint.check(root, variables, path=f"{root}:/bin:/usr/bin"))


def test_a_program_that_fails_is_said(tmp_path: Path) -> None:
    said = said_with("echo 'it is broken' >&2\nexit 3", tmp_path)
    assert said == "playbooks:1: ansible-lint: not run to its end (status 3): it is broken"


def test_it_finds_the_roles_that_plays_find(tmp_path: Path) -> None:
    said = said_with('echo "$ANSIBLE_ROLES_PATH $ANSIBLE_LIBRARY" >&2\nexit 3', tmp_path)
    roles, library = said.partition("(status 3): ")[2].split()
    assert roles.split(":")[0] == f"{tmp_path}/playbooks/roles"
    assert library == f"{tmp_path}/playbooks/library"


def test_an_ansible_cfg_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("roles_path = roles\n")
    assert "ansible.cfg is no configuration that Ansible could read" in said_with("echo '[]'", tmp_path)


def test_no_playbooks_no_lint(tmp_path: Path) -> None:
    assert list(ansible_lint.check(tmp_path)) == []
