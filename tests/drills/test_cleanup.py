"""What a drill has submitted is taken away by playbooks/cleanup/work.yml, after all else, also when it was killed."""

from __future__ import annotations

import pytest

from .conftest import DEADLINE_S, Mini, left_over, read_until, records, wait_for
from .mutants import step
from .test_verdicts import GOOD

pytestmark = pytest.mark.lab

CLEANUP = """\
- name: The work is away
  hosts: all
  gather_facts: false
  tasks:
    - name: It is taken away
      ansible.builtin.file: {path: "{{ flag }}-{{ drillbook_work_prefix }}", state: touch, mode: "0644"}
    - name: Look
      ansible.builtin.set_fact: {away: "{{ (flag ~ '-' ~ drillbook_work_prefix) is exists }}"}
    - name: Nothing is left
      ansible.builtin.assert: {that: away}
"""


@pytest.fixture
def working(mini: Mini) -> Mini:
    """The repository with work, whose books cannot be read, and with its cleanup."""
    port = (mini.root / "port").read_text()
    mini.inventory(f"""\
    drillbook_work:
      submit: {{url: "http://127.0.0.1:{port}/", body: {{id: "{{id}}"}}, acknowledged: [501]}}
      completed: {{endpoint: books, query: select 1, within: 1}}
""")
    web = "      web: {kind: http"
    books = '      books: {kind: sql, url: "postgresql://127.0.0.1:1/x", probe: false}\n'
    mini.replace("inventories/hosts.yml", web, f"{books}{web}")
    step("work is submitted", "drill.submit_work(5)", kind="given")(mini)
    cleanup = mini.root / "playbooks/cleanup/work.yml"
    cleanup.parent.mkdir()
    cleanup.write_text(CLEANUP)
    return mini


def prefix(record: dict[str, object]) -> str:
    return f"drill-{str(record['run_id'])[:8]}-"


def test_work_is_taken_away_last(working: Mini) -> None:
    working.feature(GOOD[0], "And work is submitted", *GOOD[1:])
    ran = working.pytest()
    record = ran.drill
    assert record["axes"]["restored"]["holds"] is True, ran.output
    assert [play["purpose"] for play in record["plays"]] == ["fault", "recovery", "undo", "cleanup"]
    last = record["plays"][-1]
    assert (last["playbook"], last["variables"]) == (
        "playbooks/cleanup/work.yml",
        {"drillbook_work_prefix": prefix(record)},
    )
    assert record["timeline"][-1]["event"] == "restored"
    assert "✓ the work of the drill is cleaned up" in ran.output
    assert (working.root / f"flag-{prefix(record)}").exists()


def test_work_of_a_drill_that_was_killed_is_taken_away_by_its_guardian(working: Mini) -> None:
    working.lasting("symptoms")
    working.replace(
        "features/web.feature", "When the service breaks", "And work is submitted\n    When the service breaks"
    )
    process = working.start()
    read_until(process, r"^  symptoms$")
    process.kill()
    working.go_on()
    process.wait(DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    wait_for(lambda: len(left_over(working.root)) == 1, "only the service is left", DEADLINE_S)
    (record,) = records(working.root)
    assert record["outcome"] == "ABORTED"
    assert not working.broken
    assert (working.root / f"flag-{prefix(record)}").exists()
    assert record["notes"][-1].endswith("by the guardian: breakage, the work of the drill"), "the work after the fault"
