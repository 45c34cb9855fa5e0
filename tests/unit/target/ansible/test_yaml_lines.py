"""Values as Ansible reads them, each with the line on which it stands."""

from __future__ import annotations

import textwrap

import pytest

from drillbook.target.ansible.yaml_lines import (
    Lined,
    Tagged,
    UnreadableError,
    documents,
    first_line,
    load,
    mapping_at,
    mappings,
    value_of,
)

pytestmark = pytest.mark.unit

PLAYBOOK = textwrap.dedent(
    """\
    ---
    # two plays
    - hosts: all
      tasks:
        - name: One
          ansible.builtin.command: |
            flush
          failed_when: no

    -
      hosts: web
    """
)


def test_mappings_and_keys_know_their_lines() -> None:
    plays = mappings(load(PLAYBOOK))
    assert [play.line for play in plays] == [3, 11]
    (task,) = mappings(plays[0]["tasks"])
    assert (task.line, task.lines) == (5, {"name": 5, "ansible.builtin.command": 6, "failed_when": 8})


def test_it_is_the_yaml_of_ansible() -> None:
    assert load("[yes, no, on, off, 0x10, 010]") == [True, False, True, False, 16, 8]


@pytest.mark.parametrize(("line", "hosts"), [(3, "all"), (11, "web")])
def test_a_mapping_is_found_by_its_line(line: int, hosts: str) -> None:
    found = mapping_at(load(PLAYBOOK), line)
    assert found is not None
    assert found["hosts"] == hosts


def test_a_task_is_found_by_its_line() -> None:
    found = mapping_at(load(PLAYBOOK), 5)
    assert found is not None
    assert found["name"] == "One"
    assert mapping_at(load(PLAYBOOK), 6) is None
    assert mapping_at(None, 1) is None


def test_the_text_of_a_block_begins_below_its_mark() -> None:
    (node,) = documents("key: |\n  text\n")
    ((key, value),) = node.value
    assert (first_line(key), first_line(value)) == (1, 2)


def test_tags_of_ansible_are_no_error() -> None:
    found = load("secret: !vault |\n  61\nraw: !unsafe '{{ x }}'\nlist: !mine [1]\n")
    assert found == {"secret": "61\n", "raw": "{{ x }}", "list": None}
    assert isinstance(found, Lined)
    assert isinstance(found["secret"], Tagged)
    assert not isinstance(load("plain"), Tagged)


MERGED = """\
base: &base {when: never, name: base}
other: &other {name: other, tags: x}
one:
  <<: *base
  name: one
two:
  name: two
  <<: [*base, *other]
"""


def test_what_is_merged_counts_unless_the_mapping_says_otherwise() -> None:
    found = load(MERGED)
    assert isinstance(found, Lined)
    assert found["one"] == {"when": "never", "name": "one"}
    assert found["one"].lines == {"when": 1, "name": 5}
    assert found["two"] == {"when": "never", "name": "two", "tags": "x"}
    assert load(MERGED) == found, "the nodes are kept, and reading changes nothing of them"
    assert load("other: &o {name: o}\nbase: &b {name: b}\nit: {<<: [*o, *b]}\n")["it"] == {"name": "o"}  # type: ignore[index] # a mapping


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_a_text_without_a_value(text: str) -> None:
    assert load(text) is None
    assert mappings(load(text)) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- hosts: all\n  tasks: [\n", 3),
        ("a: 1\nb: !!python/object:os.system {}\n", 2),
        ("a: 2026-13-45\n", 1),
        ("a: 1\n---\nb: 2\n", 3),
        ("a: &a\n  <<: *a\n", 1),
        ("a: 1\n<<: text\n", 2),
        ("a: \x07\n", 1),
    ],
)
def test_what_cannot_be_read_has_a_line(text: str, line: int) -> None:
    with pytest.raises(UnreadableError) as raised:
        load(text)
    assert raised.value.line == line


def test_all_documents_are_there_for_who_wants_them() -> None:
    assert [value_of(node) for node in documents("a: 1\n---\nb: 2\n")] == [{"a": 1}, {"b": 2}]
