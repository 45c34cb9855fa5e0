"""What has to be there before anything is broken: people, and what they can reach. A drill that lacks it is refused."""

from __future__ import annotations

from drillbook import Drill, given, parse
from drillbook.clients import present, reachable, readable


@given(parse("{count:Integer} person is present"))
@given(parse("{count:Integer} people are present"))
def people_are_present(drill: Drill, count: int) -> None:
    drill.require(present(drill.people, count))


@given(parse('every host of "{group}" can be reached'))
def hosts_can_be_reached(drill: Drill, group: str) -> None:
    drill.require(reachable(drill.inventory, group))


@given(parse('the "{channel}" channel can be read'))
def channel_can_be_read(drill: Drill, channel: str) -> None:
    drill.require(readable(drill.inventory, "alerts", f'the "{channel}" channel'))
