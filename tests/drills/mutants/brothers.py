"""For each kind of falsehood that once passed: further ones of the same kind, and the test that keeps each.

The mutants beside this file have one example of a kind, or more. A kind has brothers that nobody had named when it was
found; these were tried as well. A name behind `::` is that of the test, or stands in its file: a parameter, a task of
the play. tests/unit/test_brothers.py keeps this table true.
"""

from __future__ import annotations

_HOSTS, _DENIED = "tests/lab/test_undo_on_every_host.py", "tests/lab/test_playbook_denied.py"
_SPANS, _CONTROLS = "tests/unit/engine/test_spans.py", "tests/unit/engine/test_controls_looks.py"
_UNFINISHED, _SAID = "tests/lab/test_playbook_unfinished.py", "tests/lab/test_playbook_said.py"
_UNDO, _BOUNDS = "tests/unit/safety/test_undo.py", "tests/unit/engine/test_bounds.py"
_TIMES, _RESTORE = "tests/unit/engine/test_beginning.py", "tests/unit/engine/test_restore.py"
_PROVEN, _PROVE = "tests/drills/test_controls.py", "tests/unit/commands/test_prove.py"
_TRUTH = "tests/unit/target/ansible/test_conditions.py"

# fmt: off
BROTHERS: dict[str, dict[str, str]] = {
    "an undo that leaves a host broken": {
        "its play names fewer hosts": f"{_HOSTS}::a narrower pattern",
        "its pattern leaves one out": f"{_HOSTS}::a pattern that leaves it out",
        "its task for the other host is skipped": f"{_HOSTS}::delegated, and skipped",
        "the fault did not reach one to the end": f"{_HOSTS}::one that was not reached",
        "a ping is delegated to it": f"{_UNDO}::test_a_host_is_proven_by_no_task_that_only_reaches_it",
        "a debug is delegated to it": f"{_UNDO}::test_a_host_is_proven_by_no_task_that_runs_in_ansible_alone",
    },
    "a failure that is denied": {
        "by a variable": f"{_DENIED}::A command that is judged by a variable",
        "by what another task registered": f"{_DENIED}::A command that is judged by an earlier one",
        "an until that never came true": f"{_DENIED}::Its tries ran out",
        "an until that is never asked": f"{_DENIED}::Its until is never asked",
        "by a condition that cannot be true": f"{_DENIED}::A command whose failed_when cannot be true",
        "by one of a list that cannot be true": f"{_DENIED}::One of a list that cannot be true",
        "by whether it is registered": f"{_DENIED}::A command that asks whether it has registered",
        "of one item of a loop": f"{_DENIED}::Those of one item ran out",
        "a module that changes things and says that it looks":
            f"{_DENIED}::A module that changes things and says that it looks",
        "an action that only fails": f"{_DENIED}::An action that only fails and says that it looks",
    },
    "a time at which nobody looked": {
        "at the end of a hold window": f"{_SPANS}::test_a_criterion_that_nobody_watched_to_the_end_is_unknown",
        "what was always so": f"{_SPANS}::test_what_was_always_so_was_always_looked_at",
        "what a control never saw": f"{_SPANS}::test_what_a_control_never_saw_it_has_looked_for_all_the_time",
        "work that nobody submitted": f"{_SPANS}::test_a_balance_that_is_sound_only_because_nobody_submitted_is_unknown",
    },
    "a proof that is none, with status 0": {
        "only collected": f"{_PROVEN}::--collect-only",
        "only planned": f"{_PROVEN}::--plan",
        "a scenario of two": f"{_PROVE}::the drill itself was not run (and 1 more of 2 are not)",
        "pytest has written nothing": f"{_PROVE}::([], None, ",
    },
    "check mode that nobody sees": {
        "of one item": f"{_DENIED}::One item of two",
        "of a block": f"{_DENIED}::Not in check mode",
        "of a handler, in another strategy": f"{_DENIED}::A handler",
        "of a task that is included": f"{_DENIED}::Of an include that applies it",
        "of a role": f"{_DENIED}::Of a role",
        "on another host": f"{_DENIED}::On another host",
    },
    "a system that heals by itself": {
        "later than the drill's criterion took": f"{_CONTROLS}::test_what_heals_later_is_missed_all_the_same",
        "a criterion with a deadline": f"{_CONTROLS}::test_a_criterion_with_a_deadline_has_it_too",
        "a look of a step's own": f"{_CONTROLS}::test_a_look_of_a_steps_own_has_it_too",
    },
    "a process that outlives its play": {
        "the worker is killed": f"{_UNFINISHED}::def worker",
        "ansible-playbook is killed": f"{_UNFINISHED}::def play",
        "the module is killed": f"{_UNFINISHED}::def module",
        "its task took too long": f"{_UNFINISHED}::test_what_took_too_long_for_its_task_is_ended",
    },
    "a job that nobody waited for": {
        "it is looked for in another folder": f"{_UNFINISHED}::It is looked for in another folder",
        "its file is removed": f"{_UNFINISHED}::Its file is removed",
        "it is asked once": f"{_UNFINISHED}::It is asked once",
        "of a handler": f"{_UNFINISHED}::A handler goes on",
        "one of two items": f"{_UNFINISHED}::Nobody waits for one of two",
    },
    "an undo that is broken off": {
        "by Ctrl-C": f"{_UNDO}::KeyboardInterrupt()",
        "by an exit": f"{_UNDO}::SystemExit(3)",
        "by who is told of it": f"{_UNDO}::test_what_is_raised_while_it_is_told_stops_no_undo",
        "in the second or the third": f"{_UNDO}::[\"first\", \"second\", \"third\"]",
    },
    "a time that is only bounded": {
        "that of the symptom": f"{_BOUNDS}::test_a_symptom_that_was_first_looked_at_late_bounds_the_detection",
        "behind a gap of the prober": f"{_BOUNDS}::test_what_came_while_nobody_looked_is_bounded",
        "of one criterion of two": f"{_BOUNDS}::test_one_alone_bounds_it_too",
    },
    "an assertion of nothing": {
        "an empty list": f"{_TRUTH}::[],",
        "a filter of a literal": f"{_DENIED}::a filter",
        "a variable without a condition": f"{_DENIED}::an empty variable",
        "merged": f"{_DENIED}::merged",
        "by the defaults of modules": f"{_DENIED}::defaults",
        "a variable that stands in the playbook": f"{_DENIED}::a variable of the play",
        "a variable of the inventory": f"{_DENIED}::a variable of the inventory",
        "a variable that is nowhere": f"{_DENIED}::a variable that is nowhere",
        "a literal item": f"{_DENIED}::a literal item",
        "a literal item of an include": f"{_DENIED}::an item of an include",
        "a fact that was made of a literal": f"{_DENIED}::a fact that was made of a literal",
        "what a debug registered": f"{_DENIED}::what is only printed",
        "or what is always so": f"{_DENIED}::or true",
        "that it is registered": f"{_DENIED}::is defined",
        "a comparison with itself": f"{_DENIED}::itself",
    },
    "a pattern that matched in part": {
        "of two parts with a colon": f"{_SAID}::web-1:webb",
        "what it leaves out is misspelt": f"{_SAID}::web-1:!web-22",
        "a wildcard": f"{_SAID}::web-1,wib*",
        "Ansible is told to say nothing": f"{_SAID}::IGNORED",
    },
    "a change that is none": {
        "a ping that says so": f"{_SAID}::ansible.builtin.ping",
        "a look at a file": f"{_SAID}::ansible.builtin.stat",
        "a module of facts": f"{_SAID}::ansible.builtin.service_facts",
        "a module of one's own that only informs": f"{_SAID}::our_info",
    },
    "times of another drill": {
        "with other steps": f"{_TIMES}::ArtefactKind.STEPS",
        "with another playbook": f"{_TIMES}::ArtefactKind.PLAYBOOK",
        "with another role": f"{_TIMES}::ArtefactKind.ROLE",
        "of another environment": f"{_TIMES}::test_a_drill_of_another_environment_says_nothing_of_this_one",
    },
    "a scenario that is tagged as a drill and is none": {
        "it may run in production": "tests/unit/pytest_plugin/collecting/test_refusals.py::production-safe",
        "it has a limit for its plays": "tests/unit/pytest_plugin/collecting/test_refusals.py::play-timeout:4h",
        "it has a limit for its undo": "tests/unit/pytest_plugin/collecting/test_refusals.py::undo-timeout:1h",
    },
    "a record that contradicts its verdict": {
        "restored, and it is not": f"{_RESTORE}::test_what_was_not_put_back_has_no_moment_at_which_it_was",
        "a baseline that broke again": f"{_RESTORE}::test_a_baseline_that_does_not_hold_again_is_not_restored",
        "a full disk hides a fault": f"{_RESTORE}::test_on_a_full_disk_the_fault_that_stays_is_named_first",
        "a closed terminal": f"{_RESTORE}::test_a_terminal_that_is_closed_does_not_break_what_is_proven_whole",
    },
}
# fmt: on
