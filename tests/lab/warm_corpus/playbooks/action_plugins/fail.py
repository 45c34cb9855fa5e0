"""Takes the place of the built-in action `fail`, under its short name."""

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": False, "msg": "not the built-in one"}
