"""Redacts every known secret from evidence, in each form in which tools print it.

The rule: a secret is replaced before anything is hashed, signed or shown, and only known secrets count. A pattern that
guesses ("looks like a password") is no control: detect-secrets missed a plain password in ansible-runner's own events.

A secret is found as it is, as JSON escapes it (once and twice), as URLs, shells, HTML, YAML and Python quote it, in
hex, and in base64 and base64url at any place in the encoded bytes (all three alignments). It is also found when a line
was wrapped in its middle. Where `...` replaces its middle, as pytest shows a long value, its beginning and its end are
found if each is long enough for a secret.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import PurePath
from typing import Any

from drillbook.errors import DrillbookError
from drillbook.evidence.secret_forms import MIN_LENGTH, variants_of
from drillbook.evidence.secret_names import named_secrets

MARKER_START = "[REDACTED:"
_MARKER = re.compile(r"\[REDACTED:[A-Za-z0-9_.@:/-]+\]")
_NUMBER = re.compile(r" \(\d+\)\Z")
"""Behind a title that would be another one's, once the secrets are out of both."""
_LINE_OF_A_KEY = 16
"""Characters.

A line this long of a value of several lines (a PEM key) is secret by itself: YAML indents, terminals cut.
"""
Octets = bytes  # the method of this name hides the builtin in the class below
Span = tuple[int, int, str]
"""Start, end and label of a secret in a text."""
_CUT = re.compile(r"\.\.\.")
_WRAP = re.compile(r"\r?\n[ \t]*")
_HALF_AN_ESCAPE_BEFORE = re.compile(r"(?<!\\)(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3})?)\Z")
_HALF_AN_ESCAPE_AFTER = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")

_OF_NUMBERS = frozenset("0123456789+-.einfa")
_REMEMBERED, _MOST_REMEMBERED = 200, 20_000
"""The longest text whose freedom from secrets is remembered, in characters, and how many such texts."""


class Redactor:
    """The known secrets, and their replacement by `[REDACTED:<label>]`. Safe to use from several threads.

    Values may be added at any time: a password may be generated in the middle of a drill. Text that is already redacted
    is not searched again. So add a secret before anybody uses it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._labels: dict[str, str] = {}  # value -> label
        self._variants: dict[str, str] | None = None  # variant -> label, longest first
        self._clean: set[str] = set()  # texts without any of these variants: a record is written again and again
        self._in_numbers = False
        self._too_short: set[str] = set()

    def add(self, label: str, value: str, *, declared: bool = True) -> None:
        """Make `value` a secret, shown as `[REDACTED:label]` from now on. An empty value is no secret.

        `declared`: somebody called it a secret (a password of an endpoint, a vaulted variable). Then a value that
        cannot be redacted raises DrillbookError. Otherwise only its name looks like a secret: such a value is left as
        it is, and `too_short` names it.
        """
        values = {value, value.strip()} - {""}
        if not values:
            return
        if any(len(each) < MIN_LENGTH or each in MARKER_START for each in values):
            with self._lock:
                self._too_short.add(label)
            if declared:
                msg = (
                    f"The secret {label} cannot be kept out of the evidence without destroying it: it has to have "
                    f"{MIN_LENGTH} or more characters, and to be no part of {MARKER_START!r}."
                )
                raise DrillbookError(msg)
            return
        lines = {line.strip() for line in value.splitlines()} if "\n" in value.strip() else set()
        values |= {line for line in lines if len(line) >= _LINE_OF_A_KEY and not line.startswith("-----")}
        with self._lock:
            new = values - self._labels.keys()
            if not new:
                return
            self._labels.update(dict.fromkeys(new, _safe_label(label)))
            self._variants = None

    def learn(self, value: object, *names: str) -> None:
        """Add the secrets in a JSON value, found by their names at any depth: in variables, in a play's result."""
        for label, each in named_secrets(value, *names):
            self.add(label, each, declared=False)

    @property
    def generation(self) -> int:
        """Grows with each new secret. Text that was redacted in an earlier generation may hold a newer secret."""
        with self._lock:
            return len(self._labels)

    @property
    def too_short(self) -> frozenset[str]:
        """Labels of values that look like secrets and are too short to be redacted: they may appear in the evidence."""
        with self._lock:
            return frozenset(self._too_short)

    def text(self, text: str) -> str:
        """`text` without the secrets.

        Text that is JSON stays JSON; if you have the objects themselves, give them to `data`.
        """
        if len(text) < MIN_LENGTH:  # no variant is shorter
            return text
        with self._lock:
            variants, clean = self._all_variants(), self._clean
        if text in clean:
            return text
        spans = _merged(_aligned(text, span) for span in _spans(text, variants))
        if not spans:
            if len(text) <= _REMEMBERED and len(clean) < _MOST_REMEMBERED:
                clean.add(text)  # to the set of these variants: a new secret has started another one
            return text
        parts = []
        at = 0
        for start, end, label in spans:
            parts += [text[at:start], f"{MARKER_START}{label}]"]
            at = end
        return "".join([*parts, text[at:]])

    def first_secret(self, data: Octets, *, wrapped: bool = True) -> str | None:
        """The label of a secret in `data`, as text or between other bytes; None when there is none.

        Without `wrapped`, no secret goes on over the end of a line: each line is a document by itself.
        """
        with self._lock:
            variants = self._all_variants()
        if not variants:
            return None
        text = data.decode("utf-8", "surrogateescape")
        spans = _spans(text, variants) if wrapped else _literal_spans(text, variants)
        return next((label for _, _, label in spans), None)

    def bytes(self, data: Octets) -> Octets:
        """`data` without the secrets, whether it is text or not. Other bytes stay exactly as they are."""
        text = data.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def data(self, value: object) -> Any:
        """A copy of a JSON-like value without the secrets: in strings, numbers, keys, at any depth.

        Other objects stay as they are.
        """
        match value:
            case str():
                return self.text(value)
            case Octets():
                return self.bytes(value)
            case bool() | None:
                return value
            case int() | float():
                if not self._may_be_in_numbers():
                    return value
                redacted = self.text(str(value))
                return value if redacted == str(value) else redacted
            case PurePath():
                return type(value)(self.text(str(value)))
            case Mapping():
                return self._mapping(value)
            case list():
                return [self.data(each) for each in value]
            case tuple():
                return tuple(self.data(each) for each in value)
            case set() | frozenset():
                return type(value)(self.data(each) for each in value)
        return value

    def _may_be_in_numbers(self) -> bool:
        with self._lock:
            self._all_variants()
            return self._in_numbers

    def _mapping(self, value: Mapping[object, object]) -> dict[Any, Any]:
        redacted: dict[Any, Any] = {}
        for key, each in value.items():
            name = unique = self.data(key)
            number = 2
            while unique in redacted:  # two secrets of one label as keys: neither entry may be lost
                unique = f"{name} ({number})"
                number += 1
            redacted[unique] = self.data(each)
        return redacted

    def _all_variants(self) -> dict[str, str]:
        with self._lock:
            if self._variants is None:
                found: dict[str, str] = {}
                for value in self._labels:
                    for variant in variants_of(value):
                        found.setdefault(variant, value)
                for number, (value, label) in enumerate(self._labels.items(), start=1):
                    if any(variant in f"{MARKER_START}{label}]" for variant in found):  # redis_password: redis_password
                        self._labels[value] = f"secret-{number}"
                self._clean = set()
                self._in_numbers = any(_OF_NUMBERS.issuperset(variant) for variant in found)
                self._variants = {
                    variant: self._labels[value]
                    for variant, value in sorted(found.items(), key=lambda item: -len(item[0]))
                }
            return self._variants


def may_stand_for(shown: str, text: str) -> bool:
    """Whether `shown`, in which a secret was replaced, may have been `text`."""
    if MARKER_START not in shown:
        return False
    forms = (shown, _NUMBER.sub("", shown))
    return any(re.fullmatch(".+".join(map(re.escape, _MARKER.split(each))), text, re.DOTALL) for each in forms)


def _safe_label(label: str) -> str:
    """A label that stays one word in JSON, in HTML and on a terminal."""
    return re.sub(r"[^A-Za-z0-9_.@:/-]+", "-", label) or "secret"


def _spans(text: str, variants: Mapping[str, str]) -> Iterable[Span]:
    """Where secrets are in `text`: (start, end, label).

    All overlaps are reported, so that no rest of a secret remains.
    """
    yield from _literal_spans(text, variants)
    yield from _cut_spans(text, variants)
    wraps = [found.span() for found in _WRAP.finditer(text)]
    if not wraps:
        return
    # Tools wrap lines in the middle of a secret (base64 at 76 columns, Ansible's warnings at the width of the
    # terminal): search again in the joined lines, and translate the places back.
    joined = _WRAP.sub("", text)
    removed = list(accumulate((end - start for start, end in wraps), initial=0))
    cuts = [
        start - gone for (start, _), gone in zip(wraps, removed, strict=False)
    ]  # the places of the wraps in `joined`
    for start, end, label in _literal_spans(joined, variants):
        yield start + removed[bisect_right(cuts, start)], end + removed[bisect_right(cuts, end - 1)], label


def _literal_spans(text: str, variants: Mapping[str, str]) -> Iterable[Span]:
    for variant, label in variants.items():
        at = text.find(variant)
        while at >= 0:
            yield at, at + len(variant), label
            at = text.find(variant, at + 1)


def _cut_spans(text: str, variants: Mapping[str, str]) -> Iterable[Span]:
    for before, after in (found.span() for found in _CUT.finditer(text)):
        for variant, label in variants.items():
            lengths = range(len(variant) - 1, MIN_LENGTH - 1, -1)
            if begin := next((each for each in lengths if text.endswith(variant[:each], 0, before)), 0):
                yield before - begin, before, label
            if end := next((each for each in lengths if text.startswith(variant[-each:], after)), 0):
                yield after, after + end, label


def _aligned(text: str, span: Span) -> Span:
    """`span`, extended over a backslash escape that it would cut in two (else redacted JSON would not parse)."""
    start, end, label = span
    if before := _HALF_AN_ESCAPE_BEFORE.search(text, max(0, start - 64), start):
        start = before.start(1)
    if _HALF_AN_ESCAPE_AFTER.search(text, max(start, end - 64), end) and end < len(text):
        end += 1
    return start, end, label


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Disjoint spans in order. Overlapping spans become one, under the label of the longest."""
    merged: list[Span] = []
    longest = 0
    for start, end, label in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, kept = merged[-1]
            if end - start > longest:
                longest, kept = end - start, label
            merged[-1] = (first, max(last, end), kept)
        else:
            merged.append((start, end, label))
            longest = end - start
    return merged
