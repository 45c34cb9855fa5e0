# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""The inventory that the warm server resolves while pytest collects: what a cold run resolves, or there is none."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from drillbook.errors import InventoryError
from drillbook.evidence.redaction import Redactor
from drillbook.target.ansible.warm.client import Warm
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.resolver import ResolvedInventory

pytestmark = pytest.mark.lab

SCRIPTS = Path(sysconfig.get_path("scripts"))
HOSTS = "[web]\nweb-1\nweb-2\n"
ALL = "drillbook_environment: {name: test, kind: lab}\n"
EVERYTHING = """\
drillbook_environment: {name: test, kind: lab}
ansible_connection: local
ansible_python_interpreter: "{{ ansible_playbook_python }}"
base: 10.0.0
number: 7
address: "{{ base }}.{{ number }}"
nested: {list: ["{{ address }}", 1, true, null], same: "{{ inventory_hostname }}"}
everybody: "{{ groups['web'] | map('upper') | join(',') }}"
other: "{{ hostvars['web-2'].address }}"
given: "{{ lookup('ansible.builtin.env', 'GIVEN') }}"
kept: "{{ lookup('ansible.builtin.env', 'KEPT_BACK') }}"
ours: "{{ lookup('ansible.builtin.env', 'DRILLBOOK_OURS') }}"
read: "{{ lookup('ansible.builtin.file', inventory_dir ~ '/data.txt') }}"
first: "{{ lookup('ansible.builtin.first_found', [inventory_dir ~ '/nowhere', inventory_dir ~ '/data.txt']) }}"
options: "{{ [ansible_check_mode, ansible_diff_mode, ansible_forks, ansible_verbosity, ansible_version.full] }}"
magic: "{{ [inventory_dir, group_names, ansible_inventory_sources, ansible_facts] }}"
undefined: "{{ nobody_defined_this }}"
demanded: "{{ missing | mandatory('Set missing') }}"
filtered: "{{ 'a-b' | regex_replace('-', '+') | ours }}"
unsafe: !unsafe "{{ 6 * 7 }}"
"""
FILTER = """\
class FilterModule:
    def filters(self):
        return {"ours": lambda text: f"<{text}>"}
"""


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    path.chmod(mode)
    return path


class Repository:
    """A repository, and the servers that were started for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "inventory"
        write(self.path / "hosts.ini", HOSTS)
        write(self.path / "group_vars/all.yml", ALL)
        self._started: list[Warm] = []

    def warm(self, *pass_env: str, path: Path | None = None) -> Warm:
        started = Warm(self.root, pass_env, SCRIPTS / "ansible-playbook", lambda _text: None, path or self.path)
        self._started.append(started)
        return started

    def early(self, warm: Warm, *pass_env: str, path: Path | None = None) -> ResolvedInventory | None:
        known = warm.inventory(path or self.path, self.root, pass_env)
        if known is None:
            return None
        return ResolvedInventory(path or self.path, known["groups"], known["hosts"], known["connections"])

    def cold(self, *pass_env: str) -> ResolvedInventory:
        return ResolvedInventory.by_ansible(self.path, self.root, pass_env)

    def close(self) -> None:
        for warm in self._started:
            warm.close()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path)
    yield made
    made.close()


def variables(repository: Repository, text: str) -> None:
    write(repository.path / "group_vars/all.yml", text)


def everything(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIVEN", "KEPT_BACK", "DRILLBOOK_OURS"):
        monkeypatch.setenv(name, f"of {name}")
    variables(repository, EVERYTHING)
    write(repository.path / "data.txt", "of the file\n")
    write(
        repository.path / "host_vars/web-2.yml", "number: 8\nansible_host: '{{ address }}'\nansible_connection: ssh\n"
    )
    write(repository.path / "group_vars/web/plain.yml", "of_the_group: web\n")
    write(repository.root / "playbooks/filter_plugins/ours.py", FILTER)
    password = write(repository.root / "password", "the password of the vault\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    vault = write(repository.path / "group_vars/web/vault.yml", "token: correct-horse\nheader: 'Bearer {{ token }}'\n")
    subprocess.run(
        [SCRIPTS / "ansible-vault", "encrypt", vault],  # the password is where the plays find it
        check=True,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )


def test_it_is_what_a_cold_run_resolves(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(repository, monkeypatch)
    early = repository.early(repository.warm("GIVEN"), "GIVEN")
    cold = repository.cold("GIVEN")
    assert early is not None
    for host in ("web-1", "web-2"):
        assert early.entries[host] == cold.entries[host]
    assert early == cold
    values = early.values["web-1"]
    assert [values[name] for name in ("given", "kept", "ours")] == ["of GIVEN", "", "of DRILLBOOK_OURS"]
    assert [values[name] for name in ("read", "other", "filtered")] == ["of the file", "10.0.0.8", "<a+b>"]
    assert values["header"] == "Bearer correct-horse"
    place = f"{repository.path}/group_vars/all.yml"
    assert early.problems()["web-1", "undefined"].startswith(f"{place}:17: 'nobody_defined_this' is undefined")
    assert early.problems()["web-1", "demanded"] == f"{place}:18: Set missing"
    assert early.connections["web-2"]["host"] == "10.0.0.8"
    assert {secret.label for secret in early.secrets()} == {"token", "header"}


def test_one_text_is_compiled_once_and_means_what_it_means_where_it_stands(repository: Repository) -> None:
    variables(
        repository,
        ALL
        + r"""
number: 7
plain: "{{ number }} [[ number ]]"
again: "{{ number }} [[ number ]]"
marked: "#jinja2:variable_start_string:'[[', variable_end_string:']]'\n{{ number }} [[ number ]]"
escaped: '{{ "7" | regex_search("\d") }}'
broken: "{{ number"
broken_again: "{{ number"
""",
    )
    write(repository.path / "host_vars/web-2.yml", "number: 8\n")
    cold = repository.cold()
    for host, number in (("web-1", 7), ("web-2", 8)):
        values = cold.values[host]
        assert [values[name] for name in ("plain", "again")] == [f"{number} [[ number ]]"] * 2
        assert (values["marked"], values["escaped"]) == (f"{{{{ number }}}} {number}", "7")
        for name, line in (("broken", 8), ("broken_again", 9)):
            assert cold.problems()[host, name].startswith(f"{repository.path}/group_vars/all.yml:{line}: ")
    early = repository.early(repository.warm())
    assert early == cold


DRAWN = """\
drawn: '{{ 1000000000 | random }}'
generated: '{{ lookup("ansible.builtin.password", "/dev/null", length=20) }}'
"""
CONTEXT = """\
from jinja2 import pass_context

class FilterModule:
    def filters(self):
        return {"of_ours": pass_context(lambda context, value: context["number"])}
"""
APART = {
    "itself": ("'{{ number }}'", "7", "8"),
    "by_another": ("{deep: ['{{ itself }}']}", {"deep": [7]}, {"deep": [8]}),
    "one_has_it": ("'{{ only_here | default(0) }}'", "0", "1"),
    "its_name": ("'{{ inventory_hostname }}'", "web-1", "web-2"),
    "its_groups": ("'{{ group_names | join }}'", "web", "moreweb"),
    "of_hostvars": ("'{{ hostvars[inventory_hostname].number }}'", "7", "8"),
    "looked_up": ("""'{{ lookup("vars", "num" ~ "ber") }}'""", "7", "8"),
    "looked_up_so": ("""'{% set it = lookup %}{{ it("vars", "num" ~ "ber") }}'""", "7", "8"),
    "filtered": ("""'{{ "" | of_ours }}'""", "7", "8"),
    "alike": (
        """{deep: '{{ [plain, lookup("env", "GIVEN")] | join }}'}""",
        {"deep": "1of GIVEN"},
        {"deep": "1of GIVEN"},
    ),
}


def test_what_hosts_have_alike_is_worked_out_once_and_nothing_else(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "of GIVEN")
    write(repository.root / "playbooks/filter_plugins/ours.py", CONTEXT)
    variables(
        repository,
        ALL + DRAWN + "number: 7\nplain: 1\n" + "".join(f"{name}: {text}\n" for name, (text, *_) in APART.items()),
    )
    write(repository.path / "host_vars/web-2.yml", "number: 8\nonly_here: 1\n")
    write(repository.path / "more.ini", "[more]\nweb-2\n")
    cold = repository.cold("GIVEN")
    for place, host in ((1, "web-1"), (2, "web-2")):
        found = {name: cold.values[host].get(name) for name in APART}
        assert {name: str(value) if isinstance(value, int) else value for name, value in found.items()} == {
            name: row[place] for name, row in APART.items()
        }
    for name in ("drawn", "generated"):
        assert cold.values["web-1"][name] != cold.values["web-2"][name]


def test_a_session_uses_it_and_starts_no_play(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(repository, monkeypatch)
    warm = repository.warm("GIVEN")
    redactor = Redactor()
    inventory = Inventory.resolve(repository.path, repository.root, redactor, pass_env=("GIVEN",), warm=warm)
    assert inventory.variable("web-1", "given") == "of GIVEN"
    assert redactor.text("correct-horse") == "[REDACTED:token]"
    assert not (warm.folder / "ran").exists()


def changes_a_variable(repository: Repository, _patch: pytest.MonkeyPatch) -> None:
    variables(repository, ALL + "added: 1\n")


def adds_a_file(repository: Repository, _patch: pytest.MonkeyPatch) -> None:
    write(repository.path / "group_vars/web.yml", "added: 1\n")


def adds_what_was_looked_for(repository: Repository, _patch: pytest.MonkeyPatch) -> None:
    write(repository.root / "elsewhere/data.txt", "1")


def adds_a_filter(repository: Repository, _patch: pytest.MonkeyPatch) -> None:
    write(repository.root / "playbooks/filter_plugins/ours.py", FILTER.replace("ours", "upper"))


def sets_a_variable(_repository: Repository, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DRILLBOOK_ADDED", "1")


def adds_an_ansible_cfg(repository: Repository, _patch: pytest.MonkeyPatch) -> None:
    write(repository.root / "ansible.cfg", "[defaults]\nforks = 3\n")


@pytest.mark.parametrize(
    "change",
    [
        changes_a_variable,
        adds_a_file,
        adds_what_was_looked_for,
        adds_a_filter,
        sets_a_variable,
        adds_an_ansible_cfg,
    ],
)
def test_what_has_changed_since_is_resolved_anew(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Repository, pytest.MonkeyPatch], None],
) -> None:
    (repository.root / "playbooks/filter_plugins").mkdir(parents=True)
    (repository.root / "elsewhere").mkdir()
    named = "[inventory_dir ~ '/../elsewhere/data.txt', inventory_dir ~ '/hosts.ini']"
    found = f"lookup('ansible.builtin.first_found', {named}) | upper"
    variables(repository, ALL + f'found: "{{{{ {found} }}}}"\n')
    warm, changed = repository.warm(), repository.warm()
    assert repository.early(warm) is not None
    changed.early.wait()
    change(repository, monkeypatch)
    assert repository.early(changed) is None


def test_another_inventory_or_environment_is_resolved_anew(repository: Repository, tmp_path: Path) -> None:
    other = write(tmp_path / "other.ini", HOSTS)
    assert repository.early(repository.warm(), path=other) is None
    assert repository.early(repository.warm(), "HOME") is None
    first = repository.warm()
    assert repository.early(first) is not None
    assert repository.early(first) is None  # it is given once


SCRIPT = """\
#!{python}
import json, sys
open({ran!r}, "a").write("x")
sys.exit({status}) if {status} else None
settings = {{"drillbook_environment": {{"name": "s", "kind": "lab"}}}}
print(json.dumps({{"all": {{"hosts": ["web-1"], "vars": settings}}}}))
"""


@pytest.mark.parametrize("status", [0, 3])
def test_an_inventory_that_is_a_program_runs_once_and_in_its_play(repository: Repository, status: int) -> None:
    """It may take long, ask somebody, or cost something: not before a drill wants it."""
    ran = repository.root / "ran"
    script = SCRIPT.format(python=SCRIPTS / "python", ran=str(ran), status=status)
    path = write(repository.root / "hosts.py", script, 0o755)
    warm = repository.warm(path=path)
    warm.early.wait()
    assert not ran.exists()
    if status:
        with pytest.raises(InventoryError, match=r"cannot read the inventory .*hosts\.py"):
            Inventory.resolve(path, repository.root, warm=warm)
    else:
        assert Inventory.resolve(path, repository.root, warm=warm).names("all") == ("web-1",)
    assert warm.early.why == "it starts a program"
    assert ran.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("value: \"{{ lookup('ansible.builtin.pipe', 'true') }}\"\n", "it starts a program"),
        ("value: \"{{ lookup('ansible.builtin.url', 'http://127.0.0.1:9') }}\"\n", "it opens a connection"),
        ("value: \"{{ lookup('ansible.builtin.password', '/tmp/drillbook-none/x') }}\"\n", "it changes a file"),
        ("ansible_connection: nowhere.at_all.plugin\n", "NotHereError"),
        ("ansible_connection: '{{ nobody_defined_this }}'\n", "NotHereError"),
        ("ansible_shell_type: none_such\n", "NotHereError"),
        ("ansible_become: 'perhaps'\n", "NotHereError"),
        ("broken: [\n", "AnsibleParserError"),
    ],
)
def test_what_is_more_than_reading_or_may_fail_is_left_to_a_play(repository: Repository, text: str, why: str) -> None:
    variables(repository, ALL + text)
    warm = repository.warm()
    assert repository.early(warm) is None
    assert warm.early.why == why


def test_what_is_wrong_is_said_as_in_a_cold_run(repository: Repository) -> None:
    for text in ("broken: [\n", "ansible_connection: '{{ nobody_defined_this }}'\n"):
        variables(repository, ALL + text)
        said = []
        for warm in (repository.warm(), None):
            with pytest.raises(InventoryError) as raised:
                Inventory.resolve(repository.path, repository.root, warm=warm)
            said.append(str(raised.value))
        assert said[0] == said[1]
        assert "group_vars/all.yml" in said[0] or "nobody_defined_this" in said[0]


def test_no_secret_stands_in_a_list_of_processes_or_in_a_file(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(repository, monkeypatch)
    warm = repository.warm("GIVEN")
    warm.early.wait()
    assert b"correct-horse" in bytes(warm.early._said)  # it has been resolved
    assert warm.server is not None
    server = psutil.Process(warm.server)
    looked_at = 0
    for process in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # the one that resolved it ends about now
            assert "correct-horse" not in " ".join((*process.cmdline(), *process.environ().values()))
            looked_at += 1
    assert looked_at >= 2  # the server, and the one that serves modules
    assert warm.folder.stat().st_mode & 0o077 == 0
    for path in warm.folder.rglob("*"):
        if path.is_file():
            assert b"correct-horse" not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert "correct-horse" not in repr(warm.early)
