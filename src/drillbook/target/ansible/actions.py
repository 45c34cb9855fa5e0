"""What the modules of Ansible can do, by their names.

The rule: what a module can do does not depend on what its task says of itself (`changed_when`).
"""

from __future__ import annotations


def _built_in(*names: str) -> frozenset[str]:
    """The modules of these names, under each name that Ansible has for them."""
    return frozenset(f"{place}{name}" for place in ("ansible.builtin.", "ansible.legacy.", "") for name in names)


ASSERTIONS = _built_in("assert")
"""The names of the module that must end an undo."""
FAILING = ASSERTIONS | _built_in("fail")
"""Modules whose only work is to fail: nobody may deny that."""
_MEMORY = (
    ASSERTIONS
    | FAILING
    | _built_in(
        "add_host", "debug", "fetch", "gather_facts", "group_by", "import_playbook", "import_role", "import_tasks"
    )
    | _built_in("include_role", "include_tasks", "include_vars", "meta", "pause", "set_fact", "set_stats", "setup")
    | _built_in("validate_argument_spec")
    | {"ansible.utils.update_fact"}
)
"""They change only Ansible's own memory, its own machine, or nothing."""
_LOOKING = _built_in("find", "getent", "ping", "slurp", "stat", "wait_for", "wait_for_connection") | {
    "ansible.windows.slurp",
    "ansible.windows.win_find",
    "ansible.windows.win_ping",
    "ansible.windows.win_stat",
    "ansible.windows.win_wait_for",
}
"""They look at a host, and change nothing there."""
_LOOKING_BY_NAME = ("_facts", "_info", "_ping")
"""How Ansible's collections name the modules that only look."""
_AS_WRITTEN = _built_in("command", "expect", "raw", "script", "shell", "uri") | {
    "ansible.windows.win_command",
    "ansible.windows.win_shell",
    "ansible.windows.win_uri",
}
"""They change something or look; only who wrote the task knows which."""


_CONNECTING = _built_in("ping", "wait_for_connection") | {"ansible.windows.win_ping"}
"""They show that a host can be reached, and nothing of it."""


def looks(action: str) -> bool:
    """Whether this module looks at a host, and cannot change it."""
    return action in _LOOKING or (action.endswith(_LOOKING_BY_NAME) and action not in _MEMORY)


def acts(action: str) -> bool:
    """Whether this module can change something besides Ansible's own memory."""
    return action not in _MEMORY and not looks(action)


def reaches(action: str) -> bool:
    """Whether this module runs on a host, and not in Ansible alone."""
    return action not in _MEMORY or action.rpartition(".")[2] in {"setup", "gather_facts", "fetch"}


def sees(action: str) -> bool:
    """Whether this module runs on a host, and does more there than to reach it."""
    return reaches(action) and action not in _CONNECTING


def may_look(action: str) -> bool:
    """Whether a task of this module can be one that only looks."""
    return action in _AS_WRITTEN or not acts(action)
