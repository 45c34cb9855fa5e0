"""Data that is destroyed in a scenario which does not say how much may be lost, or of which nobody counts it."""

from __future__ import annotations

from . import ABORTED, GOOD, INVALID, REFUSED, Mutant, added, body, feature, swapped, tagged

FIX = "playbooks/recovery/fix.yml"
UNTAGGED = r"and\s+the\s+scenario\s+'It\s+breaks.*does\s+not\s+accept\s+that"
FLUSH = "    - name: Empty\n      ansible.builtin.command: redis-cli FLUSHALL\n"
LOOP = ("for name in [name]:", "    while name:", "        drill.recover(name)", "        name = ''")

# fmt: off
DATALOSS = (
    Mutant("nobody accepts what is declared", "The tag is missing.", ABORTED, rf"(?s)recovery/\w+.yml:3:.*{UNTAGGED}",
           swapped(FIX, "hosts: all\n", "hosts: all\n  vars: {drillbook_destroys_data: true}\n")),
    Mutant("nobody accepts a known command", "The tag is missing.", ABORTED, rf"(?s)recovery/\w+.yml:8:.*{UNTAGGED}",
           added(FIX, FLUSH)),
    Mutant("nobody accepts what is included", "The tag is missing.", ABORTED, rf"(?s)more.yml:2:.*{UNTAGGED}",
           added("playbooks/more.yml", "- name: Empty\n  ansible.builtin.command: redis-cli flushdb\n"),
           added(FIX, "    - ansible.builtin.include_tasks: ../more.yml\n"), alone=True),
    Mutant("nobody accepts what the undo destroys", "The tag is missing.", ABORTED, rf"(?s)undo.yml:6:.*{UNTAGGED}",
           swapped("playbooks/faults/breakage/undo.yml", "  tasks:\n", f"  tasks:\n{FLUSH.replace('Empty', 'FLUSH')}")),
    Mutant("nobody knows before what is run", "The step loops, and is not followed.", ABORTED,
           rf"(?s)recovery/\w+.yml:8:.*{UNTAGGED}", added(FIX, FLUSH), body("run", *LOOP)),
    Mutant("a refusal is swallowed", "The step goes on.", ABORTED, rf"(?s)recovery/\w+.yml:8:.*{UNTAGGED}",
           added(FIX, FLUSH), body("run", *LOOP[:2], "        try:", "            drill.recover(name)",
                                   "        except Exception:", "            drill.leave_alone()", "        name = ''")),
    Mutant("nobody counts what is lost", "No work is submitted.", INVALID, "nobody counted what was lost",
           swapped(FIX, "hosts: all\n", "hosts: all\n  vars: {drillbook_destroys_data: true}\n"),
           feature(*GOOD, tags="@rto:1m @accepts-data-loss:5")),
    Mutant("count is no number", "Some.", REFUSED, "'some' is no number of jobs", tagged("@accepts-data-loss:some")),
    Mutant("count is left out", "How many?", REFUSED, "'' is no number of jobs", tagged("@accepts-data-loss")),
    Mutant("count is below zero", "Fewer than none.", REFUSED, "'-1' is no number", tagged("@accepts-data-loss:-1")),
    Mutant("count is a formula", "At most.", REFUSED, "'<5' is no number", tagged("@accepts-data-loss:<5")),
    Mutant("count is given twice", "Which of them?", REFUSED, "is given twice here",
           tagged("@accepts-data-loss:5 @accepts-data-loss:6")),
    Mutant("acceptance is misspelt", "It would accept nothing.", REFUSED, "accepts no loss: write @accepts-data-loss:",
           tagged("@accept_data_loss:5")),
)
# fmt: on
