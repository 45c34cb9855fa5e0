"""Histories that once passed, or lost a result, in silence."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree

import pytest

from drillbook.evidence.secret_forms import MIN_LENGTH

from .conftest import Mini, Ran, ended, read_until, records, serving
from .mutants import Edit, added, conftest, step, swapped
from .mutants.machinery import BROKEN, FIXTURE, hook
from .test_verdicts import GOOD

pytestmark = pytest.mark.lab


def harmless(mini: Mini) -> None:
    """A second fault that changes something and breaks nothing."""
    folder = mini.root / "playbooks/faults/harmless"
    shutil.copytree(mini.root / "playbooks/faults/breakage", folder)
    for name in ("inject.yml", "undo.yml"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace('"{{ flag }}"', '"{{ flag }}.harmless"'))


def test_the_symptoms_of_the_first_fault_are_not_those_of_the_second(mini: Mini) -> None:
    harmless(mini)
    mini.feature(
        *GOOD,
        'When the service breaks by "harmless"',
        "Then within 2 seconds the service is down",
        'When the recovery playbook "fix" is run',
        "Then within 20 seconds the service is up",
    )
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "observed status 200, required no healthy answer within 2 s" in ran.drill["reason"]


def test_a_bound_that_is_waited_for_and_comes_stands_in_the_record(mini: Mini) -> None:
    mini.feature(*GOOD, "And within 20 seconds the service goes on")
    ran = mini.pytest()
    assert ran.status == 0, ran.output
    (bound,) = [check for check in ran.drill["checks"] if check["role"] == "bound"]
    assert bound["met"]
    assert bound["deadline_s"] - bound["since_s"] == pytest.approx(20)


def test_a_secret_in_a_failure_is_redacted_everywhere(mini: Mini) -> None:
    mini.replace("inventories/hosts.yml", "  hosts:\n", "    app_password: a-very-secret-word\n  hosts:\n")
    mini.feature(*GOOD, 'And the service says "a-very-secret-word"')
    ran = mini.pytest("features", "--junitxml=junit.xml")
    assert ran.status == 1, ran.output
    assert "[REDACTED:app_password]" in ran.output.split("FAILURES")[1].split("drills")[0]
    shown = ran.output.split("criteria")[1]
    assert "required is a-very-secret-word" not in shown
    assert "required is a-very-secret-word" not in (mini.root / "junit.xml").read_text()


SECRET = "Xq7-tB2w-Lm9z-Rd4k-Vn8s-Hc3y-Pf6j-Wg5e"
"""Longer than what pytest shows of a value in an assertion."""
HELD = """

@pytest.fixture
def {name}_held(drill):
    held = drill.inventory.variable("web-1", "app_password")
    yield held
    {after}


@given("it is looked at for {name}")
def it_is_looked_at_for_{name}({name}_held):
    held = {name}_held
    {then}
"""
WHOLE = "--full-trace"


@dataclass(frozen=True)
class Told:
    """What a step, and what a fixture after it, does with a secret; what the terminal shows in its place."""

    then: str
    after: str
    says: str
    args: tuple[str, ...] = ()


SECRETS = {
    "error": Told("raise RuntimeError(held)", "pass", "  RuntimeError: [REDACTED:app_password]", (WHOLE,)),
    "sentence": Told(
        "raise CouldNotLookError(f'psql {held}')",
        "pass",
        "CouldNotLookError: psql [REDACTED:app_password]",
        (WHOLE,),
    ),
    "assertion": Told(
        "assert held == 'it'", "pass", "assert '[REDACTED:app_password]...[REDACTED:app_password]' == 'it'"
    ),
    "output": Told(
        "print(held); assert False", "pass", "stdout call -----------------------------\n[REDACTED:app_password]"
    ),
    "error_of_a_fixture": Told("pass", "raise RuntimeError(held)", "  RuntimeError: [REDACTED:app_password]"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[tuple[str, ...]], Ran]]:
    """The session with these options, with a feature for each step that needs them; it is run once."""
    with ExitStack() as stack:

        @cache
        def run(args: tuple[str, ...]) -> Ran:
            folder = tmp_path_factory.mktemp("secrets")
            mini = stack.enter_context(serving(folder / "mini"))
            mini.variables = {"XDG_STATE_HOME": str(folder / "state")}
            mini.inventory(f"    app_password: {SECRET}\n")
            mini.replace("steps/web.py", "import pytest\n", "import pytest\n\nfrom drillbook.errors import *\n")
            for name in (name for name, each in SECRETS.items() if each.args == args):
                added("steps/web.py", HELD.format(name=name, then=SECRETS[name].then, after=SECRETS[name].after))(mini)
                mini.feature(*GOOD[:1], f"And it is looked at for {name}", *GOOD[1:], name=name)
                (mini.root / "features/web.feature").rename(mini.root / f"features/{name}.feature")
            return mini.pytest("features", "--showlocals", "--junitxml=junit.xml", "-o", "junit_logging=all", *args)

        yield run


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_a_step_comes_upon_is_shown_nowhere(told: Callable[[tuple[str, ...]], Ran], name: str) -> None:
    ran = told(SECRETS[name].args)
    assert ran.status == 11, ran.output
    assert SECRETS[name].says in ran.output
    outcomes = {drill["feature"]["path"]: drill["outcome"] for drill in ran.drills()}
    assert outcomes.pop(f"features/{name}.feature") == "INVALID"
    assert set(outcomes.values()) == {"INVALID"}
    kept = [ran.root / "junit.xml", *ran.root.glob("evidence/**/*")]
    shown = {str(path): path.read_text() for path in kept if path.is_file()} | {"terminal": ran.output}
    parts = [SECRET[at : at + MIN_LENGTH] for at in range(len(SECRET) - MIN_LENGTH + 1)]
    assert [(where, part) for where, text in shown.items() for part in parts if part in text] == []
    (case,) = [
        ElementTree.tostring(each, "unicode")
        for each in ElementTree.parse(kept[0]).iter("testcase")
        if each.get("name") == name
    ]
    assert "[REDACTED:app_password]" in case


def test_the_undo_runs_although_the_evidence_cannot_be_written(mini: Mini) -> None:
    mini.feature(*GOOD[:2], "Then the service is down for 2 seconds", *GOOD[3:])
    process = mini.start()
    read_until(process, r"^  symptoms$")
    shutil.rmtree(mini.root / "evidence")
    output = ended(process)
    assert process.returncode != 0, output
    assert not mini.broken, "the fault is undone all the same"
    assert mini.journal()[-1]["state"] == "closed"


def test_a_drill_whose_record_cannot_be_closed_has_proven_nothing(mini: Mini) -> None:
    """Its samples are written once more at the end, and cannot be: the steps and the restore were sound."""
    mini.replace("steps/web.py", "def healthy(drill: Drill)", "def healthy(drill: Drill, full_disk: None)")
    added("steps/web.py", FULL_DISK)(mini)
    ran = mini.pytest("features", "--junitxml=junit.xml", "--runs-to=runs.json")
    assert ran.status == 11, ran.output
    assert "INTERNALERROR" not in ran.output
    assert re.search(
        "INVALID: the record could not be closed: .*samples.ndjson: evidence cannot be written", ran.output
    )
    assert "PASSED" not in ran.output + (mini.root / "junit.xml").read_text() + (mini.root / "runs.json").read_text()
    assert (ran.drill["outcome"], ran.drill["axes"]["restored"]["holds"]) == ("INVALID", True)
    assert ran.drill["ended_at"] is not None
    assert not mini.broken


FULL_DISK = """

@pytest.fixture
def full_disk(drill):
    yield
    import pathlib

    samples = next(pathlib.Path("evidence").glob("*/content/samples.ndjson"))
    samples.rename(samples.with_name("before.ndjson"))
    samples.mkdir()
"""


def test_a_verdict_that_cannot_be_taken_back_in_the_record_is_taken_back_in_the_session(mini: Mini) -> None:
    unwritable = [
        "for content in pathlib.Path('evidence').glob('*/content'):",
        "    (content / '.drill.json.new').mkdir()",
    ]
    hook("resource()", "import pathlib", "yield", *unwritable, BROKEN, how=FIXTURE)(mini)
    ran = mini.pytest("features", "--junitxml=junit.xml", "--runs-to=runs.json")
    assert ran.status == 11, ran.output
    assert "INTERNALERROR" not in ran.output
    assert "INVALID: a fixture failed after the drill: RuntimeError: the hook is broken" in ran.output
    assert re.search("the verdict INVALID is not in the record: .*drill.json: evidence cannot be written", ran.output)
    for path in ("junit.xml", "runs.json"):
        assert "PASSED" not in (mini.root / path).read_text()


def test_work_that_nobody_can_count_leaves_nothing_broken_and_proves_nothing(mini: Mini) -> None:
    port = (mini.root / "port").read_text()
    mini.inventory(f"""\
    drillbook_work:
      submit: {{url: "http://127.0.0.1:{port}/", body: {{id: "{{id}}"}}, acknowledged: [501]}}
      completed: {{endpoint: books, query: select 1, within: 1}}
""")
    web = "      web: {kind: http"
    mini.replace(
        "inventories/hosts.yml",
        web,
        f'      books: {{kind: sql, url: "postgresql://127.0.0.1:1/x", probe: false}}\n{web}',
    )
    step("work is submitted", "drill.submit_work(5)", kind="given")(mini)
    mini.feature(GOOD[0], "And work is submitted", *GOOD[1:])
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "INVALID: the final balance of the work: every look failed, the last with: " in ran.output
    assert ran.drill["axes"]["valid"]["holds"] is False
    assert ran.drill["axes"]["restored"]["holds"] is True


INTERRUPTED = "def start(self):\n    raise KeyboardInterrupt('enough')"


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (
            swapped("inventories/hosts.yml", 'url: "http:', 'ca: nowhere.pem, url: "https:'),
            "endpoint 'web' cannot be asked: ",
        ),
        (
            conftest("from drillbook.target.probing.prober import Prober\n\nProber.start = lambda self: 1 / 0"),
            "division by zero",
        ),
        (
            conftest(
                f"from drillbook.target.probing.prober import Prober\n\n\n{INTERRUPTED}\n\n\nProber.start = start"
            ),
            "enough",
        ),
    ],
    ids=["an endpoint that nobody can ask", "an error", "Ctrl-C"],
)
def test_a_drill_that_does_not_come_to_its_first_step_leaves_no_record_without_a_verdict(
    mini: Mini, edit: Edit, why: str
) -> None:
    edit(mini)
    ran = mini.pytest()
    assert ran.status != 0, ran.output
    assert ran.drill["outcome"] == "ABORTED"
    assert re.search(f"^the drill did not begin: .*{why}", ran.drill["reason"])
    assert ran.drill["ended_at"] is not None


def test_a_signal_in_the_restore_keeps_the_next_drill_from_starting(mini: Mini) -> None:
    mini.feature(*GOOD)
    mini.hold("restore")
    text = (mini.root / "features/web.feature").read_text()
    (mini.root / "features/x.feature").write_text(text.replace("It breaks", "It breaks again"))
    process = mini.start()
    read_until(process, r"^  restore$")
    process.send_signal(signal.SIGTERM)
    read_until(process, "SIGTERM received")
    mini.go_on()
    output = ended(process)
    assert process.returncode != 0, output
    assert "stopped by SIGTERM" in output
    assert "Web: It breaks again" not in output
    assert "not run: features/x.feature::It breaks again (it was to be run)" in output
    assert len(records(mini.root)) == 1


def test_an_exit_in_a_step_ends_the_session_and_not_only_the_drill(mini: Mini) -> None:
    mini.feature(*GOOD, "And the session is ended")
    text = (mini.root / "features/web.feature").read_text()
    (mini.root / "features/x.feature").write_text(text.replace("It breaks", "It breaks again"))
    ran = mini.pytest()
    assert ran.status == 13, ran.output
    assert ran.drill["outcome"] == "ABORTED"
    assert not mini.broken


def test_a_hang_up_that_is_ignored_stays_ignored(mini: Mini) -> None:
    mini.may_fork = False
    mini.feature(*GOOD)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; the child inherits it
    try:
        process = mini.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    read_until(process, r"^  symptoms$")
    os.kill(process.pid, signal.SIGHUP)
    output = ended(process)
    assert process.returncode == 0, output


def test_without_a_terminal_the_drill_is_the_same(mini: Mini) -> None:
    ran = mini.pytest("features", "-p", "no:terminal")
    assert ran.status == 0, ran.output
    assert ran.drill["outcome"] == "PASSED"


def test_no_fault_before_each_endpoint_was_looked_at(mini: Mini) -> None:
    """What was before it would not be known."""
    (mini.root / "conftest.py").write_text(
        "from drillbook.target.probing.prober import Prober\n\n\nProber.looked = lambda prober, since_s: False\n"
    )
    mini.feature(*GOOD)
    ran = mini.pytest()
    assert ran.status == 11, ran.output
    assert "the fault 'breakage' did not happen: there are endpoints that were not looked at" in ran.drill["reason"]
    assert ran.drill["faults"] == []
    assert not mini.broken
