"""A condition that names nothing which the play found has looked at nothing; what cannot be read is a real one."""

from __future__ import annotations

import pytest

from drillbook.target.ansible.inside.conditions import FOUND, MISSING, looks_at, looks_at_nothing, written_down

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
        "1 == it.rc == 1",  # its ends are equal, and what stands between them is found
        "it.rc == it.rc == 1",
        "((",
        b"a value that is no text, as a vaulted one",
    ],
)
def test_something_is_looked_at(said: object) -> None:
    assert not looks_at_nothing(said)


WRITTEN = {
    "so": True,
    "never": False,
    "text": "a release that is good",
    "further": ["{{ so }}", {"x": "{{ text }}"}],
    "round": "{{ round }}",
    "live": "{{ it.rc }}",
    "vaulted": b"x",
    "broken": "{{ ((",
}


def known(name: str) -> object:
    """A play that has registered `it`, and these variables that somebody wrote down."""
    return FOUND if name == "it" else WRITTEN.get(name, MISSING)


@pytest.mark.parametrize(
    "said",
    [
        "so",
        ["so", "text == 'x'", "further is mapping"],
        "nowhere | default(so)",
        "inventory_hostname in groups.web",
        "it is defined",
        ["it is not undefined"],
        "it.rc == 0 or so",
        "not never or it.rc == 0",
        "so == so == so",
        "1 == 1 or it.rc == 0",
        "it.rc == it.rc",
        "{{ it.rc == 0 or true }}",
    ],
)
def test_what_was_known_before_is_nothing(said: object) -> None:
    assert looks_at_nothing(said, known)


@pytest.mark.parametrize(
    "said",
    [
        "it.rc == 0",
        ["so", "it.rc == 0"],
        "it.rc is defined",
        "it.rc == 0 or never",
        "it.rc == 0 and so",
        "live == 0",
        "text is exists",
        "text is of_ours",
        "text | of_ours",
        "vaulted",
        "broken",
        "round",  # nobody can follow it
    ],
)
def test_what_the_play_found_is_something(said: object) -> None:
    assert not looks_at_nothing(said, known)


@pytest.mark.parametrize(
    ("said", "its_own"),
    [
        ("it.rc == 1", True),
        ("it.rc == 1 and so", True),
        ("it.rc == 1 and never", False),
        ("false and it.rc == 1", False),
        (["it.rc == 1", "never"], False),
        (["it.rc == 1", False], False),
        (["it.rc == 1", "1 == 2"], False),
        ("it is not defined", False),
        ("it is failed", True),
    ],
)
def test_a_condition_that_cannot_be_true_looks_at_nothing(said: object, its_own: bool) -> None:
    assert looks_at(said, "it", known) is its_own


def test_what_is_written_down() -> None:
    assert written_down({"x": [1, None, "text", "{{ so }}"]}, known)
    assert not written_down({"x": ["{{ it }}"]}, known)


@pytest.mark.parametrize(
    ("said", "its_own"),
    [
        ("it.rc not in [0, 3]", True),
        ([True, "it is failed"], True),
        ([False, "it is failed"], False),
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
