"""Leaves one task out of a run: DRILLBOOK_WITHOUT_TASK holds its `FILE:LINE`, with an absolute path.

It is a callback, because every strategy hands callbacks the very task before a worker gets it. The plugin gives the
task a false condition. All hosts see it, and the result says `skipped`, so that nothing is left out in silence.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: drillbook_without_task
type: aggregate
short_description: Leave one task out of a run
description: The task at the file and line that the environment variable DRILLBOOK_WITHOUT_TASK names is skipped.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Gives the named task a condition that is never met."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "drillbook_without_task"

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        left_out = os.environ.get("DRILLBOOK_WITHOUT_TASK")
        if left_out and task.get_path() == left_out:
            task.when = [False]

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, is_conditional=False)
