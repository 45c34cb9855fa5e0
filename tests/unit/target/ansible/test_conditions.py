"""A condition that names no variable has looked at nothing; what cannot be read is taken for a real one."""

from __future__ import annotations

import pytest

from drillbook.target.ansible.inside.conditions import looks_at, looks_at_nothing

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


@pytest.mark.parametrize(
    ("said", "its_own"),
    [
        ("it.rc not in [0, 3]", True),
        ([False, "it is failed"], True),
        ("{{ it.rc == 3 }}", True),
        ("((", True),  # nobody can read it
        (b"a vaulted one", True),
        (False, False),
        ("never", False),
        ("item.rc == 2", False),
        (["never", "inventory_hostname == 'it'"], False),
        ([], False),
    ],
)
def test_only_what_names_what_its_task_registers_looks_at_it(said: object, its_own: bool) -> None:
    assert looks_at(said, "it") is its_own
    assert looks_at(said, None) is (said in ("((", b"a vaulted one"))
