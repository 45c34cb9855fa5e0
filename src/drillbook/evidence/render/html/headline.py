"""Computes the top of the page: the verdict, the three axes, the times and the RTO.

The rule: the page shows the record's own verdict. What the record does not say is unknown, and never good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.evidence.render.html.tolerant import listed
from drillbook.evidence.render.html.words import NOTHING, count_text, plain_duration, seconds_text
from drillbook.evidence.render.plots.shapes import Row, number
from drillbook.model.times.profiles import Timings, shortened

_SHORT = 240
"""Characters of a reason in the banner."""
_CUT = "\N{HORIZONTAL ELLIPSIS}"
AXES = (
    ("valid", "Valid", "Holds when the baseline held, every fault took effect and every symptom was seen."),
    ("recovered", "Recovered", "Holds when every criterion held, within the RTO and to the end of the hold window."),
    ("restored", "Restored", "Holds when every undo ran, each fault is proven gone and the baseline holds again."),
)
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    # outcome: (class, symbol, what it means)
    "PASSED": ("good", "✓", "The drill was valid, the system recovered, and it was put back."),
    "NOT_RECOVERED": ("failed", "✗", "The drill was valid, but a success criterion failed or was met too late."),
    "INVALID": ("doubt", "?", "Nothing was proven either way: neither that the runbook works nor that it does not."),
    "NOT_RESTORED": (
        "failed",
        "!",
        "It was not put back as it was. Look at the faults below, and undo what is open with 'drillbook restore'.",
    ),
    "ABORTED": ("doubt", "■", "The drill was stopped before its end: nothing was proven either way."),
    "HELD": ("good", "✓", "The control ended as it must: what it takes away is missed."),
    "BETRAYED": ("failed", "✗", "What the control takes away makes no difference: the drill proves less than it says."),
}
_UNFINISHED = (
    "doubt",
    "…",
    (
        "There is no verdict: the drill was still under way, or was killed, when this record was last written. "
        "What stands below is what was known then."
    ),
)
_PARTS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    # anchor, name, the record's fields that fill it, the sentence for empty fields
    ("pictures", "Pictures", (), ""),
    ("steps", "Steps", ("steps",), "no steps"),
    ("checks", "Checks", ("checks", "decisions", "observations"), "nothing that was judged"),
    ("plays", "Playbooks", ("plays",), "no playbook that was run"),
    ("faults", "Faults and undo", ("faults",), "no fault that was injected"),
    ("work", "Work", ("work",), "no balance of work"),
    ("probes", "Probes", ("probes",), "no statistics of probes"),
    ("provenance", "Provenance", (), ""),
    ("notes", "Notes and findings", ("findings", "notes"), "neither notes nor findings"),
    ("reading", "How to read this", (), ""),
)
_TIMES = (
    ("detect", "Time to detect", "from the fault to the first symptom"),
    ("alert", "Time to alert", "from the fault to the alert's arrival"),
    ("act", "Time to act", "from the first symptom to the recovery's start"),
    ("recover", "Time to recover", "from {clock} to the begin of the hold window"),
)


def windows(record: Row) -> str:
    """The profile by which the system was verified, when its windows are not the full ones."""
    stated = record.get("timings")
    try:
        return shortened(Timings(**stated)) if isinstance(stated, Mapping) else ""
    except (TypeError, ValueError):
        return ""


def verdict(record: Row) -> Mapping[str, str]:
    outcome = record["outcome"]
    kind, symbol, meaning = (
        _UNFINISHED if outcome is None else _OUTCOMES.get(str(outcome), ("doubt", "?", "Unknown outcome."))
    )
    return {
        "kind": kind,
        "symbol": symbol,
        "meaning": meaning,
        "outcome": "UNFINISHED" if outcome is None else str(outcome),
        "words": "Unfinished" if outcome is None else str(outcome).replace("_", " ").capitalize(),
    }


def axes(record: Row) -> list[Mapping[str, Any]]:
    shown: list[Mapping[str, Any]] = []
    for key, name, question in AXES:
        axis = record["axes"].get(key)
        axis = axis if isinstance(axis, Mapping) else {}
        holds = axis.get("holds")
        if holds is True:
            kind, symbol, words = "good", "✓", "holds"
        elif holds is False:
            kind, symbol, words = "failed", "✗", "does not hold"
        else:
            kind, symbol, words = "doubt", NOTHING, "not established"
        shown.append({"name": name, "question": question, "kind": kind, "symbol": symbol, "words": words,
                      "reasons": listed(axis.get("reasons"))})  # fmt: skip
    return shown


def times(record: Row) -> list[Mapping[str, str]]:
    times = record["times"]
    clock = "the " + str(times["rto_clock"]).replace("_", " ")
    return [
        {
            "name": name,
            "value": ("≤ " if key in listed(times["bounds"]) else "") + seconds_text(times[f"{key}_s"]),
            "doubt": _doubt(times, key),
            "what": what.format(clock=clock),
        }
        for key, name, what in _TIMES
        if times[f"{key}_s"] is not None or key == "recover"
    ]


def short(reason: str) -> str:
    """A reason for the banner: as much of its first line as can be read at a glance."""
    line = reason.strip().partition("\n")[0].strip()
    if len(line) > _SHORT:
        line = f"{line[:_SHORT].rpartition(' ')[0] or line[:_SHORT]} {_CUT}"
    elif line and not line.endswith("."):
        line = f"{line}."
    return f"{line[:1].upper()}{line[1:]}"


def accepted_loss(record: Row) -> str:
    """The loss that the feature accepts, for the banner; empty when it accepts none."""
    accepted = record["objectives"].get("accepted_lost")
    if not accepted:
        return ""
    lost = (record["work"] or {}).get("lost_count")
    return f"The feature accepts that exactly {count_text(accepted)} acknowledged jobs are lost: " + (
        "how many were lost is not known." if lost is None else f"{count_text(lost)} were."
    )


def checkout(record: Row) -> str:
    """The commit that was drilled, and whether the work tree differed; empty when there is none."""
    commit = record["git"].get("commit")
    if not commit:
        return ""
    return f"{str(commit)[:10]}{', with changes that are in no commit' if record['git'].get('dirty') else ''}"


def signature(record: Row) -> Mapping[str, Any]:
    """Who signs the evidence, or why nobody does."""
    said = record.get("signature")
    said = said if isinstance(said, Mapping) else {}
    keyid = said.get("keyid") if said.get("state") == "signed" else None
    return {
        "words": f"signed by the key {str(keyid)[:16]}" if keyid else "unsigned",
        "keyid": keyid,
        "reason": said.get("reason"),
        "doubt": not keyid or bool(said.get("reason")),
    }


def parts(record: Row) -> list[tuple[str, str]]:
    """The parts of the page that this record fills: the anchor and the name of each."""
    return [(anchor, name) for anchor, name, fields, _ in _PARTS if not fields or any(record[each] for each in fields)]


def lacking(record: Row) -> list[str]:
    """What this record lacks, for one sentence: readers then know that no part of the page is missing by mistake."""
    return [words for _, _, fields, words in _PARTS if fields and not any(record[each] for each in fields)]


def _doubt(times: Row, key: str) -> str:
    took_s, doubt_s = times[f"{key}_s"], times[f"{key}_uncertainty_s"]
    if took_s is None:
        return ""
    if key in listed(times["bounds"]) and number(took_s) is not None and number(doubt_s) is not None:
        return f"at least {seconds_text(round(max(took_s - doubt_s, 0.0), 3))}; nobody looked before"
    return f"± {seconds_text(doubt_s)}"


def rto(record: Row) -> Mapping[str, Any] | None:
    """The RTO and what was left of it; None when the feature states none."""
    times = record["times"]
    rto_s, took_s = number(times["rto_s"]), number(times["recover_s"])
    if rto_s is None:
        return None
    used = took_s / rto_s if took_s is not None and rto_s > 0 else None
    return {
        "rto": seconds_text(rto_s),
        "plain": plain_duration(rto_s),
        "clock": str(times["rto_clock"]).replace("_", " "),
        "margin": None if took_s is None else seconds_text(round(rto_s - took_s, 3)),
        "used": None if used is None else f"{used:.1%}".replace("%", " %"),
        "bar": None if used is None else round(min(max(used, 0.0), 1.0) * 100, 2),
        "met": times["rto_met"],
    }
