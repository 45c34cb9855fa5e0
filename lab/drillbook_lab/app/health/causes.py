"""Why a component does not answer, in one word, so that a drill can tell an authentication error from a time-out."""

import ssl
from collections.abc import Iterator
from enum import StrEnum

import psycopg
import redis.exceptions
from redis.asyncio.sentinel import MasterNotFoundError


class Cause(StrEnum):
    TIMEOUT = "timeout"
    AUTH = "auth"
    REFUSED = "refused"
    TLS = "tls"
    LIMIT = "limit"
    READONLY = "readonly"
    OTHER = "other"


# Words of the servers' own messages. The first match decides, so particular words come before general ones.
_WORDS: tuple[tuple[str, Cause], ...] = (
    ("certificate", Cause.TLS),
    ("ssl:", Cause.TLS),
    ("max number of clients", Cause.LIMIT),
    ("remaining connection slots", Cause.LIMIT),
    ("too many clients", Cause.LIMIT),
    ("too many connections", Cause.LIMIT),
    ("wrongpass", Cause.AUTH),
    ("noauth", Cause.AUTH),
    ("noperm", Cause.AUTH),
    ("no permissions", Cause.AUTH),
    ("authentication", Cause.AUTH),
    ("invalid username-password", Cause.AUTH),
    ("is not permitted to log in", Cause.AUTH),
    ("permission denied", Cause.AUTH),
    ("read only replica", Cause.READONLY),
    ("read-only", Cause.READONLY),
    ("now a slave", Cause.READONLY),
    ("noreplicas", Cause.READONLY),
    ("misconf", Cause.READONLY),
    ("timed out", Cause.TIMEOUT),
    ("timeout", Cause.TIMEOUT),
    ("connection refused", Cause.REFUSED),
    ("connect call failed", Cause.REFUSED),
    ("connection reset", Cause.REFUSED),
    ("connection lost", Cause.REFUSED),
    ("connection closed", Cause.REFUSED),
    ("closed the connection", Cause.REFUSED),
    ("broken pipe", Cause.REFUSED),
    # A proxy or a server ended the connection before the handshake was complete, so nobody serves there.
    ("unexpected eof", Cause.REFUSED),
    ("knows no", Cause.REFUSED),
    ("no primary", Cause.REFUSED),
    ("error 104", Cause.REFUSED),
    ("error 111", Cause.REFUSED),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def cause_of(error: BaseException) -> Cause:
    """The cause of an error of redis-py, psycopg, ssl or asyncio. The innermost error that is known decides."""
    for link in reversed(list(_chain(error))):
        if isinstance(link, ssl.SSLCertVerificationError):
            return Cause.TLS
        if isinstance(link, redis.exceptions.MaxConnectionsError | psycopg.errors.TooManyConnections):
            return Cause.LIMIT
        if isinstance(link, redis.exceptions.ReadOnlyError):
            return Cause.READONLY
        if isinstance(link, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError):
            # The same exception stands for a refused login and for the limit, whose text has "max number of clients".
            return Cause.LIMIT if "max number" in str(link) else Cause.AUTH
        if isinstance(link, TimeoutError | redis.exceptions.TimeoutError):
            return Cause.TIMEOUT
        text = str(link).lower()
        for words, cause in _WORDS:
            if words in text:
                return cause
        if isinstance(link, ConnectionError):
            return Cause.REFUSED
    return Cause.REFUSED if isinstance(error, MasterNotFoundError) else Cause.OTHER


def in_short(error: BaseException) -> str:
    """One line about an error, never empty."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
