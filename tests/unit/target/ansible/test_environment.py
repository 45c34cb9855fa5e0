"""What every ansible-playbook of Drillbook is started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillbook.target.ansible.environment import PLUGINS, callbacks

pytestmark = pytest.mark.unit


def test_its_own_plugins_lie_where_ansible_is_told() -> None:
    assert (PLUGINS / "action" / "drillbook_variables.py").is_file()
    _of_runner, ours = callbacks("/of/ansible-runner").split(os.pathsep)
    assert {"drillbook_notes.py", "drillbook_without_task.py"} <= {path.name for path in Path(ours).iterdir()}
