"""The machines of a session: brought up once, and gone without a trace at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .support import Machines, machines_that_leave_nothing


@pytest.fixture(scope="package")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Machines that are up; what one test breaks, it puts back."""
    with machines_that_leave_nothing(tmp_path_factory.mktemp("machines")) as found:
        yield found
