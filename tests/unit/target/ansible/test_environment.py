"""What every ansible-playbook of Drillbook is started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drillbook.errors import PlaybookError
from drillbook.target.ansible.environment import (
    INSIDE,
    PLUGINS,
    callbacks,
    environment,
    plugin_folders,
    roles_path,
)

pytestmark = pytest.mark.unit


def test_its_own_plugins_lie_where_ansible_is_told() -> None:
    assert (PLUGINS / "action" / "drillbook_variables.py").is_file()
    _of_runner, ours = callbacks("/of/ansible-runner").split(os.pathsep)
    assert {"drillbook_notes.py", "drillbook_without_task.py"} <= {path.name for path in Path(ours).iterdir()}
    assert INSIDE.is_file()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir()
    return tmp_path / "private"


@pytest.mark.parametrize(
    ("variable", "option", "folder"),
    [
        ("ANSIBLE_ROLES_PATH", "roles_path", "playbooks/roles"),
        ("ANSIBLE_LIBRARY", "library", "playbooks/library"),
        ("ANSIBLE_FILTER_PLUGINS", "filter_plugins", "playbooks/filter_plugins"),
        ("ANSIBLE_COLLECTIONS_PATH", "collections_path", "collections"),
    ],
)
def test_what_the_repository_has_is_found_behind_what_ansible_cfg_names(
    tmp_path: Path, private: Path, variable: str, option: str, folder: str
) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\n{option} = shared:~/mine:/srv/all ; ours\n")
    found = environment(tmp_path, private)[variable]
    assert found == f"{tmp_path}/shared:~/mine:/srv/all:{tmp_path}/{folder}"


def test_what_the_repository_has_is_found_behind_what_a_variable_names(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", "/srv/roles")
    passed = environment(tmp_path, private, ["ANSIBLE_ROLES_PATH"])
    assert passed["ANSIBLE_ROLES_PATH"] == f"/srv/roles:{tmp_path}/playbooks/roles"


def test_where_a_plan_looks_for_roles_is_where_a_play_finds_them(tmp_path: Path, private: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nroles_path = ~/mine\n")
    assert roles_path(tmp_path) == [Path.home() / "mine", tmp_path / "playbooks/roles"]


@pytest.mark.parametrize(
    "setting", ["ask_vault_pass = yes", "ask_pass=True", "become_ask_pass: on", "vault_identity_list = a@f, b@prompt"]
)
def test_a_setting_with_which_ansible_asks_is_named_with_its_line(tmp_path: Path, private: Path, setting: str) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nforks = 5\n{setting}\n")
    with pytest.raises(PlaybookError, match=r"^With \w+ \(.*/ansible\.cfg:3\) Ansible asks for a password, and nobody"):
        environment(tmp_path, private)


@pytest.mark.parametrize("variable", ["ANSIBLE_ASK_VAULT_PASS", "ANSIBLE_BECOME_ASK_PASS"])
def test_a_variable_with_which_ansible_asks_is_named(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    environment(tmp_path, private)  # it is not passed on
    with pytest.raises(PlaybookError, match=f"^With the variable {variable} Ansible asks for a password"):
        environment(tmp_path, private, [variable])


def test_a_vault_identity_that_is_a_prompt_is_refused(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", f"dev@{os.devnull},prod@prompt")
    with pytest.raises(PlaybookError, match="With the variable ANSIBLE_VAULT_IDENTITY_LIST Ansible asks"):
        environment(tmp_path, private)


def test_settings_that_are_off_ask_nobody(tmp_path: Path, private: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nask_vault_pass = no\nvault_identity_list = dev@prompts.txt\n")
    environment(tmp_path, private)


def test_a_user_without_a_home_reads_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run under a number that nobody has."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("HOME", raising=False)
    said = r"this user has no home folder, in which Ansible .*: set HOME to a folder"
    with pytest.raises(PlaybookError, match=said):
        environment(tmp_path, tmp_path)
    with pytest.raises(PlaybookError, match=said):
        plugin_folders(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / ".ansible/collections") in environment(tmp_path, tmp_path)["ANSIBLE_COLLECTIONS_PATH"]


def test_a_play_finds_the_connection_to_containers_behind_those_of_the_repository(
    tmp_path: Path, private: Path
) -> None:
    ours, of_drillbook = environment(tmp_path, private)["ANSIBLE_CONNECTION_PLUGINS"].split(os.pathsep)
    assert ours == f"{tmp_path}/playbooks/connection_plugins"
    assert (Path(of_drillbook) / "container.py").is_file()
