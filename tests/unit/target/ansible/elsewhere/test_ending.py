"""What is looked for on a host, as whom, and what is told of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drillbook.target.ansible.elsewhere.ending import OWNED, end, left_by, play
from drillbook.target.ansible.notes import FILE, Notes, Place
from drillbook.target.private_folders import PrivateFolder

pytestmark = pytest.mark.unit

ROOT = ("root", "sudo")
COULD_NOT = "what the play may have left running on db could not be looked for: "


def test_each_host_is_told_as_whom_what_is_to_be_ended() -> None:
    plays: list[dict[str, object]] = []

    def run(playbook: Path) -> str | None:
        plays.extend(json.loads(playbook.read_text()))
        return "it is gone" if plays[-1]["hosts"] == "db" else None

    left = [
        Place("web", "j12", ROOT),
        Place("web", "ansible-tmp-1", ROOT),
        Place("web", "j7"),
        Place("db", "j9; reboot"),
    ]
    assert list(end([*left, Place("db", "j9")], run)) == [
        "what the play may have left running on db could not be ended: it is gone",
        "what the play may have left running on web was ended",
        "what the play may have left running on web was ended",
        f"{COULD_NOT}nothing of it stands on a command line there (pipelining); look for it by hand",
    ]
    assert [(each["hosts"], each.get("become_user")) for each in plays] == [
        ("db", None),
        ("web", "root"),
        ("web", None),
    ]
    assert [*end([Place("mail", "")], run)] != []
    assert len(plays) == 3
    assert "[a]nsible\\-tmp\\-1|[j]12" in str(plays[1]["tasks"]).replace("\\\\", "\\")
    assert "reboot" not in str(plays)


def test_only_what_has_the_mark_is_ended() -> None:
    """The shell that looks has it on its own command line."""
    sleep = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    ours, other = (
        subprocess.Popen([*sleep, mark], start_new_session=True, stdout=subprocess.PIPE)
        for mark in ("j4242.1", "j4243.1")
    )
    try:
        for each in (ours, other):
            assert each.stdout is not None
            each.stdout.readline()
        said = play("web", None, ["j4242"])["tasks"][0]["ansible.builtin.raw"]
        assert subprocess.run(["/bin/sh", "-c", said], start_new_session=True, timeout=60, check=False).returncode == 0
        assert ours.wait(10) < 0
        assert other.poll() is None
    finally:
        for each in (ours, other):
            each.kill()
            each.communicate()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *((name, None) for name in ("ps", "grep", "awk", "sort")),
        *(("ps", it) for it in ("exit 1", "exit 0", "echo PID")),
    ],
)
def test_a_host_on_which_nobody_can_look_is_no_host_on_which_nothing_is_left(
    tmp_path: Path, name: str, other: str | None
) -> None:
    """One of the programs is not there, or is another one: busybox has a `ps` without these options."""
    for each in {"ps", "grep", "awk", "sort"} - {name}:
        (tmp_path / each).symlink_to(str(shutil.which(each)))
    if other is not None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{other}\n")
        (tmp_path / name).chmod(0o755)
    said = play("web", None, ["j4244"])["tasks"][0]["ansible.builtin.raw"]
    shell = ["/bin/sh", "-c", said]
    ran = subprocess.run(shell, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "its processes cannot be listed: that takes ps" in ran.stderr


def test_what_a_killed_process_left_is_found_in_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for owner, mark, dead in (("ours", "j1", True), ("other", "j2", True), ("ours", "j3", False)):
        folder = PrivateFolder("run")
        (folder.path / OWNED).write_text(owner)
        run = folder.path / "artifacts/one"
        run.mkdir(parents=True)
        of = {"task": "t", "host": "web"}
        lines = [
            {"note": "job", "job": f"{mark}.9", **of},
            {"note": "place", "target": "web", "mark": mark, "becomes": None, **of},
        ]
        (run / FILE).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        if dead:
            assert folder._held is not None
            os.close(folder._held)
    assert left_by("ours") == {Place("web", "j1")}
    assert left_by("nobody") == frozenset()


def test_what_is_left_is_what_has_no_end() -> None:
    notes = Notes()

    def place(task: str, mark: str) -> None:
        notes.take({"note": "place", "task": task, "host": "web", "target": "db", "mark": mark, "becomes": None})

    for task in ("done", "open", "job"):
        notes.take({"note": "begun", "task": task, "host": "web"})
        place(task, f"ansible-tmp-{task}")
    for task in ("done", "job"):
        notes.take({"note": "ended", "task": task, "host": "web", "failed": False, "vacuous": False, "denies": False})
    notes.take({"note": "job", "task": "job", "host": "web", "job": "j1.2"})
    place("job", "j1")
    assert {each.mark for each in notes.left} == {"ansible-tmp-open", "ansible-tmp-job", "j1"}
    for task, elsewhere in (("piped", True), ("here", False)):
        of = {"task": task, "host": "web"}
        notes.take({"note": "begun", **of})
        notes.take({"note": "acts", "target": "mail", "check_mode": False, "elsewhere": elsewhere, **of})
    assert Place("mail", "") in notes.left, "it came through a pipe"
    notes.take({"note": "ended", "task": "piped", "host": "web", "failed": False, "vacuous": False, "denies": False})
    notes.take({"note": "job ended", "job": "j1.2"})
    assert {each.mark for each in notes.left} == {"ansible-tmp-open"}
