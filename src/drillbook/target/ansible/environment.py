"""The environment of every ansible-playbook that Drillbook starts.

The rule: from the caller's shell, only what a white list names reaches a play, so that two engineers on call get the
same run. This module imports nothing of ansible-runner, so that the warm server can start before that is loaded.
"""

from __future__ import annotations

import configparser
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

from drillbook.errors import PlaybookError
from drillbook.evidence.sealing import passphrase
from drillbook.target.ansible.truth import boolean

PLUGINS = Path(__file__).parent / "plugins"
"""Drillbook's own plugins for Ansible, in one folder for each type."""
INSIDE = Path(__file__).parent / "inside" / "program.py"
"""Becomes ansible-playbook."""
OWNER = "DRILLBOOK_OWNER"
"""Names the process that runs a play, so that others can end the play when that process is dead."""
PASSED_ON = frozenset(
    {
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TZ",
        "SSH_AUTH_SOCK",
        "ANSIBLE_VAULT_PASSWORD_FILE",
        "ANSIBLE_VAULT_IDENTITY_LIST",
    }
)
"""Variables of the caller's environment that reach Ansible.

Those with the prefix DRILLBOOK_ and those in `pass_env` do so, too.
"""
_PLUGIN_FOLDERS = {
    # variable: (option of ansible.cfg that sets it, folder below playbooks/)
    "ANSIBLE_ROLES_PATH": ("roles_path", "roles"),
    "ANSIBLE_LIBRARY": ("library", "library"),
    "ANSIBLE_MODULE_UTILS": ("module_utils", "module_utils"),
    "ANSIBLE_FILTER_PLUGINS": ("filter_plugins", "filter_plugins"),
    "ANSIBLE_LOOKUP_PLUGINS": ("lookup_plugins", "lookup_plugins"),
    "ANSIBLE_CONNECTION_PLUGINS": ("connection_plugins", "connection_plugins"),
}
_ASK = {
    "ask_vault_pass": "name a vault_password_file",
    "ask_pass": "set ansible_password in the inventory, from a vault",
    "become_ask_pass": "set ansible_become_password in the inventory, from a vault",
    "ask_become_pass": "set ansible_become_password in the inventory, from a vault",
    "ask_sudo_pass": "set ansible_become_password in the inventory, from a vault",
    "ask_su_pass": "set ansible_become_password in the inventory, from a vault",
}
"""Settings that make each program of Ansible ask the terminal first, and what to do instead."""
_IDENTITIES = "vault_identity_list"
SU_PASSWORDS = frozenset({"ansible_become_password", "ansible_become_pass", "ansible_su_pass"})
SU_ASKS = (
    "su asks for a password{on}, and nobody answers in a drill: set ansible_become_password in the "
    "inventory, from a vault"
)


def is_su(method: object) -> bool:
    """Whether a `become_method` is that of `su`, which asks everybody but root.

    Others may be configured to ask nobody.
    """
    return method in ("su", "ansible.builtin.su")


def ansible_playbook() -> Path:
    """The program ansible-playbook of this Python. Raises PlaybookError when it is not there."""
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    if not program.is_file():
        raise PlaybookError(f"There is no {program}: install Drillbook and ansible-core into one Python environment.")
    return program


def command_of(program: Path) -> list[str]:
    """The command that starts `program`, an ansible-playbook: `inside/program.py`, under the Python that the program
    names.
    """
    return [interpreter(program), str(INSIDE), str(program)]


def interpreter(program: Path) -> str:
    """The Python that the script names. A play sees it as `ansible_playbook_python`."""
    with program.open("rb") as script:
        first = script.readline(256).decode(errors="replace").strip()
    named = first.removeprefix("#!").strip()
    return (
        named if first.startswith("#!") and "python" in Path(named).name and Path(named).is_file() else sys.executable
    )


def passed_on(pass_env: Iterable[str]) -> list[str]:
    """The variables of the caller's environment that reach a play."""
    names = PASSED_ON | frozenset(pass_env)
    return [
        name
        for name in os.environ
        if (name in names or name.startswith("DRILLBOOK_")) and name not in passphrase.OF_THIS_PROCESS
    ]


def environment(root: Path, private: Path, pass_env: Iterable[str] = ()) -> dict[str, str]:
    """The environment of ansible-playbook: a white list of the caller's, and settings that make every run alike.

    `root`/ansible.cfg is honoured when it exists: this function leaves its settings alone, except that the repository's
    folders come last. It reads no other ansible.cfg (neither the home directory's nor that of /etc): two engineers on
    call must get the same run.
    """
    env = {name: os.environ[name] for name in passed_on(pass_env)}
    for name in ("ANSIBLE_VAULT_PASSWORD_FILE",):
        if name in env:  # relative to where pytest was started, but the run has its own working directory
            env[name] = str(Path(env[name]).expanduser().absolute())
    scripts = sysconfig.get_path("scripts")
    env["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    env |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}

    configuration = root / "ansible.cfg"
    if configuration.is_file():
        env["ANSIBLE_CONFIG"] = str(configuration)
    else:
        (private / "ansible.cfg").touch(mode=0o600)
        env["ANSIBLE_CONFIG"] = str(private / "ansible.cfg")
    said = _options_of(configuration)
    _refuse_questions(configuration, said, env)
    env |= {
        "ANSIBLE_HOME": str(private / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",  # half an inventory is a wrong inventory
        # Ansible reports a misspelt host or group, whatever ansible.cfg says; where ansible.cfg makes it an error, it
        # stays one
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error" if said.get("host_pattern_mismatch") == "error" else "warning",
        # no result may be hidden
        "ANSIBLE_DISPLAY_OK_HOSTS": "True",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "True",
    }
    if "interpreter_python" not in said:
        env["ANSIBLE_PYTHON_INTERPRETER"] = "auto_silent"
    home = Path(env["HOME"]) if env.get("HOME") else _home()
    of_caller = {option: env[name] for name, (option, _) in _PLUGIN_FOLDERS.items() if name in env}
    env |= _plugin_folders(root, home, {**said, **of_caller})
    of_user = env.get("ANSIBLE_COLLECTIONS_PATH") or said.get("collections_path") or said.get("collections_paths")
    if of_user:
        env["ANSIBLE_COLLECTIONS_PATH"] = _joined(root, of_user, root / "collections")
    else:
        collections = [root / "collections", home / ".ansible" / "collections", Path("/usr/share/ansible/collections")]
        # whether they exist or not: Ansible skips a missing folder, and makes the second one in mid-session
        env["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(map(str, collections))
    return env


def callbacks(of_runner: str) -> str:
    """Where Ansible finds ansible-runner's callback and ours."""
    return os.pathsep.join([of_runner, str(PLUGINS / "callback")])


def plugin_folders(root: Path) -> dict[str, str]:
    """Where plays find the repository's own roles, modules and plugins, for other programs that read playbooks.

    Raises PlaybookError for an ansible.cfg that cannot be read.
    """
    return _plugin_folders(root, _home(), _options_of(root / "ansible.cfg"))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise PlaybookError(
            "this user has no home folder, in which Ansible looks for plugins and collections: set HOME to a folder"
        ) from error


def roles_path(root: Path) -> list[Path]:
    """The folders in which plays find roles, as configuration names them. Raises PlaybookError."""
    named = plugin_folders(root)["ANSIBLE_ROLES_PATH"].split(os.pathsep)
    return [Path(os.path.expandvars(each)).expanduser() for each in named]


def _plugin_folders(root: Path, home: Path, said: Mapping[str, str]) -> dict[str, str]:
    """The folders of ansible.cfg first, the folder of the repository last, so that plays always find it."""
    folders = {}
    for name, (option, folder) in _PLUGIN_FOLDERS.items():
        of_user = said.get(option)
        ours = root / "playbooks" / folder
        if of_user:
            folders[name] = _joined(root, of_user, ours)
        else:
            folders[name] = os.pathsep.join(
                map(str, [ours, *([home / ".ansible" / "roles"] if folder == "roles" else [])])
            )
    # behind those of the repository: it may have a better one of the same name
    folders["ANSIBLE_CONNECTION_PLUGINS"] += os.pathsep + str(PLUGINS / "connection")
    return folders


def _joined(root: Path, of_user: str, ours: Path) -> str:
    """The folders that the user names, with ours after them."""
    named = [_from_root(root, each) for each in of_user.split(os.pathsep) if each.strip()]
    return os.pathsep.join(dict.fromkeys([*named, str(ours)]))


def _from_root(root: Path, place: str) -> str:
    """A path of ansible.cfg, made absolute.

    In the file it is relative to that file; in a variable it would be relative to the working directory.
    """
    place = place.strip().strip("\"'").replace("{{CWD}}", str(root))
    return place if place.startswith(("/", "~", "$")) else os.path.normpath(root / place)


def _options_of(configuration: Path) -> dict[str, str]:
    """The options of an ansible.cfg with their values, in whatever section they stand."""
    parser = configparser.ConfigParser(
        interpolation=None, strict=False, allow_no_value=True, inline_comment_prefixes=(";",)
    )
    try:
        parser.read(configuration, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        msg = f"{configuration} is no configuration that Ansible could read: {' '.join(str(error).split())}"
        raise PlaybookError(msg) from error
    return {option: value or "" for section in parser.sections() for option, value in parser.items(section)}


def _refuse_questions(configuration: Path, said: Mapping[str, str], env: Mapping[str, str]) -> None:
    """Nobody sits at the terminal of a drill. Raises PlaybookError with the setting and its place."""
    for option, instead in _ASK.items():
        variable = f"ANSIBLE_{option.upper()}"
        if boolean(env.get(variable, said.get(option, ""))):
            raise PlaybookError(_asks(configuration, option, variable, env, instead))
    variable = f"ANSIBLE_{_IDENTITIES.upper()}"
    identities = env.get(variable, said.get(_IDENTITIES, ""))
    if any(each.strip().rpartition("@")[2] in {"prompt", "prompt_ask_vault_pass"} for each in identities.split(",")):
        raise PlaybookError(_asks(configuration, _IDENTITIES, variable, env, "name a file behind the @"))


def _asks(configuration: Path, option: str, variable: str, env: Mapping[str, str], instead: str) -> str:
    if variable in env:
        where = f"the variable {variable}"
    else:
        lines = configuration.read_text(encoding="utf-8").splitlines()
        line = next((n for n, each in enumerate(lines, start=1) if each.strip().lower().startswith(option)), 1)
        where = f"{option} ({configuration}:{line})"
    return f"With {where} Ansible asks for a password, and nobody answers in a drill: {instead}."
