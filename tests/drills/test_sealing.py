"""A drill that is signed, with a playbook in it that wants the key: the seal holds, and the playbook gets nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from drillbook.evidence.sealing import keys
from tests.support.sealing import PASSPHRASE, chain, sealed_runs

from .conftest import Mini

pytestmark = pytest.mark.lab

THIEF = """\
import json, os, sys
from pathlib import Path

def read(path):
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError as error:
        return f"{type(error).__name__}"

pids = [name for name in os.listdir("/proc") if name.isdigit()]
above, pid = [], os.getpid()
while pid > 1:
    pid = int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    above.append(pid)
loot = {
    "key": read(sys.argv[3]),
    "own": dict(os.environ),
    "above": {pid: read(f"/proc/{pid}/environ") for pid in above},
    "all": [read(f"/proc/{pid}/{what}") for pid in pids for what in ("environ", "cmdline")],
    "ledger": read(sys.argv[2]),
}
Path(sys.argv[1]).write_text(json.dumps(loot))
"""
PLAY = """
    - name: It looks for the key
      ansible.builtin.command:
        argv: ["{{ ansible_playbook_python }}", "{{ root }}/thief.py", "{{ root }}/NAME", "{{ ledger }}", "{{ key }}"]
      changed_when: false
      vars:
        root: "{{ inventory_dir }}/.."
        ledger: "{{ root }}/evidence/ledger/mini.jsonl"
        key: "{{ root }}/drill.pem"
"""
SEEN = """\
import sys
from pathlib import Path

SIGNS = {"cryptography", "securesystemslib"}

def note(when):
    with Path("imported").open("a") as file:
        print(when, sorted(SIGNS & set(sys.modules)), sep=": ", file=file)

def pytest_collection_finish():
    note("collected")

def pytest_bdd_before_step(step):
    note(step.name)
"""


def test_a_signed_drill_with_a_playbook_that_wants_the_key(mini: Mini) -> None:
    mini.may_fork = False  # the playbook looks at what processes were started with
    root = mini.root
    mini.short()
    keys.write_new(root / "drill.pem", keys.new_key(PASSPHRASE))
    (root / "thief.py").write_text(THIEF)
    (root / "seen.py").write_text(SEEN)
    for path, name in (("faults/breakage/inject.yml", "at-the-fault"), ("recovery/fix.yml", "later")):
        play = root / "playbooks" / path
        play.write_text(play.read_text().rstrip("\n") + PLAY.replace("NAME", name))
    mini.variables = {
        "DRILLBOOK_KEY": str(root / "drill.pem"),
        "DRILLBOOK_KEY_PASSPHRASE": PASSPHRASE,
        "PYTHONPATH": str(root),
    }
    ran = mini.pytest(
        *("features", "-p", "seen", "--summary", "summary.json"),
        *("-o", "drillbook_pass_env=DRILLBOOK_KEY_PASSPHRASE DRILLBOOK_KEY_PASSPHRASE_FD"),
        *("-o", "drillbook_require=signed drills", "-o", "drillbook_report=true"),
    )
    assert ran.status == 0, ran.output

    for name in ("at-the-fault", "later"):
        text = (root / name).read_text()
        loot = json.loads(text)
        assert PASSPHRASE not in text
        assert not [each for each in loot["own"] if each.startswith("DRILLBOOK_KEY")]
        assert "ENCRYPTED PRIVATE KEY" in loot["key"]
        assert len(loot["above"]) > 2
        assert any("DRILLBOOK_KEY=" in each for each in loot["above"].values()), "it has looked at the drill itself"
        assert any("guardian_process" in each for each in loot["all"])
    # when the fault happened, the intent was on disk, and nothing else
    at_the_fault = json.loads((root / "at-the-fault").read_text())["ledger"]

    public = (root / "drill.pem.pub").read_text()
    record = ran.drill
    assert sealed_runs(root, public, "mini") == {record["run_id"]: "sealed"}
    intent, sealed = chain(root, public, "mini")
    assert (root / "evidence/ledger/mini.jsonl").read_text().startswith(at_the_fault)
    assert at_the_fault.count("\n") == 1
    assert intent["scenario"] == "features/web.feature::It breaks"
    assert (sealed["outcome"], sealed["intent"]) == ("PASSED", intent["digest"])
    assert (record["signature"]["state"], record["signature"]["reason"]) == ("signed", None)
    assert ran.output.splitlines()[-1] == f"ledger mini: head 1 {sealed['digest']}"
    told = json.loads((root / "summary.json").read_text())["ledger"]
    assert told == [{"stream": "mini", "seq": 1, "head": sealed["digest"]}]

    # the collection imports nothing that signs; the baseline does, in the background: it is there after the fault
    started, *steps = (root / "imported").read_text().splitlines()
    assert started == "collected: []"
    assert [line.rpartition(": ")[2] == "[]" for line in steps[2:]] == [False, False, False], steps
    kept = [path for path in root.glob("evidence/**/*") if path.is_file()]
    assert not [path for path in kept if PASSPHRASE in path.read_text()]
    assert f"signed by the key {record['signature']['keyid'][:16]}" in page(root, sealed["folder"])
    check = ["sha256sum", "--strict", "--quiet", "-c", "../SHA256SUMS"]
    subprocess.run(check, cwd=root / "evidence" / sealed["folder"] / "content", check=True)


def page(root: Path, folder: str) -> str:
    return (root / "evidence" / folder / "content/report.html").read_text()
