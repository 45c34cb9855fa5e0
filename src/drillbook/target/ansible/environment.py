"""The environment of every ansible-playbook that Drillbook starts.

The rule: nothing of the caller's shell reaches a play but what a white list names, and two engineers on call get the
same run. It imports nothing of ansible-runner, so that the warm server starts before that is loaded.
"""

from __future__ import annotations

import configparser
import os
import sysconfig
from collections.abc import Container, Iterable
from pathlib import Path

from drillbook.errors import PlaybookError

PLUGINS = Path(__file__).parent / "plugins"
"""Drillbook's own plugins for Ansible, in one folder for each type."""
OWNER = "DRILLBOOK_OWNER"
"""Names the process that runs a play, so that whoever finds that process dead can end the play."""
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
"""Variables of the caller's environment that reach Ansible; so do those with the prefix DRILLBOOK_ and those in
`pass_env`.
"""
_PLUGIN_FOLDERS = {
    # variable: (section and option of ansible.cfg that come first, folder below playbooks/)
    "ANSIBLE_ROLES_PATH": ("roles_path", "roles"),
    "ANSIBLE_LIBRARY": ("library", "library"),
    "ANSIBLE_MODULE_UTILS": ("module_utils", "module_utils"),
    "ANSIBLE_FILTER_PLUGINS": ("filter_plugins", "filter_plugins"),
    "ANSIBLE_LOOKUP_PLUGINS": ("lookup_plugins", "lookup_plugins"),
}


def ansible_playbook() -> Path:
    """The program ansible-playbook of this Python. Raises PlaybookError when it is not there."""
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    if not program.is_file():
        raise PlaybookError(f"There is no {program}: install Drillbook and ansible-core into one Python environment.")
    return program


def environment(root: Path, private: Path, pass_env: Iterable[str] = ()) -> dict[str, str]:
    """The environment of ansible-playbook: a white list of the caller's, and settings that make every run alike.

    `root`/ansible.cfg is honoured when it exists: what it sets is not set here. No other ansible.cfg is read (neither
    that of the home directory nor that of /etc): two engineers on call must get the same run.
    """
    names = PASSED_ON | frozenset(pass_env)
    env = {name: value for name, value in os.environ.items() if name in names or name.startswith("DRILLBOOK_")}
    for name in ("ANSIBLE_VAULT_PASSWORD_FILE",):
        if name in env:  # relative to where pytest was started, while the run has its own working directory
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
    env |= {
        "ANSIBLE_HOME": str(private / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",  # half an inventory is a wrong inventory
        # a host or group that is misspelt is told, whatever ansible.cfg says; where it is to be an error, it stays one
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error" if said.get("host_pattern_mismatch") == "error" else "warning",
        # no result may be hidden
        "ANSIBLE_DISPLAY_OK_HOSTS": "True",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "True",
    }
    if "interpreter_python" not in said:
        env["ANSIBLE_PYTHON_INTERPRETER"] = "auto_silent"
    home = Path(env.get("HOME", "~")).expanduser()
    env |= _plugin_folders(root, home, said)
    if "collections_path" not in said:
        collections = [root / "collections", home / ".ansible" / "collections", Path("/usr/share/ansible/collections")]
        # whether they exist or not: Ansible passes over what is not there, and makes the second one in mid-session
        env["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(map(str, collections))
    return env


def callbacks(of_runner: str) -> str:
    """Where Ansible finds ansible-runner's callback and ours."""
    return os.pathsep.join([of_runner, str(PLUGINS / "callback")])


def plugin_folders(root: Path) -> dict[str, str]:
    """Where plays find the repository's own roles, modules and plugins, for other programs that read playbooks.

    Raises PlaybookError for an ansible.cfg that cannot be read.
    """
    return _plugin_folders(root, Path.home(), _options_of(root / "ansible.cfg"))


def _plugin_folders(root: Path, home: Path, said: Container[str]) -> dict[str, str]:
    folders = {}
    for name, (option, folder) in _PLUGIN_FOLDERS.items():
        if option not in said:
            places = [root / "playbooks" / folder, *([home / ".ansible" / "roles"] if folder == "roles" else [])]
            folders[name] = os.pathsep.join(map(str, places))
    return folders


def _options_of(configuration: Path) -> dict[str, str | None]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read(configuration, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        msg = f"{configuration} is no configuration that Ansible could read: {' '.join(str(error).split())}"
        raise PlaybookError(msg) from error
    return {option: value for section in parser.sections() for option, value in parser.items(section)}
