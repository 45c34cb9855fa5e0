"""What all tests share."""

from __future__ import annotations

import gc
import re
import signal
import textwrap

import hypothesis
import pytest

pytest_plugins = ["pytester", "tests.tiers", "tests.one_lab", "tests.longest_first", "tests.measured"]

# Python's collector takes a twentieth of the tests' processor time. Little of what a test makes is for it.
gc.set_threshold(50_000, 20, 20)
# An example may take as long as the machine lets it.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

# Each run of pytest within a test would load what happens to be installed anew: testinfra alone is half of a short one.
PYTEST_INI = """\
[pytest]
addopts =
    -p no:drillbook -p no:hypothesispytest -p no:pytest11.testinfra -p no:anyio -p no:valkey -p no:platformdirs
    -p collection_only -p no:cacheprovider --strict-markers
filterwarnings = error
pythonpath = .
drillbook_drill = true
drillbook_features = .
"""

# The collection alone, without the drill engine around it.
COLLECTION_ONLY = """\
import pytest

def pytest_addoption(parser, pluginmanager):
    from drillbook.pytest_plugin.collecting import asked, collection
    asked.add_options(parser)
    pluginmanager.register(collection, collection.__name__)

@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt(excinfo):
    # a refused file interrupts the session; pytest reads the source of each frame of that, and shows none: half a run
    excinfo.traceback = excinfo.traceback[-1:]
"""

STEPS = """\
from pathlib import Path
from drillbook import fault, given, parse, recovery, then, when

def ran(what):
    with Path("ran").open("a") as file:
        print(what, file=file)

@given("the system is healthy")
def healthy():
    ran("healthy")

@when(parse('somebody calls "{name}"'))
def call(name):
    ran(f"call {name}")

@fault(parse('the network between "{client}" and "{server}" is cut'))
def cut(client, server):
    ran(f"cut {client} {server}")

@then(parse('within {deadline:Duration} the API reports "{component}" as {state:State}'))
def reports(deadline, component, state):
    ran(f"{component} {state} {deadline:g}")

@recovery(parse('the recovery playbook "{name}" is run'))
def recover(name):
    ran(f"recover {name}")
"""


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the collector need not look through it again."""
    gc.freeze()


class Project:
    """A drill repository in a temporary folder, with the steps above in `steps/system.py`."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.write("pytest.ini", PYTEST_INI)
        self.write("collection_only.py", COLLECTION_ONLY)
        self.write("steps/system.py", STEPS)

    def write(self, name: str, text: str) -> None:
        """Write a file, dedented."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def steps(self, text: str, name: str = "steps/more.py") -> None:
        """Write a further step module."""
        imports = (
            "from drillbook import fault, given, parse, recovery, then, when\nfrom pathlib import Path\nimport pytest\n"
        )
        self.write(name, imports + textwrap.dedent(text).lstrip("\n"))

    def feature(self, text: str, name: str = "features/x.feature") -> None:
        """Write a feature."""
        self.write(name, text)

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process."""
        return self.pytester.runpytest_inprocess(*args)

    def ids(self, *args: str) -> list[str]:
        """The node ids that pytest would run."""
        return [line for line in self.run("--collect-only", "-q", *args).outlines if "::" in line]

    @property
    def ran(self) -> list[str]:
        """What the steps said while they ran."""
        path = self.path / "ran"
        return path.read_text().splitlines() if path.exists() else []


def pytest_configure() -> None:
    """A shell that runs us in the background has SIGINT ignored, and so would every process whose stop is tested."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A drill repository in a temporary folder."""
    return Project(pytester)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many of the harness mutants were killed (tests/drills/test_mutants*.py), and which were not.

    Here and not beside them: xdist's controller has all reports, and loads only the conftest.py above the paths given.
    """
    of_mutants = re.compile(r"test_mutants\w*\.py::test_it_does_not_pass\[").search
    reports = {outcome: terminalreporter.getreports(outcome) for outcome in ("passed", "failed", "error")}
    killed = {report.nodeid for report in reports.pop("passed") if of_mutants(report.nodeid)}
    survivors = {report.nodeid for each in reports.values() for report in each if of_mutants(report.nodeid)}
    if killed or survivors:
        killed -= survivors
        terminalreporter.write_line(f"mutants: {len(killed)} of {len(killed | survivors)} killed")
    for nodeid in sorted(survivors):
        terminalreporter.write_line(f"mutant that passed, or was killed for the wrong reason: {nodeid}", red=True)
