"""People are told in a drill: chat and mail really sent and really received; and each way in which they are not."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from drillbook_lab.lifecycle.parts import tls

from .conftest import Mini, wait_for

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
TOKEN, PASSWORD = "T0-hook-token-4711", "smtp-password-0815"
PLACES = '"#incidents" and "oncall@example.org"'
GOOD = (
    "Given the service is healthy",
    'When the service breaks by "breakage"',
    "Then within 20 seconds the service is down",
    'When the message "initiating" is sent',
    'And the recovery playbook "fix" is run',
    'And the message "update" is sent',
    f'Then within 60 seconds the message "initiating" reaches {PLACES}',
    f'And within 60 seconds the message "update" reaches {PLACES}',
    "And within 20 seconds the service is up",
    'When the message "resolved" is sent',
    f'Then within 60 seconds the message "resolved" reaches {PLACES}',
)


@dataclass(frozen=True, slots=True)
class Sink:
    """A running sink."""

    url: str
    smtp_port: int
    ca: Path

    def read(self, what: str) -> list[dict[str, object]]:
        """All rows of /messages or /mails."""
        rows: list[dict[str, object]] = httpx.get(f"{self.url}/{what}", trust_env=False).json()["messages"]
        return rows


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    folder = tmp_path / "sink"
    folder.mkdir()
    files = tls.write(folder)
    with ExitStack() as held:
        # bound to the end, so that nobody else gets the ports; SO_REUSEADDR lets the sink listen at them all the same
        taken = [held.enter_context(socket.socket()) for _ in range(2)]
        for each in taken:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        port, smtp_port = (each.getsockname()[1] for each in taken)
        arguments = [str(port), "messages.ndjson", str(smtp_port), "mails.ndjson", str(files.server("valid"))]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "drillbook_lab.listeners.sink", *arguments],
            cwd=folder,
            env={"SINK_TOKEN": TOKEN, "SMTP_PASSWORD": PASSWORD},
        )
        try:
            wait_for(lambda: listens(port) and listens(smtp_port), "the sink listens")
            yield Sink(f"http://127.0.0.1:{port}", smtp_port, files.ca)
        finally:
            process.terminate()
            process.wait(timeout=30)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def mini(mini: Mini, sink: Sink) -> Mini:
    """The repository with the messages of this one."""
    for folder in ("communication", "roles/message"):
        shutil.copytree(ROOT / "playbooks" / folder, mini.root / "playbooks" / folder)
    (mini.root / "playbooks/library").mkdir()
    shutil.copy(ROOT / "playbooks/library/mail_message.py", mini.root / "playbooks/library/mail_message.py")
    shutil.copy(ROOT / "steps/communication.py", mini.root / "steps/communication.py")
    endpoints = "".join(
        f'      {name}: {{kind: http, url: "{sink.url}/{path}"}}\n'
        for name, path in (("alerts", "messages"), ("mail", "mails"))
    )
    mini.replace("inventories/hosts.yml", "    drillbook_endpoints:\n", f"    drillbook_endpoints:\n{endpoints}")
    mini.inventory(
        f"""\
    drillbook_chat_url: {sink.url}/services
    drillbook_chat_token: {TOKEN}
    drillbook_chat_channel: "#incidents"
    drillbook_smtp_host: 127.0.0.1
    drillbook_smtp_port: {sink.smtp_port}
    drillbook_smtp_user: oncall
    drillbook_smtp_password: {PASSWORD}
    drillbook_smtp_ca: {sink.ca}
    drillbook_mail_from: drillbook@example.org
    drillbook_mail_to: [oncall@example.org]
"""
    )
    mini.feature(*GOOD, tags="@rto:1h @severity:P0")
    return mini


def secrets_in(root: Path) -> list[str]:
    """The files of the evidence in which a secret stands."""
    files = [path for path in (root / "evidence").rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files for secret in (TOKEN, PASSWORD) if secret in path.read_text()]


def test_people_are_told_what_was_measured(mini: Mini, sink: Sink) -> None:
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    chat, mails = sink.read("messages"), sink.read("mails")
    subjects = [str(mail["subject"]).split()[0] for mail in mails]
    assert subjects == ["[ACTION]", "[UPDATE]", "[RESOLVED]"]
    assert [row["channel"] for row in chat] == ["#incidents"] * 3
    assert all(mail["to"] == ["oncall@example.org"] for mail in mails)
    reference = ran.drill["run_id"][:6]
    assert all(f"Reference: {reference}" in str(mail["text"]) for mail in mails)
    detected = re.search(r"Detected after: (\d+\.\d) s\r?\n", str(mails[2]["text"]))
    assert detected is not None
    # both are rounded, to 0.1 s and to 0.001 s
    assert abs(float(detected[1]) - ran.drill["times"]["detect_s"]) < 0.051
    assert "Severity: P0" in str(mails[0]["text"])
    assert "Playbooks that ran: playbooks/recovery/fix.yml" in str(mails[1]["text"])
    assert re.search(
        r"recovered within: 3[45]\d\d s \(\d % of the time that is allowed is over\)", str(mails[1]["text"])
    )
    told = [check for check in ran.drill["checks"] if check["role"] == "communication"]
    assert len(told) == 6
    assert all(check["met"] for check in told)
    plays = [play["purpose"] for play in ran.drill["plays"]]
    assert plays == ["fault", "communication", "recovery", "communication", "communication", "undo"]
    # that they were told later moves no clock
    sent = next(check["found_s"] for check in told if "[RESOLVED]" in check["name"])
    recovered = next(event["at_s"] for event in ran.drill["timeline"] if event["event"] == "recovered")
    assert recovered < sent
    assert secrets_in(mini.root) == []
    assert not any(secret in ran.output for secret in (TOKEN, PASSWORD))


def test_in_controls_nobody_is_told_that_it_is_over(mini: Mini, sink: Sink) -> None:
    ran = mini.pytest("features", "--prove")
    assert ran.status == 0, ran.output
    assert "the drill passed, 3 controls held" in ran.output
    # the drill; at its end the recovery runs once more, and no message is sent again
    assert len(sink.read("mails")) == 3
    control = next(each for each in ran.drills() if (each["control"] or {}).get("name") == "no-recovery")
    assert "the web service answers" in control["reason"]


NOT_TOLD = {
    "wrong token": (
        "inventories/hosts.yml", f"drillbook_chat_token: {TOKEN}", "drillbook_chat_token: other-token-1",
        "NOT_RECOVERED", "the message 'initiating' was not sent: .*answered 403: invalid_token",
    ),
    "wrong password": (
        "inventories/hosts.yml", f"drillbook_smtp_password: {PASSWORD}", "drillbook_smtp_password: other-password",
        "NOT_RECOVERED", "did not take the mail: .*535",
    ),
    "no authority": (
        "inventories/hosts.yml", "drillbook_smtp_ca:", "drillbook_other_ca:",
        "NOT_RECOVERED", "did not take the mail: .*certificate verify failed",
    ),
    "nobody listens": (
        "inventories/hosts.yml", "drillbook_smtp_port:", "drillbook_smtp_port: 1 #",
        "NOT_RECOVERED", "did not take the mail: .*refused",
    ),
    "another channel": (
        "inventories/hosts.yml", '"#incidents"', '"#random"',
        "NOT_RECOVERED", "at #incidents: observed no such message",
    ),
    "without a reference": (
        "playbooks/roles/message/templates/update.txt.j2", "Reference: ", "Ref ",
        "NOT_RECOVERED", r"\[UPDATE\].*observed no such message",
    ),
    "with a gap": (
        "playbooks/roles/message/templates/initiating.txt.j2", " or 'not seen yet' }}", " and none }}",
        "NOT_RECOVERED", "observed it came with a gap: Issue detected:",
    ),
    "no such message": (
        "features/web.feature", 'the message "initiating" is sent', 'the message "begin" is sent',
        "INVALID", "no playbooks/communication/begin.yml",
    ),
    "never sent": (
        "features/web.feature", '    And the message "update" is sent\n', "",
        "INVALID", "the message 'update' was not sent before",
    ),
    "nothing but messages": (
        "features/web.feature", '    And the recovery playbook "fix" is run\n', "",
        "NOT_RECOVERED", "NOT_RECOVERED: the web service answers: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_TOLD.values(), ids=list(NOT_TOLD))
def test_people_are_not_told(mini: Mini, case: tuple[str, str, str, str, str]) -> None:
    path, old, new, outcome, why = case
    if "no such message" in why:
        mini.replace("features/web.feature", "within 60 seconds the message", "within 15 seconds the message")
    mini.replace(path, old, new)
    ran = mini.pytest()
    assert ran.drill["outcome"] == outcome, ran.output
    assert re.search(why, " ".join(ran.output.split())), ran.output
    assert secrets_in(mini.root) == []
    assert not any(secret in json.dumps(ran.drill) + ran.output for secret in (TOKEN, PASSWORD, "other-"))


def test_messages_alone_recover_nothing(mini: Mini) -> None:
    """The service comes back by itself: that people were told does not make it a recovery."""
    flag = mini.root / "flag"
    healed = f"    - name: It comes back by itself\n      ansible.builtin.file: {{path: {flag}, state: absent}}\n"
    mini.replace("features/web.feature", '    And the recovery playbook "fix" is run\n', "")
    mini.replace("features/web.feature", '    And the message "update" is sent\n', "")
    mini.replace("features/web.feature", f'    And within 60 seconds the message "update" reaches {PLACES}\n', "")
    with (mini.root / "playbooks/communication/initiating.yml").open("a") as playbook:
        playbook.write(healed)
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "0 of 2 recoveries were done" in ran.drill["reason"]
