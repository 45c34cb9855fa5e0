"""Which names say that their value is a secret. Names decide what is looked at; values are what is redacted."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pass|pwd|secret|secrets|token|tokens|credential|credentials|"
    r"api_?key|apikey|access_?key|secret_?key|private_?key|signing_?key|encryption_?key|account_?key|auth_?key|cookie|authorization)(?:_|$)"
)
_ABOUT_A_SECRET = re.compile(
    r"_(?:file|path|dir|name|id|url|uri|length|policy|ttl|lifetime|expiry|expires|user|type|header|prompt)$"
)
_HEADERS = re.compile(
    r"authorization|cookie|token|secret|password|api-?key|access-?key|auth-?key|signature|credential", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether a variable or key of this name holds a secret: `redis_password`, `apiKey`; not `token_url`,
    `password_file`.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return bool(_SECRET.search(words)) and not _ABOUT_A_SECRET.search(words)


def is_secret_header(name: str) -> bool:
    """Whether an HTTP header of this name holds a secret: Authorization, Cookie, X-API-Key, X-Auth-Token."""
    return bool(_HEADERS.search(name))
