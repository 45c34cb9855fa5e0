"""What happens to whole machines, and to the network between them. It needs hosts with systemd, and root there."""

from __future__ import annotations

from steps.redis import PRIMARY

from drillbook import Drill, fault, parse
from drillbook.errors import CouldNotLookError


@fault("every machine of Redis boots anew, and Redis does not start with it")
def machines_boot(drill: Drill) -> None:
    drill.inject("host_rebooted", target="redis_nodes", starts=False)


@fault(parse("the kernel kills the API when it has taken {limit:Integer} MB of memory"))
def api_is_killed_by_the_kernel(drill: Drill, limit: int) -> None:
    drill.inject("service_out_of_memory", target="api", limit_mb=limit)


@fault(parse('each packet from "{client}" to "{server}" takes {delay:Duration}'))
def packets_are_held(drill: Drill, client: str, server: str, delay: float) -> None:
    drill.inject(
        "network_slow", client=client, server=server, delay_ms=round(1000 * delay), jitter_ms=0, loss_percent=0
    )


@fault("the cable of the machine with the Redis primary is pulled")
def cable_is_pulled(drill: Drill) -> None:
    """The primary is the node of the last look."""
    address = str(drill.last_before(PRIMARY))
    addresses = {drill.inventory.variable(name, "drillbook_redis_address"): name for name in _nodes(drill)}
    if address not in addresses:
        raise CouldNotLookError(f"the primary {address} is none of the nodes of the inventory: {list(addresses)}")
    drill.inject("cable_pulled", target=addresses[address])


def _nodes(drill: Drill) -> tuple[str, ...]:
    return tuple(drill.inventory.names("redis_nodes"))
