"""Inventories of every kind, resolved by the real Ansible."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import textwrap
from pathlib import Path

import pytest

from drillbook.errors import InventoryError, Place
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.listing import Listings
from drillbook.target.ansible.playbooks import Playbooks
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.settings import Environment, EnvironmentKind

pytestmark = pytest.mark.lab

ALL = """\
drillbook_environment: {name: test, kind: lab}
base: 10.0.0
"""
PASSWORD = "the password of the vault"


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    path.chmod(mode)
    return path


def vault(root: Path, *arguments: str) -> str:
    program = Path(sysconfig.get_path("scripts")) / "ansible-vault"
    command = [str(program), *arguments, "--vault-password-file", str(root / "password")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose inventory is a directory with Jinja and both kinds of vault, of two hosts in nested groups."""
    root = tmp_path_factory.mktemp("repository")
    write(root / "password", PASSWORD)
    write(root / "ansible.cfg", "[defaults]\nvault_password_file = password\nremote_user = ops\n")
    here = root / "inventories/staging"
    write(
        here / "10-hosts.ini",
        """\
        [redis]
        redis-1 number=1 ansible_port=2201
        redis-2 number=2
        [data:children]
        redis
        """,
    )
    write(here / "20-more.yml", "all: {children: {api: {hosts: {api-1: {ansible_connection: local}}}}}\n")
    write(
        here / "group_vars/all.yml",
        ALL
        + textwrap.dedent("""\
        drillbook_endpoints:
          redis:
            kind: redis
            url: "redis://{{ hostvars['redis-1'].ansible_host }}:6379"
            password: "{{ vaulted_password }}"
        inline: "{{ lookup('ansible.builtin.env', 'DRILLBOOK_GIVEN') }}"
        leaked: "{{ lookup('ansible.builtin.env', 'NOT_GIVEN') }}"
        fine_unless_asked: "{{ not_defined_anywhere }}"
        members: "{{ groups['redis'] | join(',') }}"
        """)
        + vault(root, "encrypt_string", "of-the-inline-vault", "--name", "inline_vaulted"),
    )
    write(
        here / "group_vars/redis/vars.yml",
        """\
        ansible_host: "{{ base }}.{{ number }}"
        ansible_ssh_common_args: "-J {{ base }}.99"
        """,
    )
    secret = write(here / "group_vars/all/vault.yml", "vaulted_password: of-the-vaulted-file\n")
    (here / "group_vars/all.yml").rename(here / "group_vars/all/vars.yml")
    vault(root, "encrypt", str(secret))
    return root


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture(scope="module")
def inventory(root: Path, redactor: Redactor) -> Inventory:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_GIVEN", "given")
        patch.setenv("NOT_GIVEN", "leaked")
        return Inventory.resolve(Path("inventories/staging"), root, redactor)


def test_variables_are_templated_per_host(inventory: Inventory) -> None:
    assert inventory.path.is_absolute()
    assert [inventory.variable(host, "ansible_host") for host in inventory.names("redis")] == ["10.0.0.1", "10.0.0.2"]
    assert inventory.variable("api-1", "members") == "redis-1,redis-2"
    assert inventory.endpoints["redis"].url == "redis://10.0.0.1:6379"
    assert inventory.environment == Environment("test", EnvironmentKind.LAB)


@pytest.mark.parametrize("order", [("text", "same", "list", "name"), ("name", "list", "same", "text")])
def test_a_value_is_templated_once_wherever_it_stands(tmp_path: Path, order: tuple[str, ...]) -> None:
    known = {
        "text": "!unsafe '{{ 6 * 7 }}'",
        "same": "'{{ text }}'",
        "list": "['{{ same }}', '{{ name }}', 1]",
        "name": "'{{ inventory_hostname }}'",
    }
    lines = "".join(f"    {name}: {known[name]}\n" for name in order)
    environment = "    drillbook_environment: {name: test, kind: lab}\n"
    write(tmp_path / "hosts.yml", f"all:\n  vars:\n{lines}{environment}  hosts: {{web-1: , web-2: }}\n")
    hosts = Inventory.resolve(tmp_path / "hosts.yml", tmp_path).hostvars
    for host in ("web-1", "web-2"):
        assert [hosts[host][name] for name in ("text", "same", "list", "name")] == [
            "{{ 6 * 7 }}",
            "{{ 6 * 7 }}",
            ["{{ 6 * 7 }}", host, 1],
            host,
        ]


def test_groups_and_their_children(inventory: Inventory) -> None:
    assert inventory.groups["data"] == ("redis-1", "redis-2")
    assert inventory.names("all") == ("redis-1", "redis-2", "api-1")


def test_vaulted_values_are_decrypted_and_are_secrets(inventory: Inventory, redactor: Redactor) -> None:
    assert inventory.endpoints["redis"].password == "of-the-vaulted-file"
    assert inventory.variable("api-1", "inline_vaulted") == "of-the-inline-vault"
    assert redactor.text("of-the-vaulted-file") != "of-the-vaulted-file"
    assert redactor.text("of-the-inline-vault") == "[REDACTED:inline_vaulted]"


def test_the_environment_that_lookups_see_is_the_white_list(inventory: Inventory) -> None:
    assert inventory.variable("api-1", "inline") == "given"
    assert inventory.variable("api-1", "leaked") == ""


def test_what_cannot_be_templated_fails_when_it_is_asked_for(inventory: Inventory, root: Path) -> None:
    with pytest.raises(InventoryError, match=r"group_vars/all/vars\.yml:\d+: 'not_defined_anywhere' is undefined"):
        inventory.variable("api-1", "fine_unless_asked")


def test_checks_connect_as_ansible_would(inventory: Inventory) -> None:
    """By the variables, templated, and by ansible.cfg."""
    first, second = inventory.hosts("redis")
    words, values = first.backend._build_ssh_command("true")  # type: ignore[attr-defined]
    assert values[:2] == ["ops", "2201"]
    assert "10.0.0.1" in values
    assert "-J 10.0.0.99" in " ".join(words)
    assert "10.0.0.2" in second.backend._build_ssh_command("true")[1]  # type: ignore[attr-defined]
    (local,) = inventory.hosts("api")
    assert local.run("echo here").stdout == "here\n"


def test_plays_see_what_was_resolved(inventory: Inventory, root: Path, redactor: Redactor) -> None:
    play = write(
        root / "playbooks/play.yml",
        """\
        - hosts: api
          gather_facts: false
          tasks:
            - ansible.builtin.debug:
                msg: "{{ hostvars['redis-2'].ansible_host }} {{ vaulted_password }}"
        """,
    )
    result = Playbooks(root, inventory.path, inventory.connection_env, redactor).run(play)
    (task,) = result.tasks
    assert task.message.startswith("10.0.0.2 [REDACTED:")


def test_an_inventory_that_is_a_script(tmp_path: Path) -> None:
    write(
        tmp_path / "hosts.py",
        f"""\
        #!{sysconfig.get_path("scripts")}/python
        import json
        hosts = {{"web": {{"ansible_connection": "local"}}}}
        settings = {{"drillbook_environment": {{"name": "s", "kind": "lab"}}, "api_token": "of-the-script"}}
        print(json.dumps({{"all": {{"hosts": list(hosts), "vars": settings}}, "_meta": {{"hostvars": hosts}}}}))
        """,
        0o755,
    )
    redactor = Redactor()
    inventory = Inventory.resolve(Path("hosts.py"), tmp_path, redactor)
    assert inventory.names("all") == ("web",)
    assert redactor.text("of-the-script") == "[REDACTED:api_token]"


def test_several_inventories_are_merged_as_ansible_merges_them(tmp_path: Path) -> None:
    write(tmp_path / "one/hosts.ini", "web-1 ansible_connection=local\n")
    write(tmp_path / "one/group_vars/all.yml", ALL + "size: small\nof_one: 1\n")
    write(tmp_path / "two.yml", "all: {hosts: {web-2: {ansible_connection: local}}, vars: {size: large}}\n")
    write(tmp_path / "play.yml", "- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.debug: {var: size}}]}\n")
    inventory = Inventory.resolve(Path("one"), tmp_path, further=[Path("two.yml")])
    assert inventory.names("all") == ("web-1", "web-2")
    # group_vars of a folder win over the variables of a file, as they do in Ansible
    assert [inventory.variable("web-2", name) for name in ("size", "of_one")] == ["small", 1]
    playbooks = Playbooks(tmp_path, inventory.path, {}, Redactor(), further=inventory.further)
    assert sorted(playbooks.run(Path("play.yml")).hosts) == ["web-1", "web-2"]
    listed = Listings(tmp_path, inventory.path, Redactor(), (), inventory.further).of(tmp_path / "play.yml", {}).plays
    assert [each.hosts for each in listed] == [("web-1", "web-2")]
    with pytest.raises(InventoryError, match=r"There is no inventory three\.yml"):
        Inventory.resolve(Path("one"), tmp_path, further=[Path("three.yml")])


def test_a_script_that_fails_is_quoted(tmp_path: Path) -> None:
    write(tmp_path / "hosts.sh", "#!/bin/sh\necho 'no account: set CLOUD_PROFILE' >&2\nexit 3\n", 0o755)
    said = (
        r"exit code 3\. no account: set CLOUD_PROFILE\. The script sees no variable .* that drillbook_pass_env names\."
    )
    with pytest.raises(InventoryError, match=said):
        Inventory.resolve(Path("hosts.sh"), tmp_path)


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path / "cloud.yml", "plugin: nowhere.at_all.cloud\n")
    with pytest.raises(InventoryError, match=r"specifies unknown plugin 'nowhere\.at_all\.cloud'\.$"):
        Inventory.resolve(Path("cloud.yml"), tmp_path)


def test_what_only_a_play_has_is_no_fault_of_an_inventory(tmp_path: Path) -> None:
    write(tmp_path / "hosts.ini", "web ansible_connection=local\n")
    of_plays = (
        'ansible_managed: "from {{ template_path }}"\ndrillbook_service: "{{ item }}"\nvaulted: "{{ vault_nothing }}"\n'
    )
    write(tmp_path / "group_vars/all.yml", ALL + of_plays)
    inventory = Inventory.resolve(Path("hosts.ini"), tmp_path)
    with pytest.raises(InventoryError, match=r"no variable ansible_managed: .*:3: 'template_path' is undefined"):
        inventory.variable("web", "ansible_managed")


def test_the_password_of_a_vault_is_asked_for_only_where_there_is_one(tmp_path: Path) -> None:
    """Names with "vault" in them, in an inventory of which nothing is encrypted."""
    write(tmp_path / "vault-eu/hosts.ini", "web ansible_connection=local\n")
    write(tmp_path / "vault-eu/group_vars/all.yml", ALL + 'ansible_password: "{{ vault_password }}"\n')
    with pytest.raises(InventoryError, match=r"'vault_password' is undefined") as raised:
        Inventory.resolve(Path("vault-eu"), tmp_path)
    assert "ANSIBLE_VAULT_PASSWORD_FILE" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ("defaults", "ask_vault_pass = true"),
        ("defaults", "ask_pass = yes"),
        ("privilege_escalation", "become_ask_pass = True"),
        ("defaults", "vault_identity_list = dev@prompt"),
    ],
)
def test_an_inventory_for_which_ansible_would_ask_is_refused_at_once(
    tmp_path: Path, section: str, setting: str
) -> None:
    write(tmp_path / "hosts.ini", "web ansible_connection=local\n")
    write(tmp_path / "group_vars/all.yml", ALL)
    write(tmp_path / "ansible.cfg", f"[{section}]\n# {setting}\n{setting}\n")
    name = setting.partition(" ")[0]
    with pytest.raises(
        InventoryError, match=rf"^With {name} \(.*/ansible\.cfg:3\) Ansible asks for a password"
    ) as raised:
        Inventory.resolve(Path("hosts.ini"), tmp_path)
    assert raised.value.place == Place(str(tmp_path / "ansible.cfg"), 3)


def test_a_vault_without_its_password_is_named(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "inventories/staging", tmp_path / "staging")
    with pytest.raises(InventoryError, match=r"group_vars/all/vault\.yml\. Set ANSIBLE_VAULT_PASSWORD_FILE"):
        Inventory.resolve(tmp_path / "staging", tmp_path)


@pytest.mark.parametrize(
    ("hosts", "variables", "sentence"),
    [
        pytest.param(
            "web\n",
            ALL + "drillbook_token: \"{{ missing | mandatory('Set missing, see the guide') }}\"\n",
            r"drillbook_token \(.*/group_vars/all\.yml:3\): Set missing, see the guide",
            id="mandatory",
        ),
        pytest.param(
            "web\n",
            ALL + 'drillbook_endpoints:\n  api:\n    kind: http\n    url: "http://{{ missing }}"\n',
            r"drillbook_endpoints\.api\.url \(.*/group_vars/all\.yml:6\): 'missing' is undefined",
            id="undefined",
        ),
        pytest.param(
            "web\n",
            "drillbook_environment: {name: test, kind: lab}\nbroken: [\n",
            r"cannot read the inventory .*\(group_vars/all\.yml:3\)",
            id="no YAML",
        ),
        pytest.param("", ALL, "names no host", id="empty"),
        pytest.param("[web\nweb-1\n", ALL, r"cannot read the inventory .*hosts\.ini", id="no INI"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, hosts: str, variables: str, sentence: str) -> None:
    write(tmp_path / "hosts.ini", hosts)
    write(tmp_path / "group_vars/all.yml", variables)
    with pytest.raises(InventoryError, match=sentence) as raised:
        Inventory.resolve(tmp_path / "hosts.ini", tmp_path)
    assert "\n" not in str(raised.value)


def test_a_single_vaulted_value_that_nobody_needs_fails_when_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "hosts.ini", "web\n")
    write(tmp_path / "group_vars/all.yml", ALL + "secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n")
    inventory = Inventory.resolve(tmp_path / "hosts.ini", tmp_path)
    with pytest.raises(InventoryError, match=r"web has no variable secret: .*no vault secrets"):
        inventory.variable("web", "secret")
