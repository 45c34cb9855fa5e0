"""Anchors of runbooks, by GitHub's rule, and tags that lead nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.evidence.artefacts import clauses, github_anchor
from drillbook.repository.lint.facts import Repository
from drillbook.repository.lint.runbooks import anchors, check
from drillbook.repository.plan.scenario_facts import ScenarioFacts

pytestmark = pytest.mark.unit

RUNBOOK = """\
# Runbook: Redis

## Restore the network
### `redis-cli` & [other](x.md) *tools*, 2nd_try!
## Twice
## Twice
## Twice
Setext too
----------
<a id="by-hand"></a> and <a name='by-name'>x</a>

## Explicit {#its-own}

```
## In code
```
    ## Indented code
"""


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("Restore the network", "restore-the-network"),
        ("What's new? (2.0)", "whats-new-20"),
        ("A - B", "a---b"),
        ("snake_case", "snake_case"),
        ("Größe", "größe"),
        ("हिन्दी शब्द", "हिन्दी-शब्द"),
        ("🚨 Alarm", "-alarm"),
        ("  spaced  out  ", "spaced--out"),
    ],
)
def test_the_anchor_of_a_heading(heading: str, slug: str) -> None:
    assert github_anchor(heading) == slug


def test_the_anchors_of_a_runbook() -> None:
    assert anchors(RUNBOOK) == {
        "runbook-redis",
        "restore-the-network",
        "redis-cli--other-tools-2nd_try",
        "twice",
        "twice-1",
        "twice-2",
        "setext-too",
        "by-hand",
        "by-name",
        "its-own",
        "explicit",
    }


def repository(tag: str, feature: str) -> Repository:
    scenario = ScenarioFacts("features/x.feature", 4, "S", frozenset({f"runbook:{tag}"}), ())
    return Repository(
        Path("/srv"),
        scenarios=(scenario,),
        texts={"features/x.feature": feature},
        runbooks={"runbooks/redis.md": RUNBOOK, "runbooks/db/postgres.md": "# Postgres\n"},
    )


@pytest.mark.parametrize(
    "tag",
    ["redis.md", "redis.md#restore-the-network", "redis.md#by-hand", "redis.md#its-own", "db/postgres.md#postgres"],
)
def test_a_tag_that_leads_somewhere(tag: str) -> None:
    assert list(check(repository(tag, f"@runbook:{tag}\nFeature: F\n"))) == []


@pytest.mark.parametrize(
    ("tag", "code", "sentence"),
    [
        ("rdis.md", "no-runbook", "there is no runbooks/rdis.md (there: db/postgres.md, redis.md)"),
        ("rdis.md#twice", "no-runbook", "there is no runbooks/rdis.md (there: db/postgres.md, redis.md)"),
        ("../redis.md", "no-runbook", "there is no runbooks/../redis.md (there: db/postgres.md, redis.md)"),
        (
            "redis.md#restore-network",
            "no-anchor",
            "runbooks/redis.md has no heading or anchor #restore-network; the nearest is #restore-the-network",
        ),
        ("redis.md#indented-code", "no-anchor", "runbooks/redis.md has no heading or anchor #indented-code"),
        ("redis.md#", "no-anchor", "runbooks/redis.md has no heading or anchor #"),
    ],
)
def test_a_tag_that_leads_nowhere(tag: str, code: str, sentence: str) -> None:
    text = f'@row:R1 @runbook:{tag}\nFeature: F\n  """\n  not a tag: @runbook:{tag}\n  """\n  @runbook:{tag} @x\n'
    assert [str(each) for each in check(repository(tag, text))] == [
        f"features/x.feature:{line}: {code}: @runbook:{tag}: {sentence}" for line in (1, 6)
    ]


def test_an_anchor_that_a_heading_has_by_itself_is_not_given_to_another() -> None:
    text = "## x\n## x\n## x-1\n## x\n"
    assert anchors(text) == {"x", "x-1", "x-1-1", "x-2"} == set(clauses(text))


def test_no_runbooks_at_all() -> None:
    empty = replace(repository("redis.md", "@runbook:redis.md\nFeature: F\n"), runbooks={})
    assert [each.sentence for each in check(empty)] == [
        "@runbook:redis.md: there is no runbooks/redis.md (there: none)"
    ]
