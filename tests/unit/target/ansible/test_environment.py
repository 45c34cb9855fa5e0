"""What every ansible-playbook of Drillbook is started with."""

from __future__ import annotations

import pytest

from drillbook.target.ansible import run
from drillbook.target.ansible.environment import PLUGINS

pytestmark = pytest.mark.unit


def test_its_own_plugins_lie_where_ansible_is_told() -> None:
    assert (PLUGINS / "action" / "drillbook_variables.py").is_file()
    assert (run._WITHOUT_TASK / "drillbook_without_task.py").is_file()
