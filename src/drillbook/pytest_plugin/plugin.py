"""The pytest plugin in every session where Drillbook is installed: its options, and whether the root is ours.

The rule: Drillbook does nothing in a suite that is not ours. In a drill repository it first starts Ansible's import,
and then loads all else (`repository_plugin`), so that both go on side by side.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Generator
from importlib import import_module

import pytest

from drillbook.evidence.sealing import passphrase
from drillbook.model.times.default_limits import DEFAULTS_S
from drillbook.pytest_plugin import warm_ansible
from drillbook.pytest_plugin.collecting import asked
from drillbook.pytest_plugin.named import DEFAULT_EVIDENCE, DEFAULT_INVENTORY

_OF_A_REPOSITORY = tuple(
    f"{__package__}.{part}"
    for part in ("repository_plugin", "collecting.hiding", "output.drawing", "drill_hooks", "outcomes", "reports")
)
_WITH_A_STORE = f"{__package__}.output.storing"
passphrase.take()  # before anything starts that would inherit it


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options. Where pytest-ansible is installed it owns --inventory, and its value is used."""
    group = parser.getgroup("drillbook", "recovery drills")
    if importlib.util.find_spec("pytest_ansible") is None:
        group.addoption(
            "--inventory",
            metavar="PATH",
            action="append",
            default=None,
            help="Ansible inventory to drill (default: inventories/lab); several times: merged, as by Ansible's -i",
        )
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
        help="write the results of the session's drills into this file, as JSON",
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
        help="show what each scenario would change, and where; change nothing",
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
    parser.addini("drillbook_timestamp_url", "an RFC 3161 authority that stamps what is signed", default="")
    parser.addini("drillbook_pass_env", "further environment variables that playbooks may see", type="args", default=[])
    for name, default_s in DEFAULTS_S.items():
        said = f"how long at most, for all scenarios ({default_s:.0f}s): '30m'; a scenario's tag @{name} wins"
        parser.addini(f"drillbook_{name.replace('-', '_')}", said, default="")
    asked.add_options(parser)
    _add_options_of_evidence(group, parser)


def _add_options_of_evidence(group: pytest.OptionGroup, parser: pytest.Parser) -> None:
    group.addoption(
        "--evidence",
        metavar="DIR",
        default=None,
        help="where evidence is kept (default: evidence), or the URL of a store that gets a copy: s3://bucket/prefix",
    )
    parser.addini("drillbook_evidence", "folder for evidence, or the URL of a store", default=DEFAULT_EVIDENCE)
    parser.addini("drillbook_key", "what signs the evidence: a file of 'drillbook keygen', or a URI", default="")
    parser.addini("drillbook_key_public", "the public key (PEM) of a drillbook_key that is a URI", default="")
    parser.addini("drillbook_evidence_lock", "how long nobody may delete what a store of S3 has got: '90d'", default="")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load what a drill repository needs. If there will be drills, Ansible's import has already begun."""
    if asked.is_ours(config):
        if not config.pluginmanager.hasplugin("pytest-bdd"):
            raise pytest.UsageError(
                "drillbook needs the plugin pytest-bdd, which is switched off: remove -p no:pytest-bdd"
            )
        for part in _OF_A_REPOSITORY:
            _register(config, part)
        if import_module(_OF_A_REPOSITORY[0]).has_store(config):
            _register(config, _WITH_A_STORE)
    elif config.getoption("--summary"):
        raise pytest.UsageError(f"--summary: {config.rootpath} is no drill repository, and nothing would be written")


def _register(config: pytest.Config, part: str) -> None:
    """Import and register a part of the plugin. pytest's own import would warn that it cannot rewrite what Python has
    imported.
    """
    config.pluginmanager.register(import_module(part), part)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """When pytest finds nothing in a named feature, say why."""
    try:
        return (yield)
    except pytest.UsageError as error:
        why = asked.not_ours(session.config)
        if why is not None:
            raise pytest.UsageError(*error.args, why) from None
        raise
