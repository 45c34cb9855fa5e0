"""Playbooks that Ansible calls successful although they did not do, or did not show, what they are for.

Variants of one rule are tried on the play alone, in tests/lab/test_playbook_real.py.
"""

from __future__ import annotations

from tests.drills.conftest import Mini

from . import GOOD, INVALID, NOT_RECOVERED, NOT_RESTORED, Edit, Mutant, added, conftest, feature, gone, swapped

INJECT, UNDO = "playbooks/faults/breakage/inject.yml", "playbooks/faults/breakage/undo.yml"
FIX = "playbooks/recovery/fix.yml"
ABSENT = 'ansible.builtin.file: {path: "{{ flag }}", state: absent}'
SET = 'ansible.builtin.file: {path: "{{ flag }}", state: touch, mode: "0644", modification_time: preserve, access_time: preserve}'
ASSERT = "ansible.builtin.assert: {that: not it.stat.exists}"
FAILING = 'ansible.builtin.command: "false"'
CHECK_MODE, NOBODY, NOTHING = "ran in check mode", "(?i:no host matched|matched no host)", "changed nothing"
NO_PROOF = "does not end with an assertion"


def keyword(path: str, module: str, text: str) -> Edit:
    """A keyword of a task."""
    return swapped(path, module, f"{module}\n      {text}")


def task(path: str, module: str, text: str = "vars: {}") -> Edit:
    """One task more at the end of a playbook, with a keyword."""
    return added(path, f"    - name: One more\n      {module}\n      {text}\n")


def nobody(path: str) -> Edit:
    """The playbook is for a group without hosts."""

    def edit(mini: Mini) -> None:
        mini.replace("inventories/hosts.yml", "  hosts:\n", "  children:\n    nobody:\n  hosts:\n")
        mini.replace(path, "hosts: all", "hosts: nobody")

    return edit


TWO_HOSTS = swapped("inventories/hosts.yml", "    web-1:\n", "    web-1:\n    web-2:\n")
BOTH_BREAK = swapped(
    INJECT,
    "    - name: The flag is set\n",
    "    - name: It is noted\n      ansible.builtin.file: "
    '{path: "{{ flag }}.{{ inventory_hostname }}", state: touch, mode: "0600"}\n'
    "    - name: The flag is set\n",
)
LOOK = 'ansible.builtin.set_fact: {it: {stat: {exists: "{{ flag is exists }}"}}}'
INTERRUPTED = """\
from drillbook.target.ansible.playbooks import Playbooks

run, undone = Playbooks.run, []


def interrupted(self, playbook, *args, **options):
    if playbook.name == "undo.yml" and not undone:
        undone.append(playbook)
        pytest.fail("Timeout from another plugin")
    return run(self, playbook, *args, **options)


Playbooks.run = interrupted
"""
RESCUED = f"""\
    - name: One more
      block:
        - name: Fails
          {FAILING}
      rescue:
        - name: Nothing
          ansible.builtin.debug: {{msg: x}}
"""

# fmt: off
PLAYBOOKS = (
    # ---- the fault
    Mutant("fault in check mode", "It only pretends.", INVALID, CHECK_MODE, keyword(INJECT, SET, "check_mode: true")),
    Mutant("fault matches no host", "The group is empty.", INVALID, NOBODY, nobody(INJECT), alone=True),
    Mutant("fault changes nothing", "It only looks.", INVALID, NOTHING, swapped(INJECT, SET, "ansible.builtin.debug:")),
    Mutant("fault changes what Ansible remembers", "A host is added.", INVALID, NOTHING,
           swapped(INJECT, SET, "ansible.builtin.add_host: {name: late}")),
    Mutant("fault in check mode on two lines", "The name hides it.", INVALID, CHECK_MODE,
           swapped(INJECT, "name: The flag is set", 'name: "The flag\\nis set"'), keyword(INJECT, SET, "check_mode: true")),
    Mutant("fault goes on in the background", "async, and nobody waits.", INVALID, "nobody waited for its end",
           task(INJECT, "ansible.builtin.command: sleep 900", "async: 900\n      poll: 0")),
    Mutant("fault loses its module", "It is killed in the middle.", INVALID, "Failed: .One more.",
           task(INJECT, "ansible.builtin.shell: (sleep 900; touch {{ flag }}.late) & kill -9 $PPID; wait")),
    Mutant("fault breaks nothing", "It changes something else.", INVALID, "required no healthy answer",
           swapped(INJECT, '"{{ flag }}"', '"{{ flag }}.other"'),
           feature(*GOOD[:2], "Then within 1 second the service is down", *GOOD[3:])),
    Mutant("broken before", "It was ill before the drill.", INVALID, "observed status 503",
           added("flag", "x"), broken=True, alone=True),
    # ---- the recovery
    Mutant("recovery in check mode", "The play only pretends.", NOT_RECOVERED, CHECK_MODE,
           swapped(FIX, "  gather_facts: false\n", "  gather_facts: false\n  check_mode: true\n")),
    Mutant("recovery matches no host", "The group is empty.", NOT_RECOVERED, NOBODY, nobody(FIX), alone=True),
    Mutant("recovery changes nothing", "Its task is skipped.", NOT_RECOVERED, NOTHING,
           keyword(FIX, ABSENT, "when: false")),
    Mutant("recovery is filtered", "The tags of an ansible.cfg leave it out.", NOT_RECOVERED, "No task ran: .* tags left them out",
           added("ansible.cfg", "[tags]\nskip = slow\n"), keyword(FIX, ABSENT, "tags: slow"), alone=True),
    Mutant("recovery ignores", "ignore_errors.", NOT_RECOVERED, "and ignored",
           task(FIX, FAILING, "ignore_errors: true")),
    Mutant("recovery denies", "failed_when: false.", NOT_RECOVERED, "and denied",
           task(FIX, FAILING, "failed_when: false")),
    Mutant("recovery denies by what cannot be", "it.rc == 1 and false.", NOT_RECOVERED, "and denied",
           task(FIX, FAILING, "register: it\n      failed_when: it.rc == 1 and false")),
    Mutant("recovery denies an assertion", "By a condition that looks elsewhere.", NOT_RECOVERED, "and denied",
           task(FIX, "ansible.builtin.assert: {that: flag is exists}", "failed_when: flag is exists")),
    Mutant("recovery goes on in the background", "It fails there.", NOT_RECOVERED, "nobody waited for its end",
           task(FIX, FAILING, "async: 60\n      poll: 0")),
    Mutant("recovery names a host in part", "Ansible passes over the one that is misspelt.", INVALID,
           "Could not match supplied host pattern", swapped(FIX, "hosts: all", "hosts: all,web-22"),
           added("ansible.cfg", "[inventory]\nhost_pattern_mismatch = error\n"), alone=True),
    Mutant("recovery ends before its tasks", "It is no group without hosts.", NOT_RECOVERED, "it ended before them",
           swapped(FIX, "  tasks:\n", "  tasks:\n    - ansible.builtin.meta: end_play\n")),
    Mutant("recovery has no strategy", "The plugin is not installed.", NOT_RECOVERED, "Invalid play strategy",
           swapped(FIX, "  gather_facts: false\n", "  gather_facts: false\n  strategy: mitogen_linear\n")),
    Mutant("recovery rescues", "A block with rescue.", NOT_RECOVERED, "and rescued", added(FIX, RESCUED)),
    Mutant("recovery fails half-way", "What it did was enough.", NOT_RECOVERED, 'Failed: "One more"',
           task(FIX, FAILING)),
    Mutant("recovery does something else", "The service stays down.", NOT_RECOVERED, "observed status 503, required",
           swapped(FIX, "state: absent}", 'state: file, mode: "0600"}'),
           feature(*GOOD[:4], "Then within 1 second the service is up")),
    Mutant("recovery is not there", "No such playbook.", INVALID, "names a recovery that is not there", gone(FIX)),
    # ---- the undo
    Mutant("undo is not there", "Nobody could put it back.", INVALID, r"no playbooks/faults/\w+/undo\.yml",
           gone(UNDO)),
    Mutant("undo in check mode", "It only pretends.", NOT_RESTORED, CHECK_MODE,
           keyword(UNDO, ABSENT, "check_mode: true")),
    Mutant("undo matches no host", "The group is empty.", NOT_RESTORED, NOBODY, nobody(UNDO)),
    Mutant("undo fails", "Its assertion does not hold.", NOT_RESTORED, "Assertion failed",
           swapped(UNDO, "that: not", "that:")),
    Mutant("undo shows nothing", "No assertion.", NOT_RESTORED, NO_PROOF,
           swapped(UNDO, ASSERT, "ansible.builtin.debug:")),
    Mutant("undo skips its proof", "when: false.", NOT_RESTORED, NO_PROOF, keyword(UNDO, ASSERT, "when: false")),
    Mutant("undo goes on after its proof", "It may break again.", NOT_RESTORED, NO_PROOF,
           task(UNDO, "ansible.builtin.debug:")),
    Mutant("undo asserts nothing", "that: true.", NOT_RESTORED, "looks at nothing",
           swapped(UNDO, "that: not it.stat.exists", "that: true")),
    Mutant("undo asserts nothing by args", "that: true, written elsewhere.", NOT_RESTORED, "looks at nothing",
           swapped(UNDO, ASSERT, "ansible.builtin.assert:\n      args: {that: true}")),
    Mutant("undo asserts what was known before", "A variable that somebody wrote down.", NOT_RESTORED, "looks at nothing",
           swapped(UNDO, ASSERT, "ansible.builtin.assert: {that: flag is defined and so}\n      vars: {so: true}")),
    Mutant("undo asserts what is always so", "or true.", NOT_RESTORED, "looks at nothing",
           swapped(UNDO, "that: not it.stat.exists", "that: not it.stat.exists or true")),
    Mutant("undo denies its proof", "failed_when: false.", NOT_RESTORED, "and denied",
           swapped(UNDO, "that: not", "that:"), keyword(UNDO, "{that: it.stat.exists}", "failed_when: false")),
    Mutant("undo passes a host over", "run_once.", NOT_RESTORED, "proved nothing on web-2, which the fault changed",
           TWO_HOSTS, BOTH_BREAK, *(keyword(UNDO, module, "run_once: true") for module in (ABSENT, LOOK, ASSERT))),
    Mutant("undo is interrupted", "By the time-out of another plugin.", NOT_RESTORED, "Timeout from another plugin",
           conftest(INTERRUPTED)),
)
# fmt: on
