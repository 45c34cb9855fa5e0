"""An Ansible action plugin that writes all variables of all hosts into one private file.

One task serves the whole inventory, because a task per host costs a process per host. `inside/variables.py` resolves
the variables, also without a play.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]

from drillbook.target.ansible.inside.variables import resolved


class ActionModule(ActionBase):  # type: ignore[misc]
    """`drillbook_variables: {dest: FILE}`; run it once, it looks at every host."""

    _requires_connection = False
    _VALID_ARGS = frozenset({"dest"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        known = resolved(task_vars["hostvars"], task_vars, self._templar)
        written = os.open(self._task.args["dest"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(written, "w", encoding="utf-8") as file:
            json.dump(known, file)
        return result | {"changed": False}
