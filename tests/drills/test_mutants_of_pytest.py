"""Mutants of pytest, its plugins and its hooks (mutants/machinery.py): each has a session of its own."""

from __future__ import annotations

import pytest

from .conftest import Mini
from .mutants import Mutant
from .mutants.alone import assert_that_it_does_not_pass
from .mutants.tables import parameters

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("mutant", parameters("machinery", shared=False))
def test_it_does_not_pass(mini: Mini, mutant: Mutant) -> None:
    assert_that_it_does_not_pass(mini, mutant)
