"""What the events of a run come to, without running one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import Place, PlaybookError
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.events import PlayLog
from drillbook.target.ansible.messages import MESSAGE_CAP, STDOUT_CAP, error_sentence, place_in
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.ansible.result import HostStats, PlayResult, TaskResult, TaskStatus

pytestmark = pytest.mark.unit

ROOT = Path("/srv/drills")


def log(redactor: Redactor | None = None) -> PlayLog:
    return PlayLog(ROOT, redactor or Redactor(), None)


def event(kind: str, stdout: str = "", **data: Any) -> dict[str, Any]:
    play = {"play": "The play", "task": "The task", "task_uuid": "t1", "task_path": f"{ROOT}/playbooks/play.yml:7"}
    return {"event": kind, "stdout": stdout, "event_data": play | {"host": "web"} | data}


def one_result(kind: str, redactor: Redactor | None = None, **data: Any) -> TaskResult:
    it = log(redactor)
    it.event(event(kind, **data))
    (result,) = it.results()
    return result


def task(status: TaskStatus, name: str = "The task", message: str = "", **more: Any) -> TaskResult:
    return TaskResult("The play", name, "a.b.c", "web", status, 1.0, 2.0, message, "playbooks/play.yml:7", **more)


def result(*tasks: TaskResult, **changes: Any) -> PlayResult:
    values: dict[str, Any] = {
        "playbook": "playbooks/play.yml",
        "rc": 0,
        "status": "successful",
        "started_s": 0.0,
        "ended_s": 9.0,
        "started_at": datetime(2026, 11, 22, tzinfo=UTC),
        "hosts": {"web": HostStats(ok=1)},
        "tasks": tasks,
        "stdout": "",
    }
    return PlayResult(**(values | changes))


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("runner_on_ok", {"res": {"changed": False}}, TaskStatus.OK),
        ("runner_on_ok", {"res": {"changed": True}}, TaskStatus.CHANGED),
        ("runner_on_failed", {"res": {"msg": "no"}, "ignore_errors": None}, TaskStatus.FAILED),
        ("runner_on_failed", {"res": {"msg": "no"}, "ignore_errors": True}, TaskStatus.IGNORED),
        ("runner_on_unreachable", {"res": {"msg": "no route"}}, TaskStatus.UNREACHABLE),
        ("runner_on_skipped", {}, TaskStatus.SKIPPED),
    ],
)
def test_events_and_their_status(kind: str, data: dict[str, Any], status: TaskStatus) -> None:
    assert one_result(kind, **data).status is status


def test_the_first_failures_of_a_host_are_those_that_were_rescued() -> None:
    it = log()
    for _ in range(3):
        it.event(event("runner_on_failed", res={"msg": "no"}))
    it.event(event("playbook_on_stats", rescued={"web": 2}, failures={"web": 1}, processed={"web": 1}))
    assert [each.status for each in it.results()] == [TaskStatus.RESCUED, TaskStatus.RESCUED, TaskStatus.FAILED]
    assert it.host_stats(it.results()) == {"web": HostStats(rescued=2, failed=1)}


def test_a_run_that_was_cut_off_is_counted_from_its_results() -> None:
    it = log()
    it.event(event("runner_on_ok", res={"changed": True}))
    it.event(event("runner_on_failed", res={}, ignore_errors=True))
    it.event(event("runner_on_skipped"))
    it.event(event("runner_on_unreachable", res={}))
    assert it.host_stats(it.results()) == {"web": HostStats(ok=2, changed=1, ignored=1, skipped=1, unreachable=1)}


def test_a_message_is_redacted_before_it_is_cut() -> None:
    redactor = Redactor()
    redactor.add("token", "correct-horse-battery")
    text = "x" * (MESSAGE_CAP // 2 - 5) + "correct-horse-battery" + "y" * 2 * MESSAGE_CAP
    message = one_result("runner_on_failed", redactor, res={"msg": text}).message
    assert len(message) < MESSAGE_CAP + 100
    assert "corre" not in message
    assert "characters left out" in message


def test_a_failed_loop_names_the_item_that_failed() -> None:
    items = [
        {"item": "a", "failed": False},
        {"item": "b", "failed": True, "msg": "no", "stderr": "\x1b[31mdenied\x1b[0m"},
    ]
    message = one_result("runner_on_failed", res={"msg": "One or more items failed", "results": items}).message
    assert message == "item 'b': no\ndenied"


def test_what_a_loop_or_a_result_names_as_a_secret_is_one() -> None:
    redactor = Redactor()
    it = log(redactor)
    item = {"name": "app", "passwords": {"admin": "first-of-them"}, "deploy_key": "second-of-them"}
    it.event(event("runner_item_on_failed", f"failed: (item={item!r})", res={"item": item, "msg": "no"}))
    failed = [{"item": item, "failed": True, "msg": "second-of-them"}]
    it.event(event("runner_on_failed", res={"results": failed}))
    it.event(event("runner_on_ok", "made", res={"ansible_facts": {"api_token": "third-of-them"}}))
    it.event(event("runner_on_ok", "[third-of-them]", res={"env": [{"name": "PGPASSWORD", "value": "fourth-of-them"}]}))
    sent = {"headers": {"Authorization": "Bearer fifth-of-them", "X-Api-Key": "sixth-of-them", "Accept": "text/plain"}}
    it.event(
        event("runner_on_failed", res={"invocation": {"module_args": sent}, "msg": "not fifth-of-them text/plain"})
    )
    it.event(event("runner_on_failed", res={"msg": "not sixth-of-them"}))
    shown = f"{it.stdout()} {it.results()}"
    assert "of-them" not in shown
    assert "not [REDACTED:invocation.module_args.headers.Authorization] text/plain" in shown
    assert "'name': 'app'" in shown


def test_what_ansible_hides_itself_is_no_secret() -> None:
    redactor = Redactor()
    arguments = {"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "update_password": "always", "password_lock": True}
    result = {"invocation": {"module_args": arguments}, "password": "NOT_LOGGING_PASSWORD"}
    log(redactor).event(event("runner_on_ok", res=result))
    assert redactor.generation == 0


def test_what_could_not_be_included_has_its_reason() -> None:
    result = one_result("runner_on_failed", res={"reason": f"the role 'x' was not found in {ROOT}/a:{ROOT}/b"})
    assert result.message == "the role 'x' was not found in a:b"


def test_a_hidden_result_says_that_it_is_hidden_and_its_output_is_left_out() -> None:
    """Core 2.19 prints "[ERROR]: Task failed: ..." with the message of a failed task that says no_log."""
    it = log()
    it.event(event("runner_on_failed", "[ERROR]: Task failed: the-secret\nfatal: ...", res={"censored": "hidden"}))
    it.event(event("runner_item_on_failed", "failed: the-secret", res={"results": [{"censored": "hidden"}]}))
    assert "the-secret" not in it.stdout()
    assert "no_log" in it.results()[0].message


def test_output_is_capped_and_has_no_colours() -> None:
    it = log()
    it.event(event("verbose", "\x1b[0;31m" + "z" * 2 * STDOUT_CAP + "\x1b[0m\x1b[K"))
    assert len(it.stdout()) < STDOUT_CAP + 100
    assert "\x1b" not in it.stdout()


def test_an_event_without_data_is_output_only() -> None:
    it = log()
    it.event({"event": "verbose", "stdout": "[ERROR]: Attempting to decrypt but no vault secrets found."})
    assert it.reason() == "Attempting to decrypt but no vault secrets found."


def test_tasks_are_timed_per_host() -> None:
    it = log()
    it.event(event("playbook_on_task_start"))
    it.event(event("runner_on_start"))
    it.event(event("runner_on_ok", res={}))
    (first,) = it.results()
    assert first.started_s <= first.ended_s


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[ERROR]: YAML parsing failed: Did not find\r\nexpected ','.\nOrigin: /srv/drills/p.yml:2:1\n\n(source)",
            "YAML parsing failed: Did not find expected ',' (p.yml:2:1)",
        ),
        (
            "[ERROR]: Task failed.\nOrigin: /srv/drills/p.yml:7:5\n\n7   -\n\n<<< caused by >>>\n\nNo start of json",
            "Task failed: No start of json (p.yml:7:5)",
        ),
        ("[WARNING]: Could not match\nhost pattern", "Could not match host pattern"),
    ],
)
def test_messages_of_ansible_become_one_line(text: str, sentence: str) -> None:
    assert error_sentence(text, ROOT) == sentence


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("Failed to parse (inventories/lab/hosts.yml:7:3)", Place("inventories/lab/hosts.yml", 7)),
        ("Failed to parse /srv/x/hosts.ini:2: no", Place("/srv/x/hosts.ini", 2)),
        ("It said 10.0.0.5:80", None),
        ("No vault secrets", None),
    ],
)
def test_the_place_that_a_message_of_ansible_names(message: str, place: Place | None) -> None:
    assert place_in(message) == place


def test_a_clean_run_leaves_nothing_unsaid() -> None:
    assert result(task(TaskStatus.OK), task(TaskStatus.CHANGED), task(TaskStatus.SKIPPED)).unsaid() == ()


@pytest.mark.parametrize(
    ("it", "said"),
    [
        (
            result(task(TaskStatus.FAILED, message="no\nreally"), rc=2, status="failed"),
            'Failed: "The task" on web (playbooks/play.yml:7): no really',
        ),
        (result(task(TaskStatus.IGNORED)), 'Failed, and ignored: "The task" on web (playbooks/play.yml:7).'),
        (result(task(TaskStatus.RESCUED)), 'Failed, and rescued: "The task" on web (playbooks/play.yml:7).'),
        (result(task(TaskStatus.UNREACHABLE)), 'Unreachable: "The task" on web (playbooks/play.yml:7).'),
        (result(hosts={}, plays_without_hosts=("First",)), "No host matched: playbooks/play.yml did nothing."),
        (
            result(hosts={}),
            "No task ran: playbooks/play.yml has none, tags left them out, or it ended before them (end_play).",
        ),
        (result(hosts={}, status="failed", rc=254), "ansible-playbook ended with status 254 and named no reason."),
        (result(plays_without_hosts=("Second",)), 'No host matched the play "Second" of playbooks/play.yml.'),
        (
            result(task(TaskStatus.CHANGED, check_mode=True), check_mode=True),
            'The task "The task" ran in check mode: it changed nothing.',
        ),
        (result(rc=4, status="failed", errors=("No vault secrets",)), "Ansible stopped: No vault secrets"),
        (result(rc=250, status="failed"), "ansible-playbook ended with status 250 and named no reason."),
        (result(status="failed"), "ansible-playbook ended with status 0 and named no reason."),
        (result(status="timeout", rc=254), "The playbook playbooks/play.yml was ended because it took too long."),
        (result(status="canceled", rc=254), "The playbook playbooks/play.yml was cancelled."),
    ],
)
def test_what_is_not_clean_is_said(it: PlayResult, said: str) -> None:
    assert it.unsaid() == (said,)
    assert it.why_not_clean() == said


CHANGED = task(TaskStatus.CHANGED)


@pytest.mark.parametrize(
    ("it", "demands", "why"),
    [
        (result(CHANGED), {"must_change": True, "on_every_host": True}, None),
        (result(task(TaskStatus.OK)), {}, None),
        (result(task(TaskStatus.OK)), {"must_change": True}, "playbooks/play.yml changed nothing"),
        (result(task(TaskStatus.SKIPPED)), {}, None),
        (result(task(TaskStatus.SKIPPED)), {"on_every_host": True}, "playbooks/play.yml ran no task on web"),
        (
            result(CHANGED, hosts={"web": HostStats(changed=1), "api": HostStats()}),
            {"must_change": True, "on_every_host": True},
            "playbooks/play.yml ran no task on api",
        ),
        (
            result(hosts={}, plays_without_hosts=("First",)),
            {"must_change": True},
            "No host matched: playbooks/play.yml did nothing.",
        ),
    ],
)
def test_a_run_is_as_clean_as_its_caller_demands(it: PlayResult, demands: dict[str, bool], why: str | None) -> None:
    assert it.why_not_clean(**demands) == why


def test_the_first_change_is_the_earliest_to_end() -> None:
    late = TaskResult("p", "late", "", "web", TaskStatus.CHANGED, 1.0, 5.0, "", "")
    early = TaskResult("p", "early", "", "api", TaskStatus.CHANGED, 2.0, 3.0, "", "")
    assert result(late, early).first_change is early
    assert result(task(TaskStatus.OK)).first_change is None
    assert not result(task(TaskStatus.OK)).changed


@pytest.mark.parametrize("name", ["set_fact", "add_host", "group_by", "debug", "include_vars", "set_stats", "fetch"])
@pytest.mark.parametrize("collection", ["", "ansible.builtin.", "ansible.legacy."])
def test_what_stays_with_ansible_is_no_change_of_the_system(name: str, collection: str) -> None:
    said = TaskResult("p", "it", f"{collection}{name}", "web", TaskStatus.CHANGED, 1.0, 2.0, "", "")
    assert (result(said).changed, result(said).touched) == (False, ())
    assert result(said).why_not_clean(must_change=True) == "playbooks/play.yml changed nothing"
    other = TaskResult("p", "it", f"{collection}{name}_of_another", "web", TaskStatus.CHANGED, 1.0, 2.0, "", "")
    assert (result(other).changed, result(other).touched) == (True, ("web",))


def test_the_last_task_of_a_host_is_one_that_ran() -> None:
    tasks = task(TaskStatus.OK, "first"), task(TaskStatus.OK, "last"), task(TaskStatus.SKIPPED, "skipped")
    assert result(*tasks).last_tasks["web"].task == "last"


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    (tmp_path / "hosts.ini").write_text("web ansible_connection=local\n")
    return Playbooks(tmp_path, tmp_path / "hosts.ini", {}, Redactor())


def test_a_playbook_that_does_not_exist_is_refused_before_anything_runs(playbooks: Playbooks) -> None:
    with pytest.raises(PlaybookError, match=r"There is no playbook recovery/x\.yml: looked for /.*/recovery/x\.yml\."):
        playbooks.run(Path("recovery/x.yml"))


def test_a_variable_that_is_not_json_is_named(playbooks: Playbooks, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text("[]")
    with pytest.raises(PlaybookError, match="The variable lock cannot be given to a playbook, it is not JSON: lock"):
        playbooks.run(Path("play.yml"), {"lock": threading.Lock()})


def test_a_configuration_that_cannot_be_read_is_named(playbooks: Playbooks, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text("[]")
    (tmp_path / "ansible.cfg").write_text("no section\n")
    with pytest.raises(PlaybookError, match=r"ansible\.cfg is no configuration that Ansible could read"):
        playbooks.run(Path("play.yml"))
