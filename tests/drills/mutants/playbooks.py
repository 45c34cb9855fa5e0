"""Playbooks that Ansible calls successful although they did not do, or did not show, what they are for.

Variants of one rule are tried on the play alone, in tests/lab/test_playbook_real.py.
"""

from __future__ import annotations

from tests.drills.conftest import Mini

from . import GOOD, INVALID, NOT_RECOVERED, NOT_RESTORED, Edit, Mutant, added, feature, gone, swapped

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
    Mutant("recovery is filtered", "The tags of an ansible.cfg leave it out.", NOT_RECOVERED, f"{NOTHING}|{NOBODY}",
           added("ansible.cfg", "[tags]\nskip = slow\n"), keyword(FIX, ABSENT, "tags: slow"), alone=True),
    Mutant("recovery ignores", "ignore_errors.", NOT_RECOVERED, "and ignored",
           task(FIX, FAILING, "ignore_errors: true")),
    Mutant("recovery denies", "failed_when: false.", NOT_RECOVERED, "and denied",
           task(FIX, FAILING, "failed_when: false")),
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
    Mutant("undo asserts nothing", "that: true.", NOT_RESTORED, "names no variable",
           swapped(UNDO, "that: not it.stat.exists", "that: true")),
)
# fmt: on
