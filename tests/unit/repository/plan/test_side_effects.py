"""Which steps are executed for a plan, and each way in which one is not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drillbook.checks import At, Check, Reading, happened, looked
from drillbook.engine.drill import Drill
from drillbook.errors import DrillbookError
from drillbook.repository.plan.side_effects import suspicion
from drillbook.repository.vocabulary import State

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
WEB = At("web", "the web service")
TARGETS = ["a", "b"]
KNOWN = {"a": WEB}


class Handle:
    """Something of a user's: nobody knows what its methods do."""

    def open(self) -> str:
        return "opened"


HANDLE = Handle()


def message(subject: str, since_s: float) -> Check:
    def judge(_sample: Any) -> Any:
        return subprocess.run(["true"], check=True)

    return Check(f"a message about {subject}", "alerts", judge)


def asks_the_target() -> object:
    return subprocess.run(["true"], check=False)


def asks_about(target: str) -> str:
    return str(subprocess.run([target], check=False))


def asks_twice() -> object:
    return asks_the_target()


# ------------------------------------------------------------------ harmless


def a_check(drill: Drill, state: State, deadline: float) -> None:
    """Looks."""
    drill.eventually(WEB.json(f"parts.{state}").is_(str(state)), within=deadline)


def a_helper_of_its_own(drill: Drill) -> None:
    drill.eventually(message("redis", drill.fault_at_s()).marking("alerted"), within=60)


def functions_that_are_handed_over(drill: Drill) -> None:
    def ask() -> object:
        with Path("/etc/passwd").open("w") as file:
            return os.system(file.read())

    drill.eventually(looked("it", ask).satisfies("is 3", lambda found: bool(os.system(found))), within=3)
    drill.eventually(looked("it", asks_the_target).is_(1), within=3)
    drill.eventually(happened("it", lambda: drill.load.refused(503, time.monotonic())), within=1)


def numbers(drill: Drill, tolerance: float) -> None:
    before = drill.before(WEB.latency())
    limit = before + max(20, tolerance * before) if tolerance > 0.1 else round(-before / 2)
    drill.expect(WEB.latency().at_most(limit))


def loops(drill: Drill) -> None:
    for number, target in enumerate(sorted(TARGETS)):
        if target != "c":
            drill.inject("killed", target=target.upper(), number=number, more=[each.lower() for each in TARGETS])
        else:
            continue_with = [number]
            drill.note(f"{continue_with[0]}")


def constants(drill: Drill) -> None:
    assert TARGETS
    drill.inject("killed", state=State.UP, check=KNOWN["a"].endpoint)


def nested(drill: Drill) -> None:
    def add(one: int, other: int = 2) -> int:
        return one + other

    drill.submit_work(add(1))


def refuses_an_argument(drill: Drill, deadline: float) -> None:
    if deadline > 60:
        raise DrillbookError(f"{deadline:g} s is too long, only {list(TARGETS)}")
    if deadline < 0:
        raise ValueError("below zero")
    drill.inject("killed")


HARMLESS: list[Callable[..., object]] = [
    a_check, a_helper_of_its_own, functions_that_are_handed_over, numbers, loops, constants, nested,
    refuses_an_argument,
]  # fmt: skip


@pytest.mark.parametrize("step", HARMLESS, ids=lambda step: step.__name__)
def test_a_step_that_only_hands_over(step: Callable[..., object]) -> None:
    assert suspicion(step, {"state": State.UP, "deadline": 3.0}, HERE) is None


# ------------------------------------------------------------------ and not


def runs_a_command(drill: Drill) -> None:
    subprocess.run(["true"], check=True)
    drill.expect(WEB.answers())


def runs_it_in_a_helper(drill: Drill) -> None:
    drill.note(str(asks_twice()))


def calls_what_it_hands_over(drill: Drill) -> None:
    ask: Any = lambda: os.system("true")  # noqa: E731
    drill.note(str(ask()))


def calls_it_through_python(drill: Drill) -> None:
    drill.note(str(sorted(TARGETS, key=asks_about)))


def calls_it_in_a_nested_function(drill: Drill) -> None:
    def inner() -> object:
        return asks_the_target()

    drill.note(str(inner()))


def calls_it_by_the_check(drill: Drill) -> None:
    check: Any = message("x", 0.0)
    drill.note(str(check.judge(1)))


def calls_it_by_the_source(drill: Drill) -> None:
    reading: Any = looked("it", asks_the_target)
    drill.note(str(reading.source))


def waits(drill: Drill) -> None:
    while True:
        time.sleep(1)


def opens_a_file(drill: Drill) -> None:
    with open("x", "w"):  # noqa: PTH123
        pass


def sleeps(drill: Drill) -> None:
    time.sleep(1)


def imports(drill: Drill) -> None:
    import antigravity  # noqa: F401


def uses_an_object_of_its_own(drill: Drill) -> None:
    drill.note(HANDLE.open())


def looks_at_a_host(drill: Any) -> None:
    drill.note(drill.hosts("web")[0].file("/x").content_string)


def escapes(drill: Drill) -> None:
    drill.note(str("".__class__.__mro__))


def yields(drill: Drill) -> Any:
    yield drill


def recursive(drill: Drill) -> None:
    recursive(drill)


def changes_the_drill(drill: Any) -> None:
    drill.load = None


def has_a_default_of_its_own(drill: Drill, handle: Handle = HANDLE) -> None:
    drill.note("x")


def evaluates(drill: Drill) -> None:
    eval("1")


def takes_long(drill: Drill) -> None:
    drill.note(str(10**10**10))


class HandleError(Exception):
    """One of a user's: nobody knows what making it does."""


def raises_one_of_its_own(drill: Drill) -> None:
    raise HandleError("x")


def ends_python(drill: Drill) -> None:
    raise SystemExit(1)


def asks_before_it_raises(drill: Drill) -> None:
    raise ValueError(asks_the_target())


SUSPECT: dict[Callable[..., object], str] = {
    runs_a_command: "it calls subprocess.run(), which is not known to be harmless",
    runs_it_in_a_helper: "it calls subprocess.run(), which is not known to be harmless",
    calls_what_it_hands_over: "it calls ask(), which is not known to be harmless",
    calls_it_through_python: "it calls sorted(), which is not known to be harmless",
    calls_it_in_a_nested_function: "it calls subprocess.run(), which is not known to be harmless",
    calls_it_by_the_check: "it calls check.judge(), which is not known to be harmless",
    calls_it_by_the_source: "reading.source is not known to be harmless",
    waits: "a statement that plans do not follow: while True:",
    opens_a_file: "a statement that plans do not follow: with open('x', 'w'):",
    sleeps: "it calls time.sleep(), which is not known to be harmless",
    imports: "a statement that plans do not follow: import antigravity",
    uses_an_object_of_its_own: "HANDLE is a Handle, which is not known to be harmless",
    looks_at_a_host: "it calls drill.hosts('web')[0].file(), which is not known to be harmless",
    escapes: "''.__class__ is not known to be harmless",
    yields: "an expression that plans do not follow: (yield drill)",
    recursive: "recursive calls itself",
    changes_the_drill: "it changes drill.load",
    has_a_default_of_its_own: "a default of has_a_default_of_its_own is a Handle",
    evaluates: "it calls eval(), which is not known to be harmless",
    raises_one_of_its_own: "a statement that plans do not follow: raise HandleError('x')",
    ends_python: "a statement that plans do not follow: raise SystemExit(1)",
    asks_before_it_raises: "it calls subprocess.run(), which is not known to be harmless",
    takes_long: "10 ** 10 ** 10 may take long",
}


@pytest.mark.parametrize("step", SUSPECT, ids=lambda step: step.__name__)
def test_a_step_that_might_do_more(step: Callable[..., object]) -> None:
    found = suspicion(step, {}, HERE)
    assert found is not None
    assert found.reason == SUSPECT[step]
    assert found.path == Path(__file__)
    source = Path(__file__).read_text().splitlines()
    assert found.line > 1 and source[found.line - 1].strip(), "the line is that of the code"


def test_the_line_is_that_of_the_culprit_in_the_helper() -> None:
    found = suspicion(runs_it_in_a_helper, {}, HERE)
    assert found is not None
    assert "subprocess.run" in Path(__file__).read_text().splitlines()[found.line - 1]


def test_an_argument_with_code_of_a_users() -> None:
    found = suspicion(a_check, {"state": HANDLE, "deadline": 1.0}, HERE)
    assert found is not None
    assert found.reason == "its argument state is a Handle"


def test_a_reading_is_data() -> None:
    assert (
        suspicion(a_check, {"state": [Reading("x", "web", lambda sample: sample.value)], "deadline": 1.0}, HERE) is None
    )


def test_what_is_no_function() -> None:
    found = suspicion(HANDLE.open, {}, HERE)
    assert found is not None
    assert "is no plain function" in found.reason


def test_a_helper_that_lies_elsewhere_is_not_looked_into() -> None:
    found = suspicion(a_helper_of_its_own, {}, HERE / "elsewhere")
    assert found is not None
    assert found.reason == "it calls message(), which is not known to be harmless"
