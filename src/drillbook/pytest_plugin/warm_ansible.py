"""When a session's warm Ansible begins and ends: a part of the pytest plugin.

The rule: it begins as soon as drills are certain, and never without drills. Feature files on the command line show that
a fifth of a second before the collection does. So this module imports little: the rest of the plugin is imported when
the server has started.
"""

from __future__ import annotations

import atexit
import gc
import os
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.pytest_plugin.collecting import asked
from drillbook.pytest_plugin.named import inventory_paths

if TYPE_CHECKING:
    from drillbook.target.ansible.warm.client import Warm

WARM = ("auto", "off")
warm_key: pytest.StashKey[Warm] = pytest.StashKey()
_imports_key: pytest.StashKey[ExitStack] = pytest.StashKey()
"""Holds `no_garbage` open while pytest collects."""
say_key: pytest.StashKey[Callable[[str], None]] = pytest.StashKey()
"""Is told why runs are cold; its receiver is imported when the server has started."""


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
    """Named feature files mean that there will be drills."""
    config.stash[_imports_key] = ExitStack()
    option = config.option
    controller = getattr(option, "numprocesses", None) and not hasattr(config, "workerinput")
    if option.help or option.version or option.collectonly or config.getoption("--plan") or controller:
        return
    if asked.is_ours(config) and asked.names_features(config):
        config.stash[_imports_key].enter_context(no_garbage())  # until the collection has ended
        _warm_up(config)


def drills_are_known(config: pytest.Config, *, any_drill: bool) -> None:
    """Import Ansible in the background for the collected drills; without drills, stop."""
    config.stash[_imports_key].close()
    if not any_drill:
        _cool_down(config, unused=True)
    elif not config.option.collectonly:
        # at its end an interpreter looks for garbage in all that it ever imported: 0.2 s, and it frees all of that
        # anyway
        atexit.register(gc.freeze)
        _warm_up(config)


@contextmanager
def no_garbage() -> Iterator[None]:
    """Keep what is imported within, and never search it for garbage.

    A search during the imports takes a tenth of the time, one in the drill stops the prober, and pytest would make one
    at its end.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was begun, even when the collection broke off."""
    if _imports_key in config.stash:
        config.stash[_imports_key].close()
    _cool_down(config)


def _warm_up(config: pytest.Config) -> None:
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    if warm_key in config.stash or _asked(config) == "off" or not program.is_file():  # otherwise each run says so
        return
    # 10 ms that no session without drills should spend
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
