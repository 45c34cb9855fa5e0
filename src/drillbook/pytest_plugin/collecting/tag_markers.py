"""Tags of a feature as pytest's markers, so that `-m` selects by them.

The rule: each tag becomes a marker, with `_` for each character that is neither letter nor digit: `@row:R1` is `-m
row_R1`, `@rto:10m` is `-m rto_10m`, `@runbook:redis.md#restore` is `-m runbook_redis_md_restore`. A tag of letters,
digits, `-` and `.` is also a marker as it stands: `-m production-safe`. `Scenario.tags` has the tags as written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from drillbook.model.tags import slug

_markers_key = pytest.StashKey[set[str]]()


def apply_tag(config: pytest.Config, tag: str, function: Callable[..., object]) -> None:
    """Mark the function with the tag, unless a `pytest_bdd_apply_tag` of the user's does."""
    # pytest-bdd's own takes the tag for the name of a marker, which cannot hold a colon.
    others = config.pluginmanager.subset_hook_caller("pytest_bdd_apply_tag", [sys.modules.get("pytest_bdd.plugin")])
    if others(tag=tag, function=function):
        return
    # no marker of pytest's begins with an underscore
    as_it_stands = re.fullmatch(r"[\w.-]+", tag) and not tag.startswith("_")
    for name in {tag, slug(tag)} if as_it_stands else {slug(tag)}:
        known = config.stash.setdefault(_markers_key, set())
        if name not in known:
            known.add(name)
            config.addinivalue_line("markers", f"{name}: the tag @{tag} of a feature")
        getattr(pytest.mark, name)(function)
