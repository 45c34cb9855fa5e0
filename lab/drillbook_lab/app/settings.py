"""Settings of the API and the workers: one file of KEY=VALUE lines each, read once at start.

It is a file and not supervisor's environment, so that a drill can write a wrong credential into it and restart the
program, as a deployment does. It also keeps secrets off the command line. An unknown or missing key is an error that
names it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dotenv import dotenv_values


def _pairs(text: str) -> dict[int, int]:
    return {int(real): int(link) for real, link in (pair.split("=") for pair in text.split(",") if pair)}


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """All that the application knows of its surroundings. It has no `repr`, because it holds passwords."""

    redis_master: str
    redis_sentinels: tuple[int, ...]
    redis_nat: Mapping[int, int]
    redis_username: str
    redis_password: str
    redis_sentinel_password: str
    redis_ca: str
    database_url: str
    api_key: str
    api_port: int
    buffer_limit: int
    attempts: int
    concurrency: int
    deduplicate: bool
    site: str
    """Where the releases lie. For the workers it is the folder in which each worker has a site of its name."""

    @classmethod
    def read(cls, path: Path) -> "Settings":
        """Read a settings file; keys are the field names in capitals."""
        given = {key.lower(): value or "" for key, value in dotenv_values(path, interpolate=False).items()}
        known = {field.name for field in fields(cls)}
        if wrong := sorted(set(given) ^ known):
            raise ValueError(f"{path}: {'unknown' if wrong[0] in given else 'missing'} setting {wrong[0].upper()}")
        return cls(
            redis_master=given["redis_master"],
            redis_sentinels=tuple(int(port) for port in given["redis_sentinels"].split(",")),
            redis_nat=_pairs(given["redis_nat"]),
            redis_username=given["redis_username"],
            redis_password=given["redis_password"],
            redis_sentinel_password=given["redis_sentinel_password"],
            redis_ca=given["redis_ca"],
            database_url=given["database_url"],
            api_key=given["api_key"],
            api_port=int(given["api_port"]),
            buffer_limit=int(given["buffer_limit"]),
            attempts=int(given["attempts"]),
            concurrency=int(given["concurrency"]),
            deduplicate=given["deduplicate"] == "1",
            site=given["site"],
        )

    def may(self, key: str | None) -> bool:
        """Whether this API key opens the API."""
        return key is not None and secrets.compare_digest(key.encode(), self.api_key.encode())
