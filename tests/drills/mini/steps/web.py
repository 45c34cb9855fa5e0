from __future__ import annotations

import pytest

from drillbook import Drill, fault, given, parse, recovery, then
from drillbook.checks import At, looked

WEB = At("web", "the web service")


@given("the service is healthy")
def healthy(drill: Drill) -> None:
    drill.expect(WEB.answers())


@given(parse("the service is healthy for {length:Duration}"))
def healthy_for(drill: Drill, length: float) -> None:
    drill.throughout(WEB.answers(), for_=length)


@given("nobody looks")
def nobody_looks(drill: Drill) -> None:
    pass


@fault(parse('the service breaks by "{name}"'))
def breaks(drill: Drill, name: str) -> None:
    drill.inject(name)


@fault("nothing is broken")
def nothing(drill: Drill) -> None:
    pass


@then(parse("within {deadline:Duration} the service is down"))
def down(drill: Drill, deadline: float) -> None:
    drill.eventually(WEB.silent(), within=deadline)


@then(parse("the service is down for {length:Duration}"))
def down_for(drill: Drill, length: float) -> None:
    drill.throughout(WEB.silent(), for_=length)


@then("the step skips itself")
def skips() -> None:
    pytest.skip("not today")


@then("the check crashes")
def crashes() -> None:
    raise RuntimeError("the check has a bug")


@then("an assertion fails")
def asserts() -> None:
    assert 1 + 1 == 3, "the sum is wrong"


@then(parse("within {deadline:Duration} the service goes on"))
def goes_on(drill: Drill, deadline: float) -> None:
    drill.bound(WEB.answers(), within=deadline)


@then("the moon is up")
def the_moon_is_up(drill: Drill) -> None:
    drill.eventually(looked("the moon", lambda: "up").is_("up"), within=20)


@then("nobody looks at it")
def empty() -> None:
    pass


@recovery(parse('the recovery playbook "{name}" is run'))
def run(drill: Drill, name: str) -> None:
    drill.recover(name)


@recovery("the system is left to itself")
def left(drill: Drill) -> None:
    drill.leave_alone()


@then(parse("within {deadline:Duration} the service is up"))
def up(drill: Drill, deadline: float) -> None:
    drill.eventually(WEB.answers(), within=deadline)


@then(parse("the service is up for {length:Duration}"))
def up_for(drill: Drill, length: float) -> None:
    drill.throughout(WEB.answers(), for_=length)


@then("the service never answers")
def never_answers(drill: Drill) -> None:
    drill.always(WEB.silent())


@then("the service always answers")
def always_answers(drill: Drill) -> None:
    drill.always(WEB.answers())


@then(parse('the service says "{text}"'))
def says(drill: Drill, text: str) -> None:
    drill.expect(At("web", "the web service").json("status").is_(text))


@then("the session is ended")
def session_is_ended() -> None:
    pytest.exit("enough")
