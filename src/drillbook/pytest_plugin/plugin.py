"""The pytest plugin: options, and the drill's place in pytest's life of a test.

The rule: pytest never says `passed` of a drill that is not PASSED. The steps run in the call phase, the restore in the
teardown phase, and the word `passed` is only said after both. What only a drill needs is imported when
the first one begins.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Generator
from typing import Any

import pytest

from drillbook.model.time_limits import DEFAULTS_S
from drillbook.pytest_plugin import plan_mode, warm_ansible
from drillbook.pytest_plugin.collecting import asked, collection, hiding
from drillbook.pytest_plugin.drill_session import drill_session, known_secrets, session_key
from drillbook.pytest_plugin.handed_over import HandedOver, handed_over_key
from drillbook.pytest_plugin.live_output import Mailbox, Post, out_key, screen
from drillbook.pytest_plugin.options import DEFAULT_EVIDENCE, DEFAULT_INVENTORY
from drillbook.pytest_plugin.outcomes import ended_key
from drillbook.pytest_plugin.roll_call import RollCall

pytest_plugins = [
    f"{__package__}.{name}" for name in ("collecting.hiding", "drawing", "drill_hooks", "outcomes", "reports")
]

XDIST_EXIT_TIMEOUT_S = 600
mailbox_key = pytest.StashKey[Mailbox]()
roll_key = pytest.StashKey[RollCall]()

# ------------------------------------------------------------------ options


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Options; pytest-ansible owns --inventory where it is installed, and its value is used then."""
    group = parser.getgroup("drillbook", "recovery drills")
    if importlib.util.find_spec("pytest_ansible") is None:
        group.addoption(
            "--inventory",
            metavar="PATH",
            action="append",
            default=None,
            help="Ansible inventory to drill (default: inventories/lab); several times: merged, as by Ansible's -i",
        )
    group.addoption("--evidence", metavar="DIR", default=None, help="where evidence is kept (default: evidence)")
    group.addoption(
        "--allow-production",
        metavar="NAME",
        default=None,
        help="drill the production environment of this name",
    )
    group.addoption("--runs-to", metavar="FILE", default=None, help=argparse.SUPPRESS)
    group.addoption("--handed-over", metavar="SOCKET", type=int, default=None, help=argparse.SUPPRESS)
    warm_ansible.add_options(group, parser)
    if not pluginmanager.is_registered(warm_ansible):
        pluginmanager.register(warm_ansible, "drillbook-warming")
    plan_mode.add_options(group)
    group.addoption(
        "--present",
        metavar="NAME",
        action="append",
        default=None,
        help="who is present at the drills; several times, or separated by commas (default: DRILLBOOK_PRESENT)",
    )
    group.addoption(
        "--require-drills", action="store_true", help="a drill that was left out (-k, -m, --deselect) fails the session"
    )
    parser.addini("drillbook_inventory", "Ansible inventory to drill", default=DEFAULT_INVENTORY)
    parser.addini(
        "drillbook_report",
        "write report.html of each drill at once; 'drillbook report FOLDER' does it later",
        type="bool",
        default=True,
    )
    parser.addini("drillbook_evidence", "folder for evidence", default=DEFAULT_EVIDENCE)
    parser.addini("drillbook_pass_env", "further environment variables that playbooks may see", type="args", default=[])
    for name, default_s in DEFAULTS_S.items():
        said = f"how long at most, for all scenarios ({default_s:.0f}s): '30m'; a scenario's tag @{name} wins"
        parser.addini(f"drillbook_{name.replace('-', '_')}", said, default="")
    collection.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the collection, and take hold of the terminal while its capture is suspended."""
    config.stash[ended_key] = []
    config.stash[hiding.knows_key] = known_secrets
    config.stash[roll_key] = RollCall(config, config.stash[ended_key])
    if not asked.is_ours(config):
        return
    if not config.hook.pytest_bdd_before_step.has_spec():
        raise pytest.UsageError("drillbook needs the plugin pytest-bdd, which is switched off: remove -p no:pytest-bdd")
    config.pluginmanager.register(config.stash[roll_key], "drillbook-rollcall")
    number = config.getoption("--handed-over")
    if number is not None:
        config.stash[handed_over_key] = HandedOver(config, number, config.stash[roll_key])
        config.pluginmanager.register(config.stash[handed_over_key], "drillbook-handed-over")
    if not config.pluginmanager.is_registered(collection):
        config.pluginmanager.register(collection, "drillbook-collection")
    plan_mode.register(config, drill_session)
    if config.option.help or config.option.version or config.option.collectonly:
        return
    if not config.pluginmanager.hasplugin("terminalreporter") and not hasattr(config, "workerinput"):
        return
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        if "drillbook_events" in workerinput:
            config.stash[out_key] = Post(workerinput["drillbook_events"], workerinput["workerid"])
    else:
        config.stash[out_key] = shown = screen(config.get_terminal_writer().hasmarkup)
        if getattr(config.option, "numprocesses", None):
            config.stash[mailbox_key] = Mailbox(shown)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Where pytest finds nothing in a feature that is named, say why."""
    try:
        return (yield)
    except pytest.UsageError as error:
        why = asked.not_ours(session.config)
        if why is not None:
            raise pytest.UsageError(*error.args, why) from None
        raise


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: tell each worker where to send what it shows, and which session it belongs to."""
    # xdist kills a worker 10 s after Ctrl-C: in the middle of an undo
    node.nodemanager.EXIT_TIMEOUT = max(getattr(node.nodemanager, "EXIT_TIMEOUT", 0), XDIST_EXIT_TIMEOUT_S)
    if mailbox_key in node.config.stash:
        node.workerinput["drillbook_events"] = node.config.stash[mailbox_key].address


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """No title with a secret in it is shown, or names a folder of evidence."""
    config = session.config
    redactor = hiding.knowing(config) if config.stash.get(hiding.drills_key, False) else None
    if redactor is not None:
        identity = handed_over_key not in config.stash
        hiding.rename(session.items, redactor.text, config.stash[roll_key].renamed, identity=identity)
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the session has started, and give the terminal back."""
    if session_key in config.stash:
        config.stash[session_key].close()
    if mailbox_key in config.stash:
        config.stash[mailbox_key].close()
    if out_key in config.stash:
        config.stash[out_key].close()
