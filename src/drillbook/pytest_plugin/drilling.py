"""The parts of the engine that only a session with a drill needs. Importing this costs 0.1 s, which no other session
pays.

The rule: hooks import this module when the first drill begins, and nothing of the engine before.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillbook.engine.failures import DrillFailure, NotRestored
from drillbook.engine.lifecycle import DrillLife
from drillbook.engine.session import DrillSession
from drillbook.evidence.render.worker import write_report
from drillbook.evidence.sealing.key_source import key_source
from drillbook.model.record import LeftOutRecord, PopulationRecord
from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.collecting.collection import population_key
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.named import REQUIRE_SIGNED, inventory_paths
from drillbook.pytest_plugin.options import evidence_root, time_limits
from drillbook.pytest_plugin.output.live_output import out_key
from drillbook.repository.decision_table import table_of
from drillbook.repository.plan.dry_step import named_playbooks
from drillbook.target.probing.prerequisites import distinct_names

__all__ = ["DrillFailure", "NotRestored", "new_life", "new_session"]


def new_session(config: pytest.Config) -> DrillSession:
    """The parts that the drills of this session share. Raises DrillbookError."""
    inventory, *further = inventory_paths(config)
    made = DrillSession(
        root=config.rootpath,
        inventory_path=inventory,
        further_inventories=tuple(further),
        evidence_root=evidence_root(config),
        allow_production=config.getoption("--allow-production"),
        people=distinct_names(config.getoption("--present") or [os.environ.get("DRILLBOOK_PRESENT", "")]),
        pass_env=tuple(config.getini("drillbook_pass_env")),
        time_limits=time_limits(config),
        key=key_source(config.getini, config.rootpath),
        require_signed=REQUIRE_SIGNED in config.getini("drillbook_require"),
        proves=bool(config.getoption("--prove")),
        listener=config.stash.get(out_key, lambda _event: None),
        warm=config.stash.get(warm_ansible.warm_key, None),
        write_report=write_report if config.getini("drillbook_report") else None,
        population=lambda: _population(config),
        decisions=lambda: table_of(config.rootpath),
    )
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        made.id = workerinput["testrunuid"]  # drills of one xdist run wait for each other
    return made


KEEP_IDS = 100


def _population(config: pytest.Config) -> PopulationRecord | None:
    """The drills of the session, and which of them will not run, and why."""
    population = config.stash.get(population_key, {})
    if not population:
        return None
    rows = [LeftOutRecord(nodeid, why) for nodeid, why in population.items() if why is not None]
    collected = len(population)
    return PopulationRecord(collected, collected - len(rows), len(rows), rows[:KEEP_IDS])


def new_life(session: DrillSession, item: ScenarioItem) -> DrillLife:
    """The drill of this item, before its begin."""

    def acts() -> tuple[str, ...]:
        return named_playbooks(item.run, session.root, session.inventory)

    def steps() -> set[Path]:
        return {session.root / each.location.rpartition(":")[0] for each in item.run.definitions}

    return DrillLife(session, item.scenario, acts, steps)
