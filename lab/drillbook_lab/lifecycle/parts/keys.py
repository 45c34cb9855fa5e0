"""The passwords of one lab: made at `up`, in files and environments only, never on a command line or in a log."""

import secrets
from dataclasses import dataclass, field


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The passwords of one lab, new at each `up`. URL-safe, so they need no quoting anywhere."""

    redis_admin: str = field(default_factory=_secret)
    redis_app: str = field(default_factory=_secret)
    sentinel: str = field(default_factory=_secret)
    postgres_admin: str = field(default_factory=_secret)
    postgres_app: str = field(default_factory=_secret)
    api_key: str = field(default_factory=_secret)
    supervisor: str = field(default_factory=_secret)
    chat_token: str = field(default_factory=_secret)
    smtp: str = field(default_factory=_secret)
    purge: str = field(default_factory=_secret)
    platforms: str = field(default_factory=lambda: secrets.token_hex(24))
    """vercel takes no token with a hyphen."""
    session: str = field(default_factory=_secret)
