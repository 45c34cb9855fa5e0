"""The one DrillSession of a pytest session, made from its options, variables and ini.

The rule: an option wins over a variable, and a variable over the ini.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drillbook.errors import DrillbookError
from drillbook.pytest_plugin.collecting.hiding import drills_key
from drillbook.pytest_plugin.warm_ansible import warm_key

if TYPE_CHECKING:
    from drillbook.engine.session import DrillSession
    from drillbook.evidence.redaction import Redactor

session_key = pytest.StashKey["DrillSession"]()


def drill_session(config: pytest.Config) -> DrillSession:
    """The session's shared parts, made when the first drill asks. Raises DrillbookError."""
    if session_key not in config.stash:
        # this brings the imports of Ansible and the probes: a session without a drill does not wait for them
        from drillbook.pytest_plugin import drilling

        config.stash[session_key] = drilling.new_session(config)
    return config.stash[session_key]


_asked_key = pytest.StashKey[bool]()


def known_secrets(config: pytest.Config) -> Redactor | None:
    """A function that takes the inventory's secrets out of a text; None without drills.

    It resolves the inventory once.
    """
    if (config.stash.get(drills_key, False) or warm_key in config.stash) and not config.stash.get(_asked_key, False):
        config.stash[_asked_key] = True
        with suppress(DrillbookError):  # the first drill says what is wrong with it
            _ = drill_session(config).inventory
    return config.stash[session_key].redactor if session_key in config.stash else None
