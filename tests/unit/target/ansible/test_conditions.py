"""A condition that names no variable has looked at nothing; what cannot be read is taken for a real one."""

from __future__ import annotations

import pytest

from drillbook.target.ansible.inside.conditions import looks_at_nothing

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "said",
    [
        False,
        None,
        1,
        "1 == 2",
        "{{ false }}",
        [False, "1 is sameas 2"],
        "'a' is string",
        [True, "1 == 1"],
        [],
    ],
)
def test_nothing_is_looked_at(said: object) -> None:
    assert looks_at_nothing(said)


@pytest.mark.parametrize(
    "said",
    [
        "no",  # the name of a variable, since this is no YAML
        "it.rc not in [0, 3]",
        "{{ never }}",
        [False, "it.rc == 2"],
        "lookup('pipe', 'true') == 'x'",
        "((",
        b"a value that is no text, as a vaulted one",
    ],
)
def test_something_is_looked_at(said: object) -> None:
    assert not looks_at_nothing(said)
