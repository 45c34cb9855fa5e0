"""The one DrillSession of a pytest session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.live_output import out_key
from drillbook.pytest_plugin.options import inventory_path

if TYPE_CHECKING:
    from drillbook.engine.session import DrillSession

session_key = pytest.StashKey["DrillSession"]()


def drill_session(config: pytest.Config) -> DrillSession:
    """The session's shared parts, made when the first drill asks. Raises DrillbookError."""
    if session_key not in config.stash:
        from drillbook.engine.session import DrillSession
        from drillbook.evidence.render.worker import write_report
        from drillbook.target.probing.prerequisites import distinct_names

        asked = config.getoption("--evidence")
        evidence = (
            config.invocation_params.dir / asked
            if asked
            else config.rootpath / str(config.getini("drillbook_evidence"))
        )
        made = DrillSession(
            root=config.rootpath,
            inventory_path=inventory_path(config),
            evidence_root=evidence.absolute(),
            allow_production=config.getoption("--allow-production"),
            people=distinct_names(config.getoption("--present") or [os.environ.get("DRILLBOOK_PRESENT", "")]),
            pass_env=tuple(config.getini("drillbook_pass_env")),
            listener=config.stash.get(out_key, lambda _event: None),
            warm=config.stash.get(warm_ansible.warm_key, None),
            write_report=write_report,
        )
        workerinput = getattr(config, "workerinput", None)
        if workerinput is not None:
            made.id = workerinput["testrunuid"]  # drills of one xdist run wait for each other
        config.stash[session_key] = made
    return config.stash[session_key]
