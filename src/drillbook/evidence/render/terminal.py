"""What the terminal shows of a drill: one line for each event. Pure functions of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drillbook.model.json_values import observed_value
from drillbook.model.proof import Proof
from drillbook.model.times.durations import duration
from drillbook.model.times.profiles import Timings, shortened

Paint = Callable[[str, str], str]
"""(text, style) -> text; styles: bold, green, red, yellow, dim."""
_STYLES = {"bold": "1", "green": "32", "red": "31", "yellow": "33", "dim": "2"}
_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "yellow"),
    "interrupted": ("!", "red"),
    "withheld": ("○", "yellow"),
    "absent": ("∅", "green"),
    "present": ("=", "yellow"),
}
_WORDS = {"withheld": "withheld", "absent": "not so", "present": "so all the same"}
_OUTCOME_STYLE = {
    "PASSED": "green",
    "HELD": "green",
    "BETRAYED": "red",
    "NOT_RECOVERED": "red",
    "NOT_RESTORED": "red",
}

LONG_S = 3.0
"""A wait that lasts longer shows how long it may still take."""


def colours(text: str, style: str) -> str:
    """ANSI colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def plain(text: str, _style: str) -> str:
    """No colours."""
    return text


def lines(event: Mapping[str, Any], paint: Paint = plain) -> list[str]:
    """The lines for one event; none for an event that only moves the status line."""
    show = _SHOW.get(event["event"])
    return show(event, paint) if show else []


def status(event: Mapping[str, Any]) -> str | None:
    """The text of the status line after this event: "" clears it, None leaves it as it is."""
    match event["event"]:
        case "step" | "detail":
            return " ".join(str(event["text"]).split())
        case "done" | "verdict" | "drill":
            return ""
    return None


def progress(text: str, lasted_s: float, left_s: float | None, width: int) -> str:
    """The status line's text about a step: what it does or waits for, for how long, and how long it may still take.

    It has at most this many characters. A longer text is cut, and the times stay.
    """
    left = f", {max(left_s, 0.0):.0f} s left" if left_s is not None and lasted_s >= LONG_S else ""
    times = f" ({lasted_s:.0f} s{left})"
    room = max(width - len(times) - 2, 0)
    return f"… {text if len(text) <= room else text[: max(room - 1, 0)] + '…'}{times}"[:width]


def _drill(event: Mapping[str, Any], paint: Paint) -> list[str]:
    objectives = event["objectives"]
    rto = f", RTO {duration(objectives['rto_s'])}" if objectives.get("rto_s") else ""
    severity = f", {objectives['severity']}" if objectives.get("severity") else ""
    shown = ["", paint(event["title"], "bold"), f"  {event['where']} on {event['environment']}{severity}{rto}"]
    if event.get("control"):
        shown.append(f"  control {paint(event['control'], 'bold')}")
    return shown


def _phase(event: Mapping[str, Any], paint: Paint) -> list[str]:
    return [f"  {paint(event['phase'], 'dim')}"]


def _done(event: Mapping[str, Any], paint: Paint) -> list[str]:
    mark, style = _MARKS[event["status"]]
    word = f"  ({_WORDS[event['status']]})" if event["status"] in _WORDS else ""
    shown = [f"    {paint(mark, style)} {event['text']}{word}  {paint(duration(event['duration_s']), 'dim')}"]
    shown += [f"      {paint(decision_line(each), 'dim')}" for each in event.get("decisions", ())]
    return shown + [f"      {paint(observation(each), 'dim')}" for each in event.get("observations", ())]


def decision_line(decided: Mapping[str, Any]) -> str:
    """What a decision table said, by which rule, and from which metrics."""
    metrics = ", ".join(f"{name}={metric_text(value)}" for name, value in decided["metrics"].items())
    return f"{decided['severity']}, {decided['decision']} (rule {decided['rule']}): {metrics}"


def metric_text(value: object) -> str:
    """`yes`, `12.5`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def observation(seen: Mapping[str, Any]) -> str:
    """`subject: value unit` in one line."""
    return f"{seen['subject']}: {observed_value(seen['value'], seen['unit'])}"


def _undo(event: Mapping[str, Any], paint: Paint) -> list[str]:
    if event["problem"]:
        return [f"    {paint('✗', 'red')} {event['fault']} is NOT undone: {event['problem']}"]
    return [f"    {paint('✓', 'green')} {event['fault']} is undone and proven gone"]


def _cleanup(event: Mapping[str, Any], paint: Paint) -> list[str]:
    if event["problem"]:
        return [f"    {paint('✗', 'red')} the work of the drill is NOT cleaned up: {event['problem']}"]
    return [f"    {paint('✓', 'green')} the work of the drill is cleaned up"]


def _note(event: Mapping[str, Any], paint: Paint) -> list[str]:
    return [f"    {paint('i', 'yellow')} {event['text']}"]


def _verdict(event: Mapping[str, Any], paint: Paint) -> list[str]:
    outcome = event["outcome"]
    shown = [f"  {paint(outcome, _OUTCOME_STYLE.get(outcome, 'yellow'))}: {event['reason']}"]
    if event.get("repeat"):
        again = event["repeat"]
        style = _OUTCOME_STYLE.get(again["outcome"], "yellow")
        shown.append(f"  recovery-twice {paint(again['outcome'], style)}: {again['reason']}")
    axes = event["axes"]
    words = {True: "yes", False: "NO", None: "not reached"}
    shown.append(
        "    " + ", ".join(f"{name} {words[axes[name]['holds']]}" for name in ("valid", "recovered", "restored"))
    )
    times = times_line(event["times"])
    if times:
        shown.append(f"    {times}")
    if event.get("overhead"):
        shown.append(f"    {overhead_line(event['overhead'], event['plays'])}")
    if (windows := event.get("timings")) and (said := shortened(Timings(**windows))):
        shown.append(f"    {said}")
    if event["work"]:
        shown.append(f"    {work_line(event['work'])}")
    shown.append(f"    evidence: {event['evidence']}")
    return shown


def times_line(times: Mapping[str, Any]) -> str:
    """`detected in 1.02 s ±0.06, ...` for the known times; an upper bound is marked as one."""
    words = {"detect": "detected after", "alert": "alerted after", "act": "acted after", "recover": "recovered after"}
    return ", ".join(
        f"{word} at most {times[f'{name}_s']:.2f} s"
        if name in (times.get("bounds") or ())
        else f"{word} {times[f'{name}_s']:.2f} s ±{times[f'{name}_uncertainty_s']:.2f}"
        for name, word in words.items()
        if times.get(f"{name}_s") is not None
    )


def overhead_line(overhead: Mapping[str, Any], warm: Sequence[bool]) -> str:
    """What the harness added, and how much of the time to recover that was; `warm` says for each play how it ran."""
    within = overhead["in_recover_s"]
    plays = f"plays {overhead['play_start_s'] + overhead['play_end_s']:.2f} ({sum(warm)} of {len(warm)} warm)"
    rest = f"steps {overhead['between_steps_s']:.2f}, evidence {overhead['evidence_s']:.2f}"
    share = f"; {within:.2f} s of it before the system had recovered" if within is not None else ""
    return f"the harness took {overhead['total_s']:.2f} s: {plays}, {rest}{share}"


def work_line(work: Mapping[str, Any]) -> str:
    """The balance of the work in one line. A 500 is an answer, but neither accepts nor refuses."""
    accepted = work.get("accepted_lost")
    otherwise = work.get("answered_otherwise") or {}
    unanswered = work["unknown"] - sum(otherwise.values())
    answered = "".join(f", {number} answered {status}" for status, number in sorted(otherwise.items()))
    allowed = "" if accepted is None else f" ({accepted} accepted)"
    return (
        f"work: {work['acknowledged']} acknowledged, {work['refused']} refused, {unanswered} unanswered{answered}; "
        f"{work['lost_count']} lost{allowed}, {work['duplicated_count']} duplicated"
    )


def proof(proof: Proof) -> list[str]:
    """Two lines: proven or not, and why."""
    said = proof.against if proof.against is not None else f"the drill passed, {len(proof.runs) - 1} controls held"
    return [f"{'proven' if proof.proven else 'NOT PROVEN':<14}{proof.scenario}", f"{'':14}{said}"]


_SHOW: Mapping[str, Callable[[Mapping[str, Any], Paint], list[str]]] = {
    "drill": _drill,
    "phase": _phase,
    "done": _done,
    "undo": _undo,
    "cleanup": _cleanup,
    "note": _note,
    "verdict": _verdict,
}
