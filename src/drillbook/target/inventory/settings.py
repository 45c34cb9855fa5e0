"""The settings of an inventory (`drillbook_*`) as values: environment, endpoints, work, prerequisites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from drillbook.model.times.gaps import LONGEST_WAIT_S

EMPTY: Mapping[Any, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return EMPTY


class EnvironmentKind(StrEnum):
    """How careful to be. PRODUCTION needs its own permission for every run."""

    LAB = "lab"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment that the inventory names."""

    name: str
    kind: EnvironmentKind


class EndpointKind(StrEnum):
    """The protocol of an endpoint; for a container it is that of its engine."""

    HTTP = "http"
    REDIS = "redis"
    SQL = "sql"
    TCP = "tcp"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A door of the system that the prober knocks at.

    `url` holds no password. Sentinel may find the primary of Redis.
    """

    name: str
    kind: EndpointKind
    url: str
    headers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    """The number of the Redis database."""
    container: str = ""
    """The name of the container, at an engine."""
    ca: Path | None = None
    timeout_s: float = 1.0
    samples_per_s: float = 20.0
    looks_at_once: int = 1
    probe: bool = True
    follow: bool = False
    """Whether redirects are followed."""
    healthy_below: int = 300
    """An HTTP status is healthy from 200 up to, but not including, this one."""
    master_name: str | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    nat: Mapping[str, str] = field(default_factory=_nothing)
    """Addresses that Sentinel announces -> addresses that can be reached from here ("127.0.0.1:6379" ->
    "127.0.0.1:16379").
    """
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def longest_gap_s(self) -> float:
        """The longest time allowed between two looks. After a longer one, nobody looked."""
        return 1 / self.samples_per_s + min(self.timeout_s, LONGEST_WAIT_S)


COMPLETED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """How to submit work to the system, and how to count it afterwards."""

    submit_url: str
    completed_endpoint: str
    completed_query: str
    submit_method: str = "POST"
    submit_headers: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    submit_body: Any = None
    """Any JSON; the id of the job replaces "{id}" in its strings."""
    submit_ca: Path | None = None
    acknowledged: frozenset[int] = frozenset({202})
    refused: frozenset[int] = frozenset({503})
    completed_within_s: float = COMPLETED_WITHIN_S
    """Seconds after the last criterion. Work that is acknowledged but not done by then is lost."""


@dataclass(frozen=True, slots=True)
class Prerequisites:
    """What the environment demands of every drill: people present, hosts reached, endpoints that answer."""

    people: int = 0
    hosts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


NO_PREREQUISITES = Prerequisites()
