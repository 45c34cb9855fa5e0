"""Redis by way of Sentinel, through the client's own links. Only this module translates addresses.

Sentinel answers with the port where a node really listens. A client that went there would bypass the fault proxy, its
TLS and every fault. So this module translates the real port to the port of the client's own link, as ioredis does with
`natMap`. For a node without a link it raises an error, and never connects directly.

Two more things differ from `redis.asyncio.sentinel.Sentinel`. When no sentinel answers, the error keeps the reason as
its cause. The original reduces the reason to text, so health could not tell a time-out from a refused password. And
nothing is retried by default: with redis-py's default of 3 retries, with backoff up to 1 s each, a monitor with a
time-out of 1 s never learns the reason.
"""
# mypy: disable-error-code="no-untyped-call"
# (parts of redis-py are not typed)

from collections.abc import Iterable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import ConstantBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from drillbook_lab.app.settings import Settings
from drillbook_lab.base.topology import HOST

SENTINEL_TIMEOUT_S = 0.5
CONNECT_TIMEOUT_S = 1.0


class LinkedSentinel(Sentinel):
    """A Sentinel client whose answers are ports of the caller's own links."""

    def __init__(self, ports: Iterable[int], nat: Mapping[int, int], sentinel_kwargs: dict[str, Any]) -> None:
        super().__init__([(HOST, port) for port in ports], sentinel_kwargs=sentinel_kwargs)
        self._nat = nat

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Ask one sentinel after the other for the master, until one names a master that it does not take for down."""
        failures: list[Exception] = []
        # a copy: another task may reorder the list while this one waits for an answer
        for sentinel in tuple(self.sentinels):
            try:
                masters: Any = await sentinel.sentinel_masters()
            except (RedisError, OSError, TimeoutError) as error:
                failures.append(error)
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                # The one that answered is asked first next time.
                self.sentinels.sort(key=lambda each: each is not sentinel)
                return HOST, self._translate(int(state["port"]))
            failures.append(MasterNotFoundError(f"Sentinel knows no {service_name!r} primary that is up"))
        reasons = "; ".join(dict.fromkeys(str(each) for each in failures))
        raise MasterNotFoundError(f"no primary for {service_name!r}: {reasons}") from failures[0]

    async def discover_slaves(self, service_name: str) -> list[tuple[str, int]]:
        return [(HOST, self._translate(int(port))) for _, port in await super().discover_slaves(service_name)]

    def _translate(self, port: int) -> int:
        if port not in self._nat:
            raise MasterNotFoundError(
                f"no link leads to the Redis node on port {port}; REDIS_NAT has {sorted(self._nat)}"
            )
        return self._nat[port]


def primary(settings: Settings, *, timeout_s: float, patience_s: float = 0.0) -> Redis:
    """A client of the present primary, over TLS with the lab's authority and the name check on.

    `timeout_s` bounds each answer, so a blocking command must block for less. `patience_s` is how long a command is
    retried (every 0.25 s) before its error is raised. It is 0 if the caller has a fallback of its own.
    """
    common: dict[str, Any] = {"ssl": True, "ssl_ca_certs": settings.redis_ca, "ssl_check_hostname": True}
    common["driver_info"] = DriverInfo()  # else redis-py reads this from its installed files for each connection
    once = Retry(NoBackoff(), 0)
    sentinel = LinkedSentinel(
        settings.redis_sentinels,
        settings.redis_nat,
        {
            **common,
            "password": settings.redis_sentinel_password or None,
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": once,
        },
    )
    client = sentinel.master_for(
        settings.redis_master,
        username=settings.redis_username,
        password=settings.redis_password,
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(ConstantBackoff(0.25), round(patience_s / 0.25)) if patience_s else once,
        decode_responses=True,
        **common,
    )
    assert isinstance(client, Redis)
    return client
