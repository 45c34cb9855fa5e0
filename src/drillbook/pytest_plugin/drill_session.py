"""The one DrillSession of a pytest session, made from its options, variables and ini.

The rule: an option wins over a variable, and a variable over the ini.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drillbook.engine.session import DrillSession

session_key = pytest.StashKey["DrillSession"]()


def drill_session(config: pytest.Config) -> DrillSession:
    """The session's shared parts, made when the first drill asks. Raises DrillbookError."""
    if session_key not in config.stash:
        # with it come Ansible's and the probes' imports: a session without a drill does not wait for those
        from drillbook.pytest_plugin import drilling

        config.stash[session_key] = drilling.new_session(config)
    return config.stash[session_key]
