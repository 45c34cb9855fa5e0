"""What is true and false is what Ansible takes for it: for booleans by its own function, for conditions by a run."""

from __future__ import annotations

import pytest
from ansible.module_utils.parsing.convert_bool import BOOLEANS  # type: ignore[import-untyped]
from ansible.module_utils.parsing.convert_bool import boolean as of_ansible
from hypothesis import given
from hypothesis import strategies as st

from drillbook.target.ansible.truth import boolean, condition
from tests.support.unit import quickly

pytestmark = pytest.mark.unit

VALUES = (
    st.sampled_from([*BOOLEANS, 1.0, 0.0, 2, 0.5, True, False, None, "", "maybe", "0.0", "{{ true }}"])
    | st.integers()
    | st.floats()
    | st.sampled_from(["yes", "NO", "On", " off ", "T", "f", "Y", "n", "TRUE", "False\n"])
    | st.text(max_size=5)
)


@quickly
@given(VALUES)
def test_a_boolean_is_what_ansible_takes_for_one(value: object) -> None:
    try:
        expected = of_ansible(value, strict=True)
    except TypeError:
        expected = None
    assert boolean(value) is expected


def test_every_word_of_ansible_is_known() -> None:
    assert {word: boolean(word) for word in BOOLEANS} == {word: of_ansible(word) for word in BOOLEANS}


@pytest.mark.parametrize("value", [[], [True], {}, b"yes"])
def test_what_is_no_value_of_a_keyword_is_neither(value: object) -> None:
    assert boolean(value) is None


# As ansible-core 2.19 says, asked with `ansible.builtin.assert` and `failed_when`.
CONDITIONS: dict[bool | None, list[object]] = {
    True: [
        True,
        "true",
        "True",
        " true ",
        "not false",
        "not not True",
        "{{ true }}",
        "{{ not False }}",
        [True, "true"],
    ],
    False: [False, "false", "False", "not true", "{{ false }}", "{{false}}", ["false"], [False, "not true"]],
    # a variable of that name, which is not defined
    None: ["yes", "no", "on", "off", "TRUE", "FALSE", "y", "n", "t", "f", "{{ no }}", "not yes"],
}


@pytest.mark.parametrize(("it", "value"), [(it, value) for it, values in CONDITIONS.items() for value in values])
def test_a_condition_that_looks_at_nothing(it: bool | None, value: object) -> None:
    assert condition(value) is it


@pytest.mark.parametrize(("it", "value"), [(True, 1), (False, 0), (True, "1"), (False, "0"), (True, [1, "true"])])
def test_a_number_counts_where_broken_conditions_are_allowed(it: bool, value: object) -> None:
    assert condition(value) is it


@pytest.mark.parametrize("value", ["it.rc == 0", "it", "not it", "", None, [], [True, "it"], [True, False], {}])
def test_a_condition_that_is_not_known_before(value: object) -> None:
    assert condition(value) is None
