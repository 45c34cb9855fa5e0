"""Death at a boundary of the journal, from within: a `sitecustomize` for the drill and its guardian."""

from __future__ import annotations

from pathlib import Path

# Every interpreter imports it at its start, the drill's and the guardian's. A line of the journal is one write and one
# sync: the boundaries are before the write and after the sync.
KILLER = """\
import base64, json, os, signal, sys
here = "guardian" if "drillbook.commands.guardian_process" in sys.orig_argv else "drill"
plan = dict(part.split("=") for part in os.environ["DRILLBOOK_TEST_KILL"].split(","))
wanted = plan.get(here)
def said(descriptor, data):
    try:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if "/ledger/" in name:
            return base64.b64decode(json.loads(data)["payload"]).replace(b'"kind"', b'"state"')
        return bytes(data) if "/journal-" in name else b""
    except OSError:
        return b""
def guardians():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"guardian_process" in open(f"/proc/{name}/cmdline", "rb").read():
                yield int(name)
        except OSError:
            pass
def die():
    for pid in guardians() if "both" in plan else ():
        os.kill(pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
if wanted:
    when, state = wanted.split(":")
    write, sync, last = os.write, os.fsync, [b"", -1]
    def os_write(descriptor, data):
        if told := said(descriptor, data):
            last[:] = [told, descriptor]
            if when == "before" and f'"state":"{state}"'.encode() in told:
                die()
        return write(descriptor, data)
    def os_fsync(descriptor):
        sync(descriptor)
        if when == "after" and descriptor == last[1] and f'"state":"{state}"'.encode() in last[0]:
            die()
    os.write, os.fsync = os_write, os_fsync
"""
BOUNDARIES = [
    f"{when}:{state}" for state in ("planned", "injected", "undoing", "closed") for when in ("before", "after")
]


def killing(root: Path, plan: str) -> dict[str, str]:
    """The variables of a child's environment with which it, or its guardian, kills itself as planned.

    A plan is `drill=WHEN:STATE` or `guardian=WHEN:STATE` (WHEN before or after, STATE the journal's), and `both=yes`
    where the drill's guardian dies with it; several with commas between them.
    """
    folder = root / "killer"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(KILLER)
    return {"PYTHONPATH": str(folder), "DRILLBOOK_TEST_KILL": plan}
