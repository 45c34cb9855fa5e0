"""Reads nested settings of a user strictly. For an unknown key, a wrong type or a missing value, one sentence says
where and what.

The rule: a misspelt key is never a default. (`samples_per_secnd: 1` would otherwise measure at 20.)
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from drillbook.errors import InventoryError, Place
from drillbook.evidence.secret_names import is_secret_path

_MISSING: Any = object()
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST_AND_PORT = re.compile(r"(\[[^\]\s]+\]|[^:\s]+):(\d{1,5})")


class Node:
    """A mapping at `path`, in which only `keys` may be set (None: any)."""

    def __init__(self, path: str, value: object, keys: Collection[str] | None, where: Callable[[str], Place]) -> None:
        """`where` gives the place of a path."""
        self._path = path
        self._where = where
        if not isinstance(value, dict):
            known = f" with the keys {', '.join(sorted(keys))}" if keys else ""
            self._refuse(path, f"it is {_called(value, path)}, and has to be a mapping{known}")
        self._value: dict[str, Any] = value
        for key in value:
            if keys is not None and key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f'did you mean "{near[0]}"? Known are' if near else "known are"
                self._refuse(f"{path}.{key}", f"there is no such key; {hint} {', '.join(sorted(keys))}")

    def keys(self) -> list[str]:
        """The keys that are set."""
        return list(self._value)

    def has(self, key: str) -> bool:
        """Whether the key is set to anything but null."""
        return self._value.get(key) is not None

    def fail(self, key: str, reason: str) -> NoReturn:
        """Raise the error that says what is wrong with a key."""
        self._refuse(f"{self._path}.{key}", reason)

    def value(self, key: str, default: Any = _MISSING) -> Any:
        """Whatever is set."""
        if self.has(key):
            return self._value[key]
        if default is _MISSING:
            self._refuse(self._path, f'the key "{key}" is missing')
        return default

    def child(self, key: str, keys: Collection[str] | None) -> Node:
        """The mapping at a key."""
        return Node(f"{self._path}.{key}", self.value(key), keys, self._where)

    def text(self, key: str, default: Any = _MISSING) -> Any:
        """A string that is not empty. A number counts as one: passwords may be digits."""
        value = self.value(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not default and (not isinstance(value, str) or not value.strip()):
            self.fail(key, f"it is {self._called(key, value)}, and has to be text")
        return value

    def choice(self, key: str, choices: Collection[str]) -> str:
        """One of a few words."""
        value = self.value(key)
        words = [str(choice) for choice in choices]
        if value not in words:
            self.fail(key, f"it is {self._called(key, value)}, and has to be one of {', '.join(words)}")
        return str(value)

    def number(self, key: str, default: float) -> float:
        """A number above zero. Digits in a string count, because Jinja often leaves them so."""
        value = self.value(key, default)
        try:
            number = float(value) if not isinstance(value, bool) else 0.0
        except (TypeError, ValueError):
            number = 0.0
        if not 0 < number < float("inf"):
            self.fail(key, f"it is {self._called(key, value)}, and has to be a number above 0")
        return number

    def count(self, key: str) -> int:
        """A whole number above zero; the default is 0."""
        if not self.has(key):
            return 0
        number = self.number(key, 1)
        if number != int(number):
            self.fail(key, f"it is {self._called(key, self.value(key))}, and has to be a whole number")
        return int(number)

    def names(self, key: str, known: Callable[[str], bool], what: str) -> tuple[str, ...]:
        """A list of names, at least one. Each must be a `known` one of this kind (`what`). By default empty."""
        value = self.value(key, None)
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
            self.fail(key, f"it is {self._called(key, value)}, and has to be a list of names")
        for each in value:
            if not known(each):
                self.fail(key, f'"{each}" is no {what}')
        return tuple(dict.fromkeys(value))

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.value(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"it is {self._called(key, value)}, and has to be true or false")
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """A mapping of text to text, by default empty."""
        value = self.value(key, {})
        if not isinstance(value, dict) or not all(isinstance(each, str | int | float) for each in value.values()):
            self.fail(key, f"it is {self._called(key, value)}, and has to be a mapping of names to texts")
        return MappingProxyType({name: str(each) for name, each in value.items()})

    def headers(self, key: str) -> Mapping[str, str]:
        """HTTP header fields, by default none.

        A header that cannot be sent is refused here: its sender would show the value.
        """
        fields = self.texts(key)
        for name, value in fields.items():
            if not _FIELD.fullmatch(name):
                self.fail(key, "it has a name that is no name of an HTTP header")
            if not value.isprintable() or value != value.strip() or max(value, default="") > "\xff":
                self.fail(
                    f"{key}.{name}",
                    "its value cannot be sent: it has a line feed, a space at an end, or more than Latin-1; "
                    "what was read from a file may need `| trim`",
                )
        return fields

    def statuses(self, key: str, default: frozenset[int]) -> frozenset[int]:
        """HTTP status codes, one or a list."""
        value = self.value(key, None)
        if value is None:
            return default
        codes = value if isinstance(value, list) else [value]
        if not codes or not all(isinstance(code, int) and 100 <= code <= 599 for code in codes):
            self.fail(key, f"it is {self._called(key, value)}, and has to be a list of HTTP status codes")
        return frozenset(codes)

    def addresses(self, key: str) -> tuple[tuple[str, int], ...]:
        """A list of HOST:PORT, at least one."""
        value = self.value(key)
        if not isinstance(value, list) or not value:
            self.fail(key, f"it is {self._called(key, value)}, and has to be a list of HOST:PORT")
        return tuple(self._address(key, each) for each in value)

    def translated(self, key: str) -> Mapping[str, str]:
        """A mapping of HOST:PORT to HOST:PORT, by default empty."""
        value = self.texts(key)
        for each in (*value.keys(), *value.values()):
            self._address(key, each)
        return value

    def _address(self, key: str, value: object) -> tuple[str, int]:
        found = _HOST_AND_PORT.fullmatch(str(value))
        if found is None or not 0 < int(found[2]) < 65536:
            self.fail(key, f"{self._called(key, value)} is not HOST:PORT, like 10.0.0.5:26379")
        return found[1].strip("[]"), int(found[2])

    def _called(self, key: str, value: object) -> str:
        return _called(value, f"{self._path}.{key}")

    def _refuse(self, path: str, reason: str) -> NoReturn:
        place = self._where(path)
        raise InventoryError(f"{path} ({place}): {reason}.", place)


def _called(value: object, path: str) -> str:
    """A value for an error message: shortened. A value that may hold a password is described only by its type."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "empty"
        case str() if not value.strip():
            return "empty text"
    keys = path.split(".")
    if "headers" in keys or is_secret_path(keys):
        return "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
    return f'"{str(value)[:60]}"'
