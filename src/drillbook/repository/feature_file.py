"""Reads a feature file: every scenario with the lines of its rows, and everything that is wrong with the text itself.

The rule: report all errors at once, each with its line. pytest-bdd's own parser stops at the first error, keeps only
the last of two scenarios with one name, and forgets the lines of Examples rows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gherkin.dialect import Dialect
from gherkin.errors import CompositeParserException, ParserException
from gherkin.parser import Parser
from pytest_bdd.gherkin_parser import ExamplesTable, GherkinDocument, Tag
from pytest_bdd.gherkin_parser import Rule as GherkinRule
from pytest_bdd.gherkin_parser import Scenario as GherkinScenario
from pytest_bdd.gherkin_parser import Step as GherkinStep
from pytest_bdd.parser import PARAM_RE, Feature, FeatureParser, Rule, ScenarioTemplate, Step
from pytest_bdd.types import GIVEN, STEP_TYPE_BY_PARSER_KEYWORD

from drillbook.model.tags import ABORT_WHEN, ACCEPTS_DATA_LOSS, RTO_CLOCKS, SEVERITIES, slug, tag_values
from drillbook.model.times.default_limits import DEFAULTS_S
from drillbook.model.times.durations import parse_duration
from drillbook.repository.feature_lines import lost_lines, stray_characters

# Tags are markers, and pytest fails when these have no arguments.
_NEED_ARGUMENTS = ("parametrize", "usefixtures", "filterwarnings", "skipif")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """An error for which the whole file is refused. `line` is 1-based; `details` are further lines, indented below."""

    line: int
    message: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a scenario: an Examples row, or the scenario itself with no values."""

    line: int
    values: dict[str, str]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario as the file has it, not yet rendered.

    `tags` of a row are its effective ones, merged from all levels.
    """

    template: ScenarioTemplate
    is_outline: bool
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        return self.template.name

    @property
    def rule(self) -> Rule | None:
        return self.template.rule


@dataclass(frozen=True, slots=True)
class FeatureText:
    """The content of a feature file. `feature` is None when the text is no Gherkin at all; then `problems` says why."""

    feature: Feature | None
    scenarios: tuple[ScenarioText, ...]
    problems: tuple[Problem, ...]


def read_feature(path: Path) -> FeatureText:
    """Read one file. An error that the author of the file can put right is never raised: it is in `problems`."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = Parser().parse(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return FeatureText(None, (), (Problem(line, "the file is not UTF-8 text"),))
    except CompositeParserException as error:
        found = {_syntax_problem(each) for each in error.errors} | {
            Problem(*each) for each in stray_characters(text, None)
        }
        return FeatureText(None, (), tuple(sorted(found)))
    if not data.get("feature"):
        return FeatureText(None, (), (Problem(1, "there is no Feature in this file"),))
    unlike = [*lost_lines(text, data), *stray_characters(text, data)]
    return _Reader(path, GherkinDocument.from_dict(data), [Problem(*each) for each in unlike]).read()


# ---- syntax -----------------------------------------------------------------------------------------------

_TOKENS = {
    "#EOF": "the end of the file",
    "#FeatureLine": "'Feature:'",
    "#RuleLine": "'Rule:'",
    "#BackgroundLine": "'Background:'",
    "#ScenarioLine": "'Scenario:'",
    "#ExamplesLine": "'Examples:'",
    "#StepLine": "a step",
    "#TableRow": "a table row",
    "#DocStringSeparator": 'a doc string (""")',
    "#TagLine": "a tag",
}
_EXPECTED = re.compile(r"expected: (?P<tokens>[^']*?)(?:, got '(?P<got>.*)')?$", re.DOTALL)


def _syntax_problem(error: ParserException) -> Problem:
    line = error.location["line"]
    _, _, reason = str(error).partition(": ")
    match = _EXPECTED.search(reason)
    if match is None:
        return Problem(line, f"syntax error: {reason[:1].lower()}{reason[1:]}")
    expected = [_TOKENS[token] for token in match["tokens"].split(", ") if token in _TOKENS]
    wanted = ", ".join(expected[:-1]) + (" or " if len(expected) > 1 else "") + "".join(expected[-1:])
    if match["got"] is None:
        return Problem(line, f"syntax error: the file ends here, where {wanted} is expected")
    return Problem(line, f"syntax error: '{match['got']}' cannot stand here, where {wanted} is expected")


# ---- tags -------------------------------------------------------------------------------------------------


def effective_tags(*levels: Iterable[str]) -> frozenset[str]:
    """The tags of a scenario, from its levels, outermost first: all of them, but only one `rto` and one `severity`."""
    tags: set[str] = set()
    for level in map(set, levels):
        for key in _SINGLE:
            if tag_values(level, key):
                tags = {tag for tag in tags if not tag.startswith(f"{key}:")}
        tags |= level
    return frozenset(tags)


def _tag_problems(tags: Sequence[Tag]) -> Iterator[Problem]:
    """What is wrong with the tags of one level."""
    seen: dict[str, str] = {}
    for tag in tags:
        key, _, value = tag.name.removeprefix("@").partition(":")
        if slug(tag.name) in _NEED_ARGUMENTS:
            yield Problem(tag.location.line, f"{tag.name} is a marker of pytest's that needs arguments: rename the tag")
        yield from _abort_problems(tag, key, value, tags)
        yield from _loss_problems(tag, key)
        yield from _limit_problems(tag, key)
        if key not in _SINGLE:
            continue
        if key in seen and seen[key] != value:
            yield Problem(tag.location.line, f"@{key} is given twice here, as {seen[key]} and as {value}")
        seen[key] = value
        reason = _SINGLE[key](value)
        if reason:
            yield Problem(tag.location.line, f"{tag.name}: {reason}")


def _abort_problems(tag: Tag, key: str, value: str, tags: Sequence[Tag]) -> Iterator[Problem]:
    """What is wrong with an abort condition. A misspelt one would never stop a drill, and nobody would notice."""
    line = tag.location.line
    if key != ABORT_WHEN:
        spelt = key.lower().replace("_", "-")
        if (spelt.startswith("abort") and value) or difflib.get_close_matches(spelt, [ABORT_WHEN], 1, 0.8):
            yield Problem(line, f"{tag.name} stops no drill: write @{ABORT_WHEN}:ENDPOINT")
        return
    if not value:
        yield Problem(line, f"{tag.name} names no endpoint: write @{ABORT_WHEN}:ENDPOINT, with _ for a space")
    if next(each for each in tags if each.name == tag.name) is not tag:
        yield Problem(line, f"{tag.name} is given twice here")


def _loss_problems(tag: Tag, key: str) -> Iterator[Problem]:
    """What is wrong with a loss tag. A misspelt one would accept no loss, and the drill would be refused later."""
    spelt = key.lower().replace("_", "-")
    if key != ACCEPTS_DATA_LOSS and difflib.get_close_matches(spelt, [ACCEPTS_DATA_LOSS], 1, 0.8):
        yield Problem(tag.location.line, f"{tag.name} accepts no loss: write @{ACCEPTS_DATA_LOSS}:COUNT")


def _bad_count(value: str) -> str | None:
    if value.isascii() and value.isdecimal():
        return None
    return f"'{value}' is no number of jobs: write the exact number that is lost, as in @{ACCEPTS_DATA_LOSS}:200"


def _bad_rto(value: str) -> str | None:
    try:
        return None if parse_duration(value) > 0 else "a recovery time objective is longer than zero"
    except ValueError as error:
        return str(error)


def _bad_limit(value: str) -> str | None:
    try:
        return None if parse_duration(value) > 0 else "nothing can be done in 0 s"
    except ValueError as error:
        return str(error)


def _limit_problems(tag: Tag, key: str) -> Iterator[Problem]:
    """What is wrong with a time limit. A misspelt one would leave the default, which may end a play in its middle."""
    near = difflib.get_close_matches(key.lower().replace("_", "-"), DEFAULTS_S, 1, 0.85)
    if key not in DEFAULTS_S and near:
        yield Problem(tag.location.line, f"{tag.name} is not a time limit: write @{near[0]}:30m")


def _not_among(what: str, allowed: Sequence[str]) -> Callable[[str], str | None]:
    return lambda value: None if value in allowed else f"'{value}' is no {what}: write one of {', '.join(allowed)}"


# Tags of which a scenario has one value, that of the nearest of Examples, Scenario, Rule and Feature; and what is wrong
# with a value.
_SINGLE: dict[str, Callable[[str], str | None]] = {
    "rto": _bad_rto,
    "rto-from": _not_among("event that starts the clock", RTO_CLOCKS),
    "severity": _not_among("severity", SEVERITIES),
    **dict.fromkeys(DEFAULTS_S, _bad_limit),
    ACCEPTS_DATA_LOSS: _bad_count,
}

# ---- scenarios --------------------------------------------------------------------------------------------


@dataclass
class _Reader(FeatureParser):
    """pytest-bdd's own translation from Gherkin to its Feature. It also keeps the file's problems and lines."""

    path: Path
    document: GherkinDocument
    problems: list[Problem] = field(default_factory=list)
    scenarios: list[ScenarioText] = field(default_factory=list)
    lines_by_name: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(str(self.path.parent), self.path.name)

    def read(self) -> FeatureText:
        source = self.document.feature
        self.problems += _tag_problems(source.tags)
        feature = self.parse()
        if not self.scenarios:
            self.problems.append(Problem(source.location.line, "the feature has no scenarios"))
        return FeatureText(feature, tuple(self.scenarios), tuple(self.problems))

    def _parse_feature_file(self) -> GherkinDocument:
        return self.document

    def _parse_and_add_rule(self, rule_data: GherkinRule, feature: Feature) -> None:
        self.problems += _tag_problems(rule_data.tags)
        self._claim_name("rule", rule_data.name, rule_data.location.line)
        super()._parse_and_add_rule(rule_data, feature)

    def parse_steps(self, steps_data: list[GherkinStep]) -> list[Step]:
        """As pytest-bdd does, but with the keyword as the file writes it (`title()` breaks French), and without an
        exception.
        """
        current: str | None = None
        steps = []
        for source in steps_data:
            current = STEP_TYPE_BY_PARSER_KEYWORD.get(source.keyword_type, current)
            if current is None:
                self.problems.append(
                    Problem(
                        source.location.line,
                        f"'{source.keyword} {source.text}' is the first step here: begin it with Given, When or Then",
                    )
                )
                current = GIVEN
            steps.append(
                Step(
                    name=source.text,
                    type=current,
                    indent=source.location.column - 1,
                    line_number=source.location.line,
                    keyword=source.keyword,
                    datatable=source.datatable,
                    docstring=source.docstring.content if source.docstring else None,
                )
            )
        return steps

    def parse_scenario(
        self, scenario_data: GherkinScenario, feature: Feature, rule: Rule | None = None
    ) -> ScenarioTemplate:
        template = super().parse_scenario(scenario_data, feature, rule)
        line = scenario_data.location.line
        self._claim_name("scenario", scenario_data.name, line)
        self.problems += _tag_problems(scenario_data.tags)
        if not scenario_data.steps:
            self.problems.append(Problem(line, f"the scenario '{template.name}' has no steps: it would prove nothing"))
        if not scenario_data.examples and scenario_data.keyword in _outline_keywords(feature.language):
            self.problems.append(Problem(line, f"the outline '{template.name}' has no Examples"))
        for examples in scenario_data.examples:
            self.problems += _tag_problems(examples.tags)
            self.problems += _examples_problems(scenario_data, examples)
        self.scenarios.append(_scenario_text(template, scenario_data.examples))
        return template

    def _claim_name(self, what: str, name: str, line: int) -> None:
        """Claim a scenario's name.

        Names are node ids, and pytest-bdd's keys in a file: each once, also across rules.
        """
        if not name:
            self.problems.append(
                Problem(line, f"the {what} has no name: give it one, it is run and reported by its name")
            )
            return
        first = self.lines_by_name.setdefault(node_name(name), line)
        if first != line:
            self.problems.append(Problem(line, f"the {what} '{name}' has the name of the one on line {first}"))


def node_name(name: str) -> str:
    """A name that survives `pytest FILE::NAME`, where '[' begins an Examples row and '::' divides."""
    return re.sub(r"\s+", " ", name).strip().replace("[", "(").replace("]", ")").replace("::", ":")


def _outline_keywords(language: str) -> Sequence[str]:
    dialect = Dialect.for_name(language)
    return dialect.scenario_outline_keywords if dialect else ()


def _examples_problems(scenario: GherkinScenario, examples: ExamplesTable) -> Iterator[Problem]:
    line = examples.location.line
    if examples.table_header is None or not examples.table_body:
        yield Problem(line, f"the outline '{scenario.name}' has Examples without rows")
    if examples.table_header is None:
        return
    columns = [cell.value for cell in examples.table_header.cells]
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        yield Problem(examples.table_header.location.line, f"two columns of the Examples are called '{column}'")
    for place, text in _texts(scenario):
        for unknown in sorted(set(PARAM_RE.findall(text)) - set(columns)):
            if unknown == unknown.strip():  # 'x < 5 and y > 3' has no placeholder
                yield Problem(place, f"<{unknown}> is not a column of the Examples on line {line}")


def _texts(scenario: GherkinScenario) -> Iterator[tuple[int, str]]:
    """All text of an outline in which `<placeholder>` is replaced, with its line."""
    yield scenario.location.line, scenario.name
    for step in scenario.steps:
        yield step.location.line, step.text
        if step.docstring:
            yield step.docstring.location.line, step.docstring.content
        for row in step.datatable.rows if step.datatable else ():
            for cell in row.cells:
                yield row.location.line, cell.value


def _scenario_text(template: ScenarioTemplate, sources: Sequence[ExamplesTable]) -> ScenarioText:
    outer = (template.feature.tags, template.rule.tags if template.rule else (), template.tags)
    if not sources:
        return ScenarioText(template, False, (Row(template.line_number, {}, effective_tags(*outer)),))
    rows = [
        Row(source_row.location.line, values, effective_tags(*outer, examples.tags))
        for examples, source in zip(template.examples, (s for s in sources if s.table_header), strict=True)
        for values, source_row in zip(examples.as_contexts(), source.table_body or (), strict=True)
    ]
    return ScenarioText(template, True, tuple(rows))
