"""The step definitions that a feature file can see, and which of them a sentence matches.

The rule: a sentence matches exactly one definition. pytest-bdd silently takes the last of several. It looks a step up
only when the step is reached, after the steps that broke the system.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from pytest_bdd import parsers
from pytest_bdd.compat import get_fixture_names, getfixturedefs
from pytest_bdd.steps import StepFunctionContext, StepNamePrefix, step_function_context_registry
from pytest_bdd.utils import get_required_args

from drillbook.model.paths import shown
from drillbook.model.phases import StepKind
from drillbook.repository.vocabulary import drill_kind_of

_PREFIX = StepNamePrefix.step_def.value
_RESERVED = frozenset({"request", "datatable", "docstring"})
# The variable parts of a sentence or a pattern, blanked out before the two are compared.
_VARIABLE = re.compile(r'"[^"]*"|\{[^}]*\}|\d[\d.,]*')


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One decorated sentence. `location` is `path:line` of its function; `depth` grows with nearness to the feature."""

    context: StepFunctionContext
    depth: int
    location: str

    @property
    def pattern(self) -> str:
        return self.context.parser.name

    @property
    def step_type(self) -> str | None:
        """given, when, then; None for pytest-bdd's `@step`, which serves all three."""
        return self.context.type

    @property
    def drill_kind(self) -> StepKind | None:
        return drill_kind_of(self.context.step_func)

    @property
    def is_async(self) -> bool:
        """pytest-bdd never awaits such a step, and the scenario passes."""
        func = self.context.step_func
        return inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)

    def takes(self, argument: str) -> bool:
        """Whether the function has a parameter of that name."""
        return argument in inspect.signature(self.context.step_func).parameters

    def matches(self, sentence: str) -> bool:
        return self.context.parser.is_matching(sentence)

    def unmet_fixtures(self, sentence: str, known: Callable[[str], bool]) -> list[str]:
        """Parameters of the function that neither the sentence nor a fixture provides."""
        given = self.context.parser.parse_arguments(sentence) or {}
        return [
            name
            for name in get_required_args(self.context.step_func)
            if name not in given and name not in _RESERVED and not known(name)
        ]

    def __str__(self) -> str:
        decorator = self.drill_kind or self.step_type or "step"
        return f"@{decorator} {self.pattern}  ({self.location})"


@dataclass(slots=True)
class _Index:
    """Definitions by the first word of their sentence, so that a sentence is tried on a few and not on all."""

    exact: dict[str, list[Definition]] = field(default_factory=lambda: defaultdict(list))
    by_word: dict[str, list[Definition]] = field(default_factory=lambda: defaultdict(list))
    others: list[Definition] = field(default_factory=list)

    def add(self, definition: Definition) -> None:
        parser = definition.context.parser
        if type(parser) is parsers.string:
            self.exact[definition.pattern].append(definition)
            return
        word, blank, _ = definition.pattern.partition(" ")
        if isinstance(parser, parsers.parse) and blank and "{" not in word and "}" not in word:
            self.by_word[word.lower()].append(definition)
        else:
            self.others.append(definition)

    def candidates(self, sentence: str) -> Iterable[Definition]:
        yield from self.exact.get(sentence, ())
        for definition in [*self.by_word.get(sentence.partition(" ")[0].lower(), ()), *self.others]:
            if definition.matches(sentence):
                yield definition


class Definitions:
    """All definitions that a feature file can see. Answers are kept: the same sentence is looked up once."""

    def __init__(self, definitions: Sequence[Definition], is_fixture: Callable[[str], bool]) -> None:
        self.all = tuple(definitions)
        self._is_fixture = is_fixture
        self._index = _Index()
        self._matching: dict[str, tuple[Definition, ...]] = {}
        self._close: dict[str, list[str]] = {}
        for definition in self.all:
            self._index.add(definition)

    def matching(self, sentence: str) -> tuple[Definition, ...]:
        """Every definition that takes the sentence, whatever its type."""
        found = self._matching.get(sentence)
        if found is None:
            found = self._matching[sentence] = tuple(self._index.candidates(sentence))
        return found

    def find(self, step_type: str, sentence: str) -> tuple[Definition, ...]:
        """The definitions that could run the step: none is undefined, two or more are ambiguous.

        A definition nearer to the feature (in a conftest.py beside it) replaces those with the very same
        pattern.
        """
        found = [d for d in self.matching(sentence) if d.step_type in (None, step_type)]
        if len(found) < 2:
            return tuple(found)
        nearest = {d.pattern: max(other.depth for other in found if other.pattern == d.pattern) for d in found}
        return tuple(d for d in found if d.depth == nearest[d.pattern])

    def nearest(self, sentence: str, count: int = 3) -> list[Definition]:
        """The definitions whose pattern reads most like the sentence, best first."""
        blanked = _blanked(sentence)
        close = self._close.get(blanked)
        if close is None:
            close = difflib.get_close_matches(blanked, list(self._by_blanked), n=count, cutoff=0.55)
            self._close[blanked] = close
        return [definition for text in close for definition in self._by_blanked[text]][:count]

    def unmet_fixtures(self, definition: Definition, sentence: str) -> list[str]:
        return definition.unmet_fixtures(sentence, lambda name: name in self._target_fixtures or self._is_fixture(name))

    @cached_property
    def _by_blanked(self) -> dict[str, list[Definition]]:
        table: dict[str, list[Definition]] = defaultdict(list)
        for definition in self.all:
            if not definition.context.step_func.__module__.startswith("pytest_bdd."):
                table[_blanked(definition.pattern)].append(definition)
        return table

    @cached_property
    def _target_fixtures(self) -> frozenset[str]:
        return frozenset(d.context.target_fixture for d in self.all if d.context.target_fixture is not None)


def visible_definitions(node: pytest.Collector) -> Definitions:
    """The step definitions of plugins, of `steps/` and of each conftest.py above the node."""
    manager = node.session._fixturemanager
    root = node.config.rootpath
    found: dict[int, Definition] = {}
    for name in get_fixture_names(manager):
        if not name.startswith(_PREFIX):
            continue
        for fixturedef in getfixturedefs(manager, name, node) or ():
            context = step_function_context_registry.get(fixturedef.func)
            if context is not None:
                # Keyed by identity: a module that imports another's steps has the same definition a second time.
                found[id(context)] = Definition(context, len(fixturedef.baseid), location_of(context.step_func, root))
    return Definitions(list(found.values()), lambda name: bool(getfixturedefs(manager, name, node)))


def location_of(func: Callable[..., object], root: Path) -> str:
    """`path:line` of a function, the path relative to `root` where it is below it."""
    code = getattr(inspect.unwrap(func), "__code__", None)
    if code is None:
        return f"{func!r}"
    return f"{shown(Path(code.co_filename), root)}:{code.co_firstlineno}"


def _blanked(text: str) -> str:
    return _VARIABLE.sub("_", text).lower()
