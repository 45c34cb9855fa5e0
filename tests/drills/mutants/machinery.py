"""pytest, its options, its plugins and the user's own hooks: each could say `passed` where nothing is proven."""

from __future__ import annotations

from . import ABORTED, GOOD, INVALID, REFUSED, SILENT, Edit, Mutant, added, body, conftest, feature, gone, tagged

NOT_RUN, NO_STEP = r"not run: features/web\.feature::It breaks", "pytest has called none of its steps"
EXPECTED, BROKE = "an expected failure proves nothing", "the hook is broken"
REQUIRED, WEB = "--require-drills", "features/web.feature"
ILL = body("healthy", "assert False, 'flaky'")
FLAKY = body(
    "healthy",
    "drill.expect(WEB.answers())",
    "import pathlib",
    "ran = pathlib.Path('ran')",
    "first = not ran.exists()",
    "ran.touch()",
    "assert not first, 'flaky'",
)
TWO = added("features/x.feature", "Feature: X\n\n  Scenario: Another\n" + "".join(f"    {line}\n" for line in GOOD))

WRAPPER, LAST = "@pytest.hookimpl(wrapper=True, tryfirst=True)", "@pytest.hookimpl(trylast=True)"
FIXTURE, BROKEN = "@pytest.fixture(autouse=True)", f"raise RuntimeError('{BROKE}')"
FAKE = """\
class Nothing:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


@pytest.fixture
def drill():
    return Nothing()"""


def hook(signature: str, *lines: str, how: str = "") -> Edit:
    """A hook or fixture in the user's conftest.py; `how` is its decorator."""
    return conftest(f"{how}\ndef {signature}:\n" + "".join(f"    {line}\n" for line in lines))


def marking(mark: str) -> Edit:
    """A conftest.py that marks every item."""
    return hook(
        "pytest_collection_modifyitems(items)", "for item in items:", f"    item.add_marker(pytest.mark.{mark})"
    )


# fmt: off
MACHINERY = (
    # ---- skipped, and expected to fail
    Mutant("tag skip", "@skip.", INVALID, "the drill was not run", tagged("@skip")),
    Mutant("tag xfail", "@xfail.", INVALID, EXPECTED, tagged("@xfail"), ILL),
    Mutant("marked skip", "A hook marks all tests.", INVALID, "not run: Skipped: off", marking("skip(reason='off')")),
    Mutant("marked xfail", "A hook marks all tests, and the drill holds.", INVALID, EXPECTED, marking("xfail")),
    Mutant("expected strictly", "The drill holds, and must not.", INVALID, r"XPASS\(strict\)",
           tagged("@xfail"), args=("-o", "xfail_strict=true")),
    Mutant("set-up skips", "A hook skips.", INVALID, "not run: Skipped: off",
           hook("pytest_runtest_setup()", "pytest.skip('off')")),
    # ---- left out
    Mutant("deselected by -k", "Not run.", INVALID, NOT_RUN, args=("-k", "another", REQUIRED)),
    Mutant("deselected by -m", "Not run.", INVALID, NOT_RUN, args=("-m", "severity_P0", REQUIRED)),
    Mutant("deselected by name", "Not run, and the ini demands it.", INVALID, NOT_RUN, feature(*GOOD),
           added("pyproject.toml", 'drillbook_require = ["drills"]\n'), args=("--deselect", f"{WEB}::It breaks")),
    Mutant("left out by a hook", "Taken off the list, and nobody is told.", INVALID, NOT_RUN,
           hook("pytest_collection_modifyitems(items)", "items.clear()"), args=(REQUIRED,)),
    Mutant("stopped at the first", "-x: no word of the second.", INVALID, "not run: features/x.feature::Another",
           ILL, TWO, args=("-x",)),
    Mutant("ignored", "--ignore.", SILENT, "no tests ran", args=(f"--ignore={WEB}",)),
    Mutant("not collected", "A conftest.py ignores it.", SILENT, "no tests ran",
           conftest("collect_ignore_glob = ['*.feature']")),
    Mutant("no plugin", "-p no:drillbook.", SILENT, "collected 0 items", args=("-p", "no:drillbook")),
    Mutant("no collection", "Half of the plugin.", SILENT, "no tests ran", args=("-p", "no:drillbook-collection")),
    Mutant("only collected", "--collect-only.", SILENT, "1 test collected", args=("--collect-only",)),
    Mutant("proof is only collected", "prove --collect-only.", INVALID, "nothing is proven: pytest has run no drill",
           args=("--collect-only",), proves=True),
    Mutant("only planned", "--setup-plan runs no step.", INVALID, NO_STEP, args=("--setup-plan",)),
    Mutant("no scenario", "The feature is empty.", REFUSED, "the feature has no scenarios",
           gone(WEB), added(WEB, "Feature: Web\n")),
    Mutant("no row", "An outline without rows.", REFUSED, "Examples", gone(WEB),
           added(WEB, "Feature: Web\n\n  Scenario Outline: It <breaks>\n    Given the service is healthy\n")),
    Mutant("session exits well", "A hook ends it with 0 before the drill.", INVALID, NOT_RUN,
           hook("pytest_runtestloop()", "pytest.exit('enough', returncode=0)")),
    # ---- run again until green
    Mutant("rerun", "pytest-rerunfailures.", INVALID, "its first outcome stands: flaky", FLAKY, args=("--reruns", "2")),
    Mutant("rerun by a hook", "It tells of the last run only.", INVALID, "its first outcome stands: flaky", FLAKY,
           hook("pytest_runtest_protocol(item, nextitem)", "from _pytest.runner import runtestprotocol",
                "runtestprotocol(item, nextitem=nextitem, log=False)", "runtestprotocol(item, nextitem=nextitem)",
                "return True")),
    Mutant("called again by a hook", "It calls what failed once more.", INVALID, "flaky", FLAKY,
           hook("pytest_runtest_call(item)", "try:", "    return (yield)", "except BaseException:",
                "    return item.runtest()", how=WRAPPER)),
    # ---- never run
    Mutant("another drill", "A fixture of the user's takes its name.", INVALID, NO_STEP, conftest(FAKE)),
    Mutant("replaced", "A hook replaces what runs.", INVALID, NO_STEP,
           hook("pytest_collection_modifyitems(items)", "items[0].runtest = lambda: None")),
    Mutant("not called", "A hook says that it did.", INVALID, NO_STEP, hook("pytest_pyfunc_call()", "return True")),
    Mutant("no protocol", "A hook says that it did.", INVALID, NOT_RUN,
           hook("pytest_runtest_protocol()", "return True")),
    Mutant("no pytest-bdd", "Nobody calls the hooks between steps.", SILENT, "drillbook needs the plugin pytest-bdd",
           args=("-p", "no:pytest-bdd")),
    # ---- told otherwise
    Mutant("reports rewritten", "A hook makes each a pass.", INVALID, "not run", tagged("@skip"),
           hook("pytest_runtest_makereport()", "report = yield", "report.outcome = 'passed'", "return report",
                how=WRAPPER)),
    Mutant("failure swallowed", "A hook around the test does.", INVALID, "flaky", ILL,
           hook("pytest_runtest_call()", "try:", "    yield", "except BaseException:", "    pass", how=WRAPPER)),
    Mutant("status rewritten", "A hook sets it to 0.", INVALID, "flaky", ILL,
           hook("pytest_sessionfinish(session)", "session.exitstatus = 0", how=LAST)),
    Mutant("worker fails", "xdist's controller has seen nothing itself.", INVALID, "flaky", ILL, args=("-n", "1")),
    Mutant("worker leaves out", "Nor what was deselected.", INVALID, NOT_RUN,
           args=("-n", "1", "-k", "another", REQUIRED)),
    Mutant("worker dies", "Nor what became of it.", ABORTED, "a worker died while it ran this",
           body("healthy", "import os", "os.kill(os.getpid(), 9)"), args=("-n", "1", "--max-worker-restart=0")),
    # ---- what goes wrong around the steps
    Mutant("fixture set-up", "It fails before the drill.", INVALID, BROKE, hook("resource()", BROKEN, how=FIXTURE)),
    Mutant("hook after a step", "It fails.", INVALID, BROKE, hook("pytest_bdd_after_step()", BROKEN)),
    Mutant("hook after the last step", "It fails when all is done.", INVALID, BROKE, feature(*GOOD, tags="@web"),
           hook("pytest_bdd_after_step(step)", "if 'is up' in step.name:", f"    {BROKEN}", how=LAST)),
    Mutant("hook after the scenario", "It fails when all is judged.", INVALID, BROKE,
           hook("pytest_bdd_after_scenario()", BROKEN)),
)
# fmt: on
