"""What only a session with a drill needs of the engine: importing this costs 0.1 s, which no other session pays.

The rule: hooks import this module when the first drill begins, and nothing of the engine before.
"""

from __future__ import annotations

import os

import pytest

from drillbook.engine.failures import DrillFailure, NotRestored
from drillbook.engine.lifecycle import DrillLife
from drillbook.engine.session import DrillSession
from drillbook.evidence.render.worker import write_report
from drillbook.model.phases import StepKind
from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.options import inventory_paths, time_limits
from drillbook.pytest_plugin.output.live_output import out_key
from drillbook.repository.plan.dry_step import intents
from drillbook.target.probing.prerequisites import distinct_names

__all__ = ["DrillFailure", "NotRestored", "new_life", "new_session"]


def new_session(config: pytest.Config) -> DrillSession:
    """The parts that the drills of this session share. Raises DrillbookError."""
    asked = config.getoption("--evidence")
    evidence = (
        config.invocation_params.dir / asked if asked else config.rootpath / str(config.getini("drillbook_evidence"))
    )
    inventory, *further = inventory_paths(config)
    made = DrillSession(
        root=config.rootpath,
        inventory_path=inventory,
        further_inventories=tuple(further),
        evidence_root=evidence.absolute(),
        allow_production=config.getoption("--allow-production"),
        people=distinct_names(config.getoption("--present") or [os.environ.get("DRILLBOOK_PRESENT", "")]),
        pass_env=tuple(config.getini("drillbook_pass_env")),
        time_limits=time_limits(config),
        proves=bool(config.getoption("--prove")),
        listener=config.stash.get(out_key, lambda _event: None),
        warm=config.stash.get(warm_ansible.warm_key, None),
        write_report=write_report,
    )
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        made.id = workerinput["testrunuid"]  # drills of one xdist run wait for each other
    return made


def new_life(session: DrillSession, item: ScenarioItem) -> DrillLife:
    """The drill that this item is, before its begin."""

    def acts() -> list[tuple[StepKind, str]]:
        return [(intent.kind, intent.name) for intent in intents(item.run, session.root, session.inventory)]

    return DrillLife(session, item.scenario, acts)
