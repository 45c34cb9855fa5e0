"""Which names mark a secret value. Names select the values; the values are redacted.

The rule: rather one value too many than a secret in the record. So any key (`deploy_key`) is a secret, except keys that
are known to be public (`public_key`, `routing_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from drillbook.evidence.secret_forms import MIN_LENGTH

_WORDS = re.compile(r"[a-z0-9]+")
_SECRET_WORD = re.compile(
    r"""
    [a-z0-9]*(?:password|passwd|passphrase|passcode|secret|token|credential|apikey|pwd|psk)s?
    | (?!(?:by|com|encom|over|sur|tres|under)pass$)[a-z0-9]*pass
    | [a-z0-9]*pw | pat | jwt | jwts | otp | totp | bearer | cookies? | authorization
    """,
    re.VERBOSE,
)
_SECRET_KEYS = re.compile(
    r"(?:api|access|account|auth|deploy|encryption|private|secret|signing|ssh|ssl|tls)_?keys?(?=_|\d|$)"
)
"""Keys that are secret anywhere in a name: `tls_key_pem`."""
_SECRET_PHRASES = re.compile(
    r"(?:^|_)(?:conn(?:ection)?_?str(?:ing)?|mnemonic|(?:mnemonic|recovery|seed)_?phrase|(?:backup|pin|recovery|scratch)_?code|"
    r"(?:card|hsm|sim|smartcard|so|token|user)_?pin|id_(?:dsa|ecdsa|ed25519|rsa)(?:_sk)?)s?\d*$"
)
"""Names without a word that is secret alone: `connection_string`, `seed_phrase`, `pin_code`, `id_rsa`."""
_A_KEY = re.compile(r"(?:^|_)(?P<of>[a-z0-9]+)_keys?(?:_?\d+|_(?:base64|b64|pem|old|new|current|next|previous))?$")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(\S+)")
"""As lists of environment variables have it: PGPASSWORD=..."""
_NO_SECRET_KEYS = re.compile(
    "authorized|cache|cluster|config|dict|event|field|flag|foreign|group|hash|host|idempotency|index|job|known|label|list|"
    "lock|lookup|map|memcached|message|metric|object|partition|primary|public|queue|redis|routing|row|set|shard|sort|"
    "sorted|storage|stream|sum|tag|topic|translation|unique|valkey"
)
_OF_SHELLS = frozenset({"PWD", "OLDPWD"})
_LAST_WORD = re.compile(r"(?:^|_)(?:auth|requirepass|masterauth)$")
_ABOUT_A_SECRET = re.compile(
    r"^(?:allow|ask|force|generate|has|is|no|require|update|use)_"  # update_password: on_create
    r"|_(?:file|path|dir|name|id|url|uri|length|size|bits|policy|ttl|lifetime|expiry|expires|expires_in|expire_\w+|user|type|"
    r"header|prompt|count|limit|max|min|comment|fingerprint|algorithm|format|version|enabled|required|lock)$"
)
_HEADERS = re.compile(
    r"auth|cookie|token|secret|password|api-?key|signature|credential|session|csrf|xsrf|jwt|"
    r"^(?!idempotency|sec-websocket|surrogate|cache).*-key$",
    re.IGNORECASE,
)
_PART_OF_A_HEADER = 12
"""Characters. A shorter part ("Bearer", "theme") occurs in too many harmless places."""
HIDDEN_ALREADY = frozenset({"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "NOT_LOGGING_PASSWORD", "********"})
"""What Ansible shows instead of a secret."""


@lru_cache(maxsize=4096)  # hosts and events repeat their names
def is_secret_name(name: str) -> bool:
    """Whether a variable or key of this name holds a secret: `redis_password`, `PGPASSWORD`, `apiKey`, `deploy_key`;
    not `token_url`, `password_file`, `public_key`.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    if name in _OF_SHELLS or _ABOUT_A_SECRET.search(words):
        return False
    key = _A_KEY.search(words)
    return (
        any(_SECRET_WORD.fullmatch(word.rstrip("0123456789")) for word in _WORDS.findall(words))
        or bool(_SECRET_KEYS.search(words) or _SECRET_PHRASES.search(words) or _LAST_WORD.search(words))
        or (key is not None and not _NO_SECRET_KEYS.fullmatch(key["of"]))
    )


@lru_cache(maxsize=4096)
def is_secret_header(name: str) -> bool:
    """Whether an HTTP header of this name holds a secret: Authorization, Cookie, X-API-Key, X-Auth-Token."""
    return bool(_HEADERS.search(name))


def is_secret_path(keys: Sequence[str]) -> bool:
    """Whether the last of these keys holds a secret. Each key is in the mapping of the one before."""
    return is_header_path(keys) or any(is_secret_name(key) for key in keys)


def is_header_path(keys: Sequence[str]) -> bool:
    """Whether the last of these keys is the name of an HTTP header that holds a secret."""
    return any(key.lower().endswith("headers") for key in keys[:-1]) and is_secret_header(keys[-1])


def parts_of_header(value: str) -> list[str]:
    """Parts of a header that may be printed alone: the token of "Bearer TOKEN", the id of "session=ID; theme=dark"."""
    return [part for part in re.split(r"[ ;,=]+", value) if _PART_OF_A_HEADER <= len(part) < len(value)]


def leaves(value: object, *names: str, path: str = "") -> Iterator[tuple[str, tuple[str, ...], object]]:
    """(path, names, value) of each value in a JSON value that is neither a mapping nor a list.

    `names` are the keys that lead to it. An item that names itself (`{name: PGPASSWORD, value: ...}`) adds its name.
    """
    path = path or ".".join(names)
    if isinstance(value, Mapping):
        named = value.get("name", value.get("key"))
        for key, each in value.items():
            of = (named,) if key == "value" and isinstance(named, str) else ()
            yield from leaves(each, *names, *of, str(key), path=f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from leaves(each, *names, path=f"{path}.{number}" if path else str(number))
    elif value is not None and not isinstance(value, bool):
        yield path, names, value


def assigned(value: object) -> Iterator[tuple[str, str]]:
    """(name, value) where this text is NAME=VALUE, and the name says that the value is secret."""
    found = _ASSIGNED.fullmatch(value) if isinstance(value, str) else None
    if found is not None and len(found[2]) >= MIN_LENGTH and is_secret_name(found[1]):
        yield found[1], found[2]


def named_secrets(value: object, *names: str) -> Iterator[tuple[str, str]]:
    """(label, value) of each secret in a JSON value, found by names at any depth: in variables, in a play's result."""
    for path, keys, each in leaves(value, *names):
        yield from assigned(each)
        long_enough = isinstance(each, str) or len(str(each)) >= MIN_LENGTH
        if keys and long_enough and is_secret_path(keys) and str(each) not in HIDDEN_ALREADY:
            yield path, str(each)
            if is_header_path(keys):
                yield from ((path, part) for part in parts_of_header(str(each)))
