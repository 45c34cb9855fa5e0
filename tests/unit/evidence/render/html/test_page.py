"""The HTML report: pure, self-contained, safe with any text, true to the record, and whole for a drill that is not."""

from __future__ import annotations

import copy
import importlib.util
import json
import random
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drillbook.errors import DrillbookError
from drillbook.evidence.render import html
from drillbook.evidence.render.html.page import render, report
from drillbook.evidence.render.html.words import three_figures
from drillbook.evidence.render.plots import canvas, shapes
from tests.support import ROOT

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "tests/data" / "drill_example"
HOSTILE = (
    "</style></title></svg><script>alert(1)</script><img src=http://evil.example/x onerror='x()'>\""
    "&$\\frac{\x00\x1b[31m\u202e\ud800"
)
VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drill_example_generate", EXAMPLE / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return _generator()


@pytest.fixture(scope="module")
def example(generator: ModuleType) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    made: tuple[dict[str, Any], dict[str, Any], list[Any]] = generator.example()
    return made


@pytest.fixture(scope="module")
def page(example: tuple[dict[str, Any], dict[str, Any], list[Any]]) -> str:
    return render(*example)


@pytest.fixture
def record(example: tuple[dict[str, Any], dict[str, Any], list[Any]]) -> dict[str, Any]:
    return copy.deepcopy(example[0])


class Page(HTMLParser):
    """What a page says: its elements, its text, and whether each element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


# ---- purity and self-containedness ------------------------------------------------------------------------------


def test_the_same_evidence_gives_the_same_bytes(
    page: str, example: tuple[dict[str, Any], dict[str, Any], list[Any]]
) -> None:
    assert render(*copy.deepcopy(example)) == page


def test_the_user_s_matplotlib_set_up_does_not_reach_the_pictures(
    page: str, example: tuple[dict[str, Any], dict[str, Any], list[Any]]
) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"axes.facecolor": "#123456", "font.size": 30, "svg.fonttype": "path"}):
        assert render(*example) == page


def test_it_names_no_path_of_this_machine(page: str) -> None:
    assert str(ROOT) not in page
    assert str(Path.home()) + "/" not in page


def test_nothing_outside_is_referred_to(page: str) -> None:
    found = Page(page)
    assert not found.tags() & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "video",
        "audio",
        "image",
    }
    for _tag, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            assert name != "style"
            if name in {
                "src",
                "href",
                "xlink:href",
                "srcset",
                "action",
                "data",
                "poster",
                "background",
                "cite",
                "ping",
            }:
                assert (value or "").startswith("#"), (name, value)
            for reference in re.findall(r"url\(([^)]*)\)", value or ""):
                assert reference.startswith("#")
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert "@font-face" not in found.style


def test_every_reference_has_its_target_and_every_identifier_is_its_own(page: str) -> None:
    elements = Page(page).elements
    names = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(names) == len(set(names))
    wanted = [
        reference
        for _, attributes in elements
        for name, value in attributes.items()
        for reference in (
            [value.removeprefix("#")] if name == "href" and value else re.findall(r"url\(#([^)]*)\)", value or "")
        )
    ]
    wanted += [word for _, attributes in elements for word in (attributes.get("aria-labelledby") or "").split()]
    assert set(wanted) <= set(names)


def test_the_policy_forbids_scripts_and_allows_this_style_alone(page: str) -> None:
    import base64
    import hashlib

    policies = [a["content"] for tag, a in Page(page).elements if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]


# ---- hostile text -----------------------------------------------------------------------------------------------


def _everywhere(value: Any, text: str) -> Any:
    """The same shape with `text` in place of every string, and around every name that a user gives."""
    if isinstance(value, str):
        return text
    if isinstance(value, Mapping):
        return {name: _everywhere(item, text) for name, item in value.items()}
    if isinstance(value, list):
        return [_everywhere(item, text) for item in value]
    return value


def test_hostile_text_in_every_field_stays_text(example: tuple[dict[str, Any], dict[str, Any], list[Any]]) -> None:
    record, samples, attempts = example
    bad = _everywhere(record, HOSTILE)
    bad["plays"][0]["variables"] = {HOSTILE: HOSTILE}
    bad["plays"][0]["hosts"] = {HOSTILE: {HOSTILE: 3}}
    bad["feature"] = bad["environment"] = {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}
    text = render(bad, {HOSTILE: samples["redis"]}, _everywhere(attempts, HOSTILE), remarks=[HOSTILE])
    found = Page(text)
    assert not found.tags() & {"script", "img"}
    assert text.count("<style>") == text.count("</style>") == 1
    assert "evil.example" in found.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", text)
    text.encode("utf-8")


@pytest.mark.parametrize("wrong", [HOSTILE, None, [], {}, 1e308, float("nan"), -1, True])
def test_any_value_in_any_leaf_still_gives_a_page(record: dict[str, Any], wrong: Any) -> None:
    def replaced(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: replaced(item) for name, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return wrong

    Page(
        render(
            replaced(record),
            {"api": [{"sent_s": wrong, "done_s": wrong, "ok": wrong, "latency_ms": wrong}]},
            [{"sent_s": wrong}],
        )
    )


# ---- what it says -----------------------------------------------------------------------------------------------


def test_it_shows_the_numbers_of_the_record(
    page: str, example: tuple[dict[str, Any], dict[str, Any], list[Any]]
) -> None:
    record = example[0]
    text = Page(page).text
    times = record["times"]
    for name in ("detect", "alert", "act", "recover"):
        assert f"{three_figures(times[f'{name}_s'])} s ± {three_figures(times[f'{name}_uncertainty_s'])} s" in text
    assert f"Margin {three_figures(times['rto_s'] - times['recover_s'])} s" in text
    assert f"Acknowledged {record['work']['acknowledged']:,} of {record['work']['attempted']:,} attempts" in text
    for event in record["timeline"]:
        assert f"{three_figures(event['at_s'])} s" in text
    for step in record["steps"]:
        assert f"{step['keyword']} {step['text']}" in text
        assert f"{three_figures(step['duration_s'])} s" in text
    for check in record["checks"]:
        assert f"{three_figures(check['found_s'])} s ± {three_figures(check['uncertainty_s'])} s" in text
    for probe in record["probes"]:
        assert f"{probe['endpoint']} {probe['kind']} {probe['samples']:,} {probe['failures']:,}" in text
    for word in (
        record["run_id"],
        record["git"]["commit"],
        record["reason"].removeprefix("r"),
        record["harness"]["ansible-core"],
    ):
        assert word in text


def test_the_parts_stand_in_their_order(page: str) -> None:
    headings = [
        "verdict",
        "numbers",
        "pictures",
        "steps",
        "checks",
        "plays",
        "faults",
        "work",
        "probes",
        "provenance",
        "notes",
        "reading",
    ]
    places = [page.index(f'<h2 id="{name}">') for name in headings]
    assert places == sorted(places)
    pictures = [page.index(f'id="{name}-title"') for name in ("timeline", "availability", "latency", "work")]
    assert pictures == sorted(pictures)


def test_pictures_and_tables_say_what_they_show(page: str) -> None:
    elements = Page(page).elements
    assert [a["role"] for tag, a in elements if tag == "svg" and a.get("class") == "picture"] == ["img"] * 4
    tags = [tag for tag, _ in elements]
    assert tags.count("table") == tags.count("caption") > 5
    assert tags.count("h1") == 1


@pytest.mark.parametrize(
    ("outcome", "word", "meaning"),
    [
        ("NOT_RECOVERED", "Not recovered", "failed or was met too late"),
        ("INVALID", "Invalid", "Nothing was proven either way"),
        ("NOT_RESTORED", "Not restored", "was not put back"),
        ("ABORTED", "Aborted", "stopped before its end"),
        (None, "Unfinished", "There is no verdict"),
        ("SOMETHING", "Something", "Unknown outcome"),
    ],
)
def test_no_other_outcome_looks_like_a_pass(
    record: dict[str, Any], outcome: str | None, word: str, meaning: str
) -> None:
    record["outcome"] = outcome
    text = render(record, {}, [])
    found = Page(text).text
    assert f"{word} Recovered in" in found
    assert meaning in found
    assert '<section class="banner good"' not in text


def test_a_missed_rto_is_said(record: dict[str, Any]) -> None:
    record["times"] |= {"recover_s": 700.5, "rto_met": False}
    text = Page(render(record, {}, [])).text
    assert "✗ RTO missed : 116.8 % of it used" in text
    assert "-100 s" in text


@pytest.mark.parametrize(("outcome", "sign"), [("HELD", "✓"), ("BETRAYED", "✗"), ("INVALID", "✗")])
def test_the_control_at_the_end_of_a_drill_is_shown(record: dict[str, Any], outcome: str, sign: str) -> None:
    assert "recovery-twice" not in Page(render(record, {}, [])).text
    record["repeat"] = {"outcome": outcome, "reason": "a task <b>changed</b> something"}
    text = Page(render(record, {}, [])).text
    assert f"{sign} Control recovery-twice, at the end of the drill: {outcome}" in text
    assert "a task <b>changed</b> something" in text


def test_an_axis_that_is_missing_does_not_hold(record: dict[str, Any]) -> None:
    record["axes"] = {"restored": {"holds": False, "reasons": ["the fault 'network_cut' was not undone"]}}
    text = Page(render(record, {}, [])).text
    assert "Valid: \N{EN DASH} not established" in text
    assert "Restored: ✗ does not hold" in text
    assert "the fault 'network_cut' was not undone" in text


# ---- drills that are not whole ----------------------------------------------------------------------------------


def test_a_drill_that_was_killed_renders_and_says_so(
    record: dict[str, Any], example: tuple[Any, dict[str, Any], Any]
) -> None:
    for name in ("ended_at", "duration_s", "outcome", "reason", "work", "probe_cpu_ratio"):
        record[name] = None
    record |= {"axes": {}, "probes": [], "times": dict.fromkeys(record["times"])}
    record["phases"] = [*record["phases"][:2], record["phases"][2] | {"ended_s": None}]
    record["timeline"] = record["timeline"][:2]
    for step in record["steps"][4:]:
        step |= {"status": "planned", "started_s": None, "duration_s": None}
    record["steps"][3]["status"] = "running"
    record["faults"][0]["undo"] = "pending"
    text = Page(render(record, {"redis": example[1]["redis"][:80]}, [])).text
    assert "Unfinished" in text
    assert "was killed" in text
    assert "pending" in text
    assert "RTO 600 s 10 min" in text


def test_a_record_of_which_nothing_but_the_schema_is_left_renders() -> None:
    text = Page(render({"schema": "drillbook/drill/1"}, {}, [])).text
    assert "Untitled drill" in text
    assert (
        "In this record there is no steps, nothing that was judged, no playbook that was run, no fault that was "
        "injected, no balance of work, no statistics of probes, neither notes nor findings, no phase that began, "
        "no samples, no time of an answer, no attempts." in text
    )


def test_what_there_is_none_of_has_no_card_and_no_section(record: dict[str, Any]) -> None:
    whole = Page(render(record, {}, [])).text
    assert "Work balance" in whole and "Time to alert" in whole and "RTO met" in whole
    record |= {"work": None, "findings": [], "notes": [], "probes": [], "observations": []}
    record["times"] |= dict.fromkeys(("rto_s", "rto_met", "alert_s"))
    record["objectives"] |= {"rto_s": None}
    text = render(record, {}, [])
    found = Page(text)
    for heading in ("Work balance", "Time to alert", "Margin", "RTO", "Probes", "Observations", "Work submitted"):
        assert f"<h2>{heading}" not in text and f"<h3>{heading}" not in text, heading
    ids = {attributes.get("id") for _, attributes in found.elements}
    for tag, attributes in found.elements:
        if tag == "a":
            assert str(attributes["href"]).removeprefix("#") in ids
    assert "no balance of work" in found.text


# ---- the top ----------------------------------------------------------------------------------------------------


def test_what_an_axis_asks_is_not_told_as_found(record: dict[str, Any]) -> None:
    record["axes"]["recovered"] = {"holds": False, "reasons": ["the criterion failed"]}
    text = Page(render(record, {}, [])).text
    assert "Recovered: ✗ does not hold Holds when every criterion held" in text
    assert text.count("Holds when") == 3


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0514, "0.051"),
        (1.0671, "1.07"),
        (29.536, "29.5"),
        (96.96, "97"),
        (638.9, "639"),
        (14400.4, "14400"),
        (0, "0"),
    ],
)
def test_a_time_has_three_figures(record: dict[str, Any], seconds: float, shown: str) -> None:
    record["times"]["detect_s"] = seconds
    assert f"Time to detect {shown}\N{NO-BREAK SPACE}s" in " ".join(Page(render(record, {}, [])).words).replace(
        " s ", "\N{NO-BREAK SPACE}s "
    )


def test_a_long_reason_is_short_in_the_banner_and_whole_further_down(record: dict[str, Any]) -> None:
    reason = f"the recovery failed: {'a word ' * 100}the end of it\nand a second line"
    record |= {"outcome": "NOT_RECOVERED", "reason": reason}
    text = render(record, {}, [])
    banner = text[text.index('<section class="banner') : text.index("</section>")]
    assert "The recovery failed: a word" in banner and "…" in banner
    assert "the end of it" not in banner
    assert "and a second line" in text[text.index("</section>") :]


def test_work_that_was_answered_otherwise_is_told_with_its_status(record: dict[str, Any]) -> None:
    assert "no answer, or neither a yes nor a no: may or may not" in render(record, {}, [])
    record["work"]["answered_otherwise"] = {"500": 3, "502": 1}
    assert "no answer, or neither a yes nor a no (3 with 500, 1 with 502): may or may not" in render(record, {}, [])


def test_accepted_loss_and_a_dirty_checkout_stand_on_top(record: dict[str, Any]) -> None:
    text = render(record, {}, [])
    assert "accepts" not in text and "in no commit" not in text
    record["objectives"]["accepted_lost"] = 2
    record["work"]["lost_count"] = 1
    record["git"]["dirty"] = True
    text = render(record, {}, [])
    top = text[: text.index('<h2 id="numbers">')]
    assert "The feature accepts that exactly 2 acknowledged jobs are lost: 1 were." in top
    assert "055cece0c7, with changes that are in no commit" in top


def test_a_playbook_is_folded_unless_something_went_wrong_in_it(record: dict[str, Any]) -> None:
    record["plays"][0]["problems"] = ["web-1: the task failed"]
    text = render(record, {}, [])
    assert text.count("<details open>") == 1
    assert text.count("<details>") == len(record["plays"]) - 1


# ---- thinning ---------------------------------------------------------------------------------------------------


def look(at_s: float, *, ok: bool = True, ms: float = 1.0) -> dict[str, Any]:
    return {"sent_s": at_s, "done_s": at_s + ms / 1000, "ok": ok, "status": 200, "error": None, "latency_ms": ms}


def test_one_failed_look_among_thousands_is_drawn() -> None:
    rows = [look(n / 20, ok=n != 7_777) for n in range(12_000)]
    failed = [one for one in shapes.stretches(rows, 0.05) if not one.ok]
    assert [round(one.begin_s, 3) for one in failed] == [388.85]
    flapping = [look(n / 20, ok=n % 2 == 0 or n > 6_000) for n in range(12_000)]
    coarse = shapes.stretches(flapping, 0.05)
    assert len(coarse) <= shapes.COLUMNS
    assert any(not one.ok and one.begin_s <= 150 <= one.end_s for one in coarse)
    assert coarse[-1].ok


def test_where_nobody_looked_is_a_gap() -> None:
    rows = [look(n / 10) for n in range(10)] + [look(20 + n / 10) for n in range(10)]
    first, second = shapes.stretches(rows, 0.1)
    assert first.end_s == pytest.approx(0.901)
    assert second.begin_s == 20


def test_what_an_answer_that_came_late_does_not_show_is_a_gap() -> None:
    """A look that hung for 9 s and was answered shows its own moment; one that waited in vain shows the silence."""
    late = {**look(1.0), "done_s": 10.0}
    before, after = shapes.stretches([look(0.9), late, look(10.1)], 0.1, timeout_s=20.0)
    assert before.end_s == pytest.approx(0.901)
    assert after.begin_s == 10.0
    silent = {**look(1.0, ok=False), "done_s": 10.0, "error": "no answer in time"}
    assert [one.begin_s for one in shapes.stretches([look(0.9), silent], 0.1, timeout_s=20.0) if not one.ok] == [1.0]


def test_the_picture_says_when_nobody_looked(record: dict[str, Any]) -> None:
    name = record["probes"][0]["endpoint"]
    record["probes"][0]["gaps"] = [{"since_s": 3.0, "until_s": 12.0}]
    samples = {name: [look(n / 10) for n in range(30)] + [look(12 + n / 10) for n in range(30)]}
    assert "nobody looked 3.0-12.0 s" in render(record, samples, [])


def test_thinning_keeps_the_least_and_the_greatest() -> None:
    chance = random.Random(1)
    points = [(n / 20, chance.lognormvariate(0, 1)) for n in range(12_000)]
    columns = shapes.thinned(points, 0, 600)
    assert len(columns) <= shapes.COLUMNS + 1
    assert min(one.low_ms for one in columns) == min(value for _, value in points)
    assert max(one.high_ms for one in columns) == max(value for _, value in points)


def test_attempts_are_counted_whole() -> None:
    attempts = [
        {"sent_s": n / 50, "answered": ("acknowledged", "refused", "unknown", "nonsense")[n % 4]} for n in range(3_000)
    ]
    width_s, rates = shapes.per_second(attempts, 60.0)
    assert width_s == 1
    assert {name: sum(row) for name, row in rates.items()} == {"acknowledged": 750, "refused": 750, "unknown": 1500}


def test_ten_minutes_of_eight_endpoints_stay_small(record: dict[str, Any]) -> None:
    chance = random.Random(2)
    samples = {
        f"endpoint-{name}": [
            look(n / 20, ok=chance.random() > 0.2 * (name % 3), ms=chance.lognormvariate(1, 1)) for n in range(12_000)
        ]
        for name in range(8)
    }
    attempts = [{"sent_s": n / 50, "answered_s": n / 50 + 0.01, "answered": "acknowledged"} for n in range(30_000)]
    record["duration_s"] = 600.0
    assert len(render(record, samples, attempts).encode()) < 1_500_000


# ---- colours ----------------------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_can_be_read(scheme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text; 1.4.11: 3 to 1 for what a picture needs."""
    colour = {name: colours[scheme] for name, colours in canvas.PALETTE.items()}
    for name in ("ink", "soft", "bad"):
        assert _contrast(colour[name], colour["page"]) >= 4.5, name
    for name in ("well", "bad", "recovery"):
        assert _contrast(colour[name], colour["page"]) >= 3, name
    css = (Path(str(html.__file__)).with_name("templates") / "report.css").read_text(encoding="utf-8")
    for name in ("good", "failed", "doubt"):
        own, soft = (re.findall(rf"--{which}:(#[0-9a-f]{{6}})", css)[scheme] for which in (name, f"{name}-soft"))
        assert _contrast(own, colour["page"]) >= 4.5, name
        assert _contrast(own, soft) >= 4.5, name


# ---- from the folder --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(EXAMPLE / "content", tmp_path / "drill" / "content")
    yield tmp_path / "drill"


def test_the_example_is_what_the_generator_makes(generator: ModuleType) -> None:
    for name, text in generator.texts().items():
        assert (EXAMPLE / "content" / name).read_text(encoding="utf-8") == text, f"run {EXAMPLE / 'generate.py'}"


def test_the_report_is_written_beside_the_record(folder: Path, page: str) -> None:
    target = report(folder)
    assert target == folder / "content" / "report.html"
    assert target.read_text(encoding="utf-8") == page
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "drill.json",
        "report.html",
        "samples.ndjson",
        "work.ndjson",
    ]


def test_missing_samples_and_attempts_are_said(folder: Path) -> None:
    (folder / "content" / "samples.ndjson").unlink()
    (folder / "content" / "work.ndjson").unlink()
    text = Page(report(folder).read_text(encoding="utf-8")).text
    assert "samples.ndjson is missing" in text
    assert "work.ndjson is missing or empty" in text


def test_a_torn_last_line_is_left_out_and_said(folder: Path) -> None:
    with (folder / "content" / "samples.ndjson").open("a", encoding="utf-8") as handle:
        handle.write('{"endpoint": "redis", "sent_s": 96.')
    text = Page(report(folder).read_text(encoding="utf-8")).text
    assert "samples.ndjson: 1 line(s) cannot be read" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[]", "schema 'list' is unknown"),
        (json.dumps({"schema": "drillbook/drill/99"}), "drillbook/drill/99"),
    ],
)
def test_without_a_readable_record_there_is_no_report(folder: Path, text: str | None, why: str) -> None:
    path = folder / "content" / "drill.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DrillbookError, match=why):
        report(folder)
    assert not (folder / "content" / "report.html").exists()


# ---- the manual -------------------------------------------------------------------------------------------------


def test_the_manual_names_every_field(example: tuple[dict[str, Any], dict[str, Any], list[Any]]) -> None:
    manual = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    record, samples, attempts = example
    rows: list[Mapping[str, Any]] = [record, record["times"], record["work"], samples["redis"][0], attempts[0]]
    rows += [record[name][0] for name in ("timeline", "phases", "steps", "checks", "faults", "plays", "probes")]
    rows += [record["artefacts"][0], record["engine"], record["clock"], record["attempts"][0], record["population"]]
    rows += [record["population"]["deselected"][0]]
    rows += [
        record["plays"][0]["tasks"][0],
        record["work"]["rates"][0],
        record["feature"],
        record["scenario"],
        record["objectives"],
    ]
    missing = {name for row in rows for name in row if f"`{name}`" not in manual}
    assert missing == set()


def test_who_was_present_is_shown(record: dict[str, Any]) -> None:
    assert "<li>Present <b>Ada, Grace</b></li>" in render(record, {}, [])
    assert "Present" not in render({**record, "people": []}, {}, []).split("<main>")[0]
