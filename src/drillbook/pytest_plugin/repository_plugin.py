"""The pytest plugin in a drill repository: it puts the drill into pytest's life of a test.

The rule: pytest never says `passed` about a drill that is not PASSED. The steps run in the call phase, the restore in
the teardown phase. The word `passed` comes only after both. What only a drill needs is imported when the first one
begins.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.evidence.sealing import passphrase
from drillbook.pytest_plugin import summary, warm_ansible
from drillbook.pytest_plugin.collecting import collection, hiding
from drillbook.pytest_plugin.collecting.nodes import ScenarioItem
from drillbook.pytest_plugin.drill_session import drill_session, known_secrets, session_key
from drillbook.pytest_plugin.handed_over import HandedOver, handed_over_key
from drillbook.pytest_plugin.options import evidence_place, place_key
from drillbook.pytest_plugin.outcomes import ended_key
from drillbook.pytest_plugin.output.live_output import Mailbox, Post, out_key, screen
from drillbook.pytest_plugin.roll_call import RollCall

if TYPE_CHECKING:
    from drillbook.evidence.redaction import Redactor

XDIST_EXIT_TIMEOUT_S = 600
mailbox_key = pytest.StashKey[Mailbox]()
roll_key = pytest.StashKey[RollCall]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the collection, and take hold of the terminal while its capture is suspended."""
    config.stash[warm_ansible.say_key] = lambda text: config.stash.get(out_key, _unseen)(
        {"event": "note", "text": text}
    )
    config.stash[ended_key] = []
    config.stash[hiding.knows_key] = _known
    config.stash[roll_key] = RollCall(config, config.stash[ended_key])
    config.pluginmanager.register(config.stash[roll_key], "drillbook-rollcall")
    summary.begin(config)
    number = config.getoption("--handed-over")
    if number is not None:
        config.stash[handed_over_key] = HandedOver(config, number, config.stash[roll_key])
        config.pluginmanager.register(config.stash[handed_over_key], "drillbook-handed-over")
    if not config.pluginmanager.is_registered(collection):
        config.pluginmanager.register(collection, "drillbook-collection")
    if config.getoption("--plan") and not config.pluginmanager.hasplugin("drillbook-plan"):
        # only a session that plans needs the planner: no other waits for its import (test_lean_start)
        from drillbook.pytest_plugin.plan_run import PlanRun

        config.pluginmanager.register(PlanRun(config, drill_session), "drillbook-plan")
    _take_hold_of_the_terminal(config)


def has_store(config: pytest.Config) -> bool:
    """Whether the session brings its evidence to a store. Raises UsageError for an invalid place."""
    place, option = evidence_place(config), config.option
    if place.url is None or option.help or option.version or option.collectonly or option.plan:
        return False
    config.stash[place_key] = place
    return True


def _take_hold_of_the_terminal(config: pytest.Config) -> None:
    if config.option.help or config.option.version or config.option.collectonly:
        return
    if not config.pluginmanager.hasplugin("terminalreporter") and not hasattr(config, "workerinput"):
        return
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        if "drillbook_key_passphrase" in workerinput:
            passphrase.hold(workerinput.pop("drillbook_key_passphrase"))
        if "drillbook_events" in workerinput:
            config.stash[out_key] = Post(workerinput["drillbook_events"], workerinput["workerid"])
    else:
        config.stash[out_key] = shown = screen(config.get_terminal_writer().hasmarkup)
        if getattr(config.option, "numprocesses", None):
            config.stash[mailbox_key] = Mailbox(shown)


def _known(config: pytest.Config) -> Redactor | None:
    """A list shows only what the features say, and needs no inventory, unless a feature is refused."""
    if config.option.collectonly and hiding.refused_key not in config.stash:
        return None
    return known_secrets(config)


def _unseen(_event: Mapping[str, Any]) -> None:
    """Shows nothing of an event, where nobody sees the session's output."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Import Ansible for the collected drills."""
    config = session.config
    any_drill = any(isinstance(item, ScenarioItem) and item.scenario.is_drill for item in session.items)
    warm_ansible.drills_are_known(config, any_drill=any_drill)
    config.stash[hiding.drills_key] = any_drill


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: tell each worker where to send its output, and which session it belongs to."""
    # xdist kills a worker 10 s after Ctrl-C: that may be in the middle of an undo
    node.nodemanager.EXIT_TIMEOUT = max(getattr(node.nodemanager, "EXIT_TIMEOUT", 0), XDIST_EXIT_TIMEOUT_S)
    secret = passphrase.held()
    if secret is not None:
        node.workerinput["drillbook_key_passphrase"] = secret  # by the worker's pipe, and in no environment
    if mailbox_key in node.config.stash:
        node.workerinput["drillbook_events"] = node.config.stash[mailbox_key].address


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Take secrets out of titles before a title is shown, or names a folder of evidence."""
    if not session.config.option.collectonly:
        _hide_titles(session)
    return (yield)


def _hide_titles(session: pytest.Session) -> None:
    config = session.config
    redactor = hiding.knowing(config) if config.stash.get(hiding.drills_key, False) else None
    if redactor is not None:
        identity = handed_over_key not in config.stash
        hiding.rename(session.items, redactor.text, config.stash[roll_key].renamed, identity=identity)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the session has started, and give the terminal back."""
    if session_key in config.stash:
        config.stash[session_key].close()
    if mailbox_key in config.stash:
        config.stash[mailbox_key].close()
    if out_key in config.stash:
        config.stash[out_key].close()
