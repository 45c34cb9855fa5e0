"""The network between parts of the system."""

from __future__ import annotations

from drillbook import Drill, fault, parse


@fault(parse('the network between "{client}" and "{server}" is cut'))
def network_is_cut(drill: Drill, client: str, server: str) -> None:
    drill.inject("network_cut", client=client, server=server)


@fault(
    parse(
        'the network between "{client}" and "{server}" is cut, and {count:Integer} jobs come in '
        "within {length:Duration}"
    )
)
def network_is_cut_in_a_rush(drill: Drill, client: str, server: str, count: int, length: float) -> None:
    drill.inject("network_cut", client=client, server=server)
    drill.submit_work(count / length, count=count)
