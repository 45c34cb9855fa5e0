"""When a session's warm Ansible begins and ends: a part of the pytest plugin.

The rule: it begins as early as it is known that there will be drills, and never where there are none. Feature files on
the command line say so a fifth of a second before the collection does. So this module imports little: all else of the
plugin is imported when the server has begun.
"""

from __future__ import annotations

import atexit
import gc
import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.pytest_plugin.collecting import asked
from drillbook.pytest_plugin.options import inventory_paths

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm

WARM = ("auto", "off")
warm_key: pytest.StashKey[Warm] = pytest.StashKey()
say_key: pytest.StashKey[Callable[[str], None]] = pytest.StashKey()
"""Is told why runs are cold; what listens is imported when the server has begun."""


def add_options(group: pytest.OptionGroup, parser: pytest.Parser) -> None:
    """`--warm`, and its line of the ini."""
    group.addoption(
        "--warm",
        choices=WARM,
        default=None,
        help="auto (default): import Ansible once for all playbooks of the session; off: once for each",
    )
    parser.addini("drillbook_warm", "auto or off: import Ansible once for the session", default=WARM[0])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Where feature files are named there will be drills."""
    option = config.option
    controller = getattr(option, "numprocesses", None) and not hasattr(config, "workerinput")
    if option.help or option.version or option.collectonly or config.getoption("--plan") or controller:
        return
    if asked.is_ours(config) and asked.names_features(config):
        _warm_up(config)


def drills_are_known(config: pytest.Config, *, any_drill: bool) -> None:
    """Import Ansible in the background for the drills that there are; for none of them, no more."""
    if not any_drill:
        _cool_down(config, unused=True)
    elif not config.option.collectonly:
        # an interpreter that ends looks for garbage in all that it ever imported: 0.2 s, and it gives all back anyway
        atexit.register(gc.freeze)
        _warm_up(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was begun."""
    _cool_down(config)


def _warm_up(config: pytest.Config) -> None:
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    if warm_key in config.stash or _asked(config) == "off" or not program.is_file():  # without it each run says so
        return
    # 10 ms that no session without drills has to spend
    from drillbook.target.ansible.warm.client import Warm

    def say(text: str) -> None:
        config.stash.get(say_key, _nobody_listens)(text)

    inventory, *further = inventory_paths(config)
    config.stash[warm_key] = Warm(
        config.rootpath,
        tuple(config.getini("drillbook_pass_env")),
        program,
        say,
        inventory if inventory.exists() and not further else None,
    )


def _nobody_listens(_text: str) -> None:
    """The session has no terminal to say it on."""


def _cool_down(config: pytest.Config, *, unused: bool = False) -> None:
    if warm_key in config.stash:
        config.stash[warm_key].close(unused=unused)
        del config.stash[warm_key]


def _asked(config: pytest.Config) -> str:
    """The option wins over the variable, and the variable over the ini."""
    named = config.getoption("--warm") or os.environ.get("DRILLBOOK_WARM") or str(config.getini("drillbook_warm"))
    if named not in WARM:
        raise pytest.UsageError(
            f"warm playbooks are {' or '.join(WARM)}, not {named!r}: see DRILLBOOK_WARM and drillbook_warm"
        )
    return named
