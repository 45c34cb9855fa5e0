"""Ansible's own words are passed on: why it stopped before any host acted, and what it warned of; and what only Ansible
remembers, or what only looks, is no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_playbook_real import Repository, warm_or_cold

pytestmark = pytest.mark.lab

COMMAND = "  tasks:\n    - ansible.builtin.command: 'true'\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with warm_or_cold(tmp_path_factory.mktemp("repository"), warm=True) as repository:
        yield repository


@pytest.mark.parametrize(
    ("play", "first"),
    [
        (f"- hosts: web\n  strategy: mitogen_linear\n{COMMAND}", "Invalid play strategy specified: mitogen_linear"),
        (f"- hosts: web\n  strategy: '{{{{ strategy_of_ours }}}}'\n{COMMAND}", "'strategy_of_ours' is undefined"),
        (
            f"- hosts: web-1\n  gather_facts: false\n{COMMAND}- hosts: web\n  strategy: nosuch\n{COMMAND}",
            "Invalid play strategy specified: nosuch",
        ),
        (
            "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: {name: nowhere}\n",
            "the role 'nowhere' was not found",
        ),
        (
            f"- hosts: nobody\n{COMMAND}- hosts: web\n  strategy: nosuch\n{COMMAND}",
            "Invalid play strategy specified: nosuch",
        ),
    ],
)
def test_why_a_play_stopped_before_any_host_acted_comes_first(repository: Repository, play: str, first: str) -> None:
    try:
        said = repository.run(play).why_not_clean()
    except Exception as error:  # noqa: BLE001 - it never became a play, and says why
        said = str(error)
    assert first in str(said)
    assert "No host matched" not in str(said)


IGNORED = "[inventory]\nhost_pattern_mismatch = ignore\n"


@pytest.mark.parametrize(
    ("hosts", "configured"),
    [("web-1,web-22", ""), ("web-1,web-22", IGNORED), ("web-1:webb", ""), ("web-1:!web-22", ""), ("'web-1,wib*'", "")],
)
def test_a_pattern_that_matched_in_part_is_a_warning(
    repository: Repository, tmp_path: Path, hosts: str, configured: str
) -> None:
    played = Repository(tmp_path) if configured else repository  # a cold one where ansible.cfg is another
    if configured:
        played.write("ansible.cfg", configured)
    result = played.run(f"- hosts: {hosts}\n  gather_facts: false\n{COMMAND}")
    assert list(result.hosts) == ["web-1"]
    assert any("Could not match supplied host pattern, ignoring: w" in warning for warning in result.warnings)


MEMORY = """\
- hosts: web-1
  gather_facts: false
  tasks:
    - ansible.builtin.add_host: {name: late}
    - ansible.builtin.group_by: {key: late_ones}
    - ansible.builtin.set_fact: {x: 1}
      changed_when: true
    - set_fact: {y: 1, cacheable: true}
      changed_when: true
    - ansible.legacy.set_stats: {data: {z: 1}}
      changed_when: true
    - ansible.builtin.debug: {msg: x}
      changed_when: true
    - ansible.builtin.include_vars: {file: v.yml}
      changed_when: true
    - action: ansible.builtin.assert that='x == 1'
      changed_when: true
    - ansible.builtin.ping:
      changed_when: true
    - ansible.builtin.stat: {path: /}
      changed_when: true
    - ansible.builtin.wait_for: {timeout: 0}
      changed_when: true
    - ansible.builtin.getent: {database: passwd}
      changed_when: true
    - ansible.builtin.service_facts:
      changed_when: true
    - our_info:
"""
OUR_INFO = """\
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(changed=True, info="of ours")
"""


def test_what_ansible_alone_remembers_and_what_only_looks_is_no_change(repository: Repository) -> None:
    repository.write("playbooks/v.yml", "v: 1\n")
    repository.write("playbooks/library/our_info.py", OUR_INFO)
    result = repository.run(MEMORY)
    assert result.unsaid() == ()
    assert result.hosts["web-1"].changed == 14, "for Ansible"
    assert (result.changed, result.touched) == (False, ())
    assert result.why_not_clean(must_change=True) == "playbooks/play.yml changed nothing"
    changed = repository.run(MEMORY + "    - ansible.builtin.command: 'true'\n")
    assert changed.first_change is not None
    assert changed.first_change.action == "ansible.builtin.command"
