"""The pytest plugin as every session has it where Drillbook is installed: its options, and whether the root is ours.

The rule: a suite that is not ours does not notice us. In a drill repository Ansible's import is begun first, and then
all else is loaded (`repository_plugin`), so that both go on side by side.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Generator

import pytest

from drillbook.model.time_limits import DEFAULTS_S
from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.collecting import asked
from drillbook.pytest_plugin.options import DEFAULT_EVIDENCE, DEFAULT_INVENTORY

_IN_A_REPOSITORY = f"{__package__}.repository_plugin"


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
    group.addoption(
        "--summary",
        metavar="FILE",
        default=None,
        help="write what the session's drills came to into this file, as JSON",
    )
    group.addoption("--runs-to", metavar="FILE", default=None, help=argparse.SUPPRESS)
    group.addoption("--handed-over", metavar="SOCKET", type=int, default=None, help=argparse.SUPPRESS)
    warm_ansible.add_options(group, parser)
    if not pluginmanager.is_registered(warm_ansible):
        pluginmanager.register(warm_ansible, "drillbook-warming")
    group.addoption(
        "--plan",
        action="store_true",
        default=False,
        help="show what each scenario would change where, and touch nothing",
    )
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
    asked.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load what a drill repository needs. Ansible's import has begun by now, where there will be drills."""
    if asked.is_ours(config):
        if not config.pluginmanager.hasplugin("pytest-bdd"):
            raise pytest.UsageError(
                "drillbook needs the plugin pytest-bdd, which is switched off: remove -p no:pytest-bdd"
            )
        config.pluginmanager.import_plugin(_IN_A_REPOSITORY)
    elif config.getoption("--summary"):
        raise pytest.UsageError(f"--summary: {config.rootpath} is no drill repository, and nothing would be written")


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
