"""How the diagnosis asks the manager of a worker: with the variables of the role `service`, whichever it is."""

from __future__ import annotations

from typing import Any

import pytest
from steps._bullmq import status_command

from drillbook.errors import CouldNotLookError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("manager", "known", "command"),
    [
        (
            "supervisor",
            {"drillbook_supervisor_ctl": "/srv/ctl", "drillbook_supervisor_conf": "/srv/conf"},
            "/srv/ctl -c /srv/conf status shop",
        ),
        ("systemd", {}, "systemctl show --property=ActiveState,SubState,MainPID shop"),
        ("pm2", {}, "pm2 pid shop"),
        (
            "pm2",
            {"drillbook_pm2": "/srv/pm2", "drillbook_pm2_home": "/srv/home"},
            "env PM2_HOME=/srv/home /srv/pm2 pid shop",
        ),
        ("compose", {}, "docker compose --file compose.yml ps --all shop"),
        ("compose", {"drillbook_compose_file": "/srv/c.yml"}, "docker compose --file /srv/c.yml ps --all shop"),
    ],
)
def test_the_manager_is_asked_as_the_role_asks_it(manager: str, known: dict[str, Any], command: str) -> None:
    asked = status_command({**known, "drillbook_service_manager": manager}, "shop")
    assert " ".join(asked) == command


def test_a_manager_that_nobody_knows_is_said() -> None:
    with pytest.raises(CouldNotLookError, match="no way to ask 'runit' for the service shop"):
        status_command({"drillbook_service_manager": "runit"}, "shop")
