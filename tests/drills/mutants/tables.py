"""All mutants, as the parameters of their tests."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from . import Mutant
from .dataloss import DATALOSS
from .histories import HISTORIES
from .machinery import MACHINERY
from .playbooks import PLAYBOOKS
from .shared import SHARING
from .steps import STEPS
from .surroundings import SURROUNDINGS

TABLES = {
    "steps": STEPS,
    "dataloss": DATALOSS,
    "histories": HISTORIES,
    "machinery": MACHINERY,
    "playbooks": PLAYBOOKS,
    "surroundings": SURROUNDINGS,
}
MIXED = ("steps", "dataloss", "playbooks", "histories")
"""The tables of which some share a session: the others edit what all of it is run by."""
SHARED = [
    mutant
    for subject in MIXED
    for mutant in TABLES[subject]
    if mutant.ends in SHARING and not mutant.alone and not mutant.args
]


def parameters(*tables: str, shared: bool) -> list[ParameterSet]:
    """The mutants of these tables that share a session, or those that have one of their own."""
    return [
        pytest.param(mutant, id=f"{subject}-{mutant.name.replace(' ', '-')}")
        for subject in tables
        for mutant in TABLES[subject]
        if (mutant in SHARED) is shared
    ]


def name_of(mutant: Mutant) -> str:
    """Its name among those that share: no word of a reason is in it."""
    return f"m{SHARED.index(mutant):03}"
