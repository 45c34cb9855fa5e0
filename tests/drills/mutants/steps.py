"""Steps and features that prove less than they say."""

from __future__ import annotations

from . import (
    ABORTED,
    BETRAYED,
    GOOD,
    INVALID,
    NOT_RECOVERED,
    REFUSED,
    Mutant,
    added,
    body,
    ending,
    feature,
    step,
    swapped,
    tagged,
)

EARLY, SKIP = "return", "pytest.skip('not today')"
SKIPPED, IDLE = "skipped itself: nothing is proven", "handed no check"
LOOK, DOWN = "drill.expect(WEB.answers())", "drill.eventually(WEB.silent(), within=deadline)"
KILL_PROBER = "drill._under_way.prober._loop.call_soon_threadsafe(drill._under_way.prober._loop.stop); drill._under_way.prober._thread.join()"
STAND_STILL = (
    "import threading, time; done = threading.Event()",
    "drill._under_way.prober._loop.call_soon_threadsafe(lambda: (time.sleep(3), done.set())); done.wait()",
)


def swallowing(*lines: str) -> tuple[str, ...]:
    """A bare except around these lines."""
    return ("try:", *(f"    {line}" for line in lines), "except:", "    pass")


# fmt: off
STEPS = (
    # ---- a step that does not do its work
    Mutant("given returns early", "Nobody looks at the baseline.", INVALID, IDLE, body("healthy", EARLY)),
    Mutant("fault returns early", "Nothing is broken.", INVALID, "broke nothing", body("breaks", EARLY)),
    Mutant("symptom returns early", "Nobody looks at the incident.", INVALID, IDLE, body("down", EARLY)),
    Mutant("symptom only observes", "What it saw is written down, and nobody judges it.", INVALID, IDLE,
           body("down", "drill.observe('the web service', 'down')")),
    Mutant("criterion only observes", "It saw it well, and required nothing.", INVALID, IDLE,
           body("up", "drill.observe('the web service', 'up')")),
    Mutant("recovery returns early", "Nothing is recovered.", INVALID, "recovered nothing", body("run", EARLY)),
    Mutant("one of two criteria returns early", "The other covers for it.", INVALID, IDLE, body("up_for", EARLY)),
    Mutant("check after yield", "It comes when all is over.", INVALID, IDLE, body("down", "yield", DOWN)),
    Mutant("check is patched", "A step disables the checks.", INVALID, IDLE,
           body("healthy", LOOK, "drill.eventually = lambda *_, **__: None")),
    Mutant("assertion under -O", "Python leaves it out.", INVALID, IDLE, body("healthy", "assert not drill"),
           lambda mini: mini.python.append("-O"), args=("--assert=plain",)),
    Mutant("given skips", "pytest.skip in a Given.", INVALID, SKIPPED, body("healthy", SKIP)),
    Mutant("fault skips", "pytest.skip in a fault.", INVALID, SKIPPED, body("breaks", SKIP)),
    Mutant("symptom skips", "pytest.skip in a symptom.", INVALID, SKIPPED, body("down", SKIP)),
    Mutant("recovery skips", "pytest.skip in a recovery.", INVALID, SKIPPED, body("run", SKIP)),
    Mutant("criterion skips", "pytest.skip in a criterion.", INVALID, SKIPPED, body("up_for", SKIP)),
    Mutant("step raises SkipTest", "unittest's way of skipping.", INVALID, "SkipTest: not today",
           body("healthy", "import unittest", "raise unittest.SkipTest('not today')")),
    Mutant("step expects to fail", "pytest.xfail.", INVALID, "known", body("healthy", "pytest.xfail('known')")),
    Mutant("step exits with 0", "sys.exit(0).", ABORTED, "was stopped in",
           body("healthy", "import sys", "sys.exit(0)"), alone=True),
    Mutant("step ends the process", "os._exit(0) while all is broken.", ABORTED, r"was stopped in .*os\._exit\(0\)",
           body("down", "import os", "os._exit(0)"), alone=True),
    Mutant("step ends the session well", "pytest.exit with status 0.", ABORTED, "was stopped in .*enough",
           body("healthy", "pytest.exit('enough', returncode=0)"), alone=True),
    # ---- a step that hides what the engine says
    Mutant("step swallows a failure", "A bare except around a check.", INVALID, "observed ok, required is well",
           body("healthy", *swallowing("drill.expect(WEB.json('status').is_('well'))"), LOOK)),
    Mutant("step swallows blindness", "A bare except around a look that fails.", INVALID, "every look failed",
           body("healthy", *swallowing("drill.expect(looked('the sum', lambda: 1 / 0).is_(1))"), LOOK)),
    Mutant("fault swallows a lack", "Half of what should break is not there.", INVALID, "no playbooks/faults/other",
           body("breaks", *swallowing("drill.inject('other')"), "drill.inject(name)")),
    Mutant("step swallows the stop", "A bare except takes it for an error.", ABORTED, "was stopped in .*SIGTERM",
           body("healthy", "import os, signal", *swallowing("os.kill(os.getpid(), signal.SIGTERM)"), LOOK), alone=True),
    # ---- work in the wrong place
    Mutant("criterion recovers", "The recovery step leaves it to a criterion.", INVALID,
           "belongs in a @recovery step",
           body("run", "drill.leave_alone()"), body("up", "drill.recover('fix')")),
    Mutant("given breaks", "The fault comes before its time.", INVALID, "belongs in a @fault step",
           body("healthy", LOOK, "drill.inject('breakage')")),
    Mutant("no drill at all", "Fault and recovery are plain When steps.", NOT_RECOVERED, "'drill' is for drills",
           swapped("steps/web.py", "fault, given, parse, recovery, then", "given, parse, then, when"),
           swapped("steps/web.py", "from drillbook.checks", "fault = recovery = when\n\nfrom drillbook.checks"), alone=True),
    Mutant("broken twice", "The second time changes nothing.", INVALID, "changed nothing",
           feature(*GOOD[:2], GOOD[1], *GOOD[2:])),
    Mutant("recovered twice", "The second time changes nothing.", NOT_RECOVERED, "changed nothing",
           feature(*GOOD[:4], *GOOD[3:])),
    # ---- checks that cannot fail, or cannot look
    Mutant("look is never awaited", "A coroutine is not 'down'.", INVALID, "is async",
           body("healthy", "async def ask(): ...", "drill.expect(looked('the answer', ask).is_not('down'))")),
    Mutant("judgement is a method", "One that nobody calls is true.", INVALID, "neither true nor false",
           body("healthy", "drill.expect(WEB.json('status').satisfies('is a word', lambda text: text.isalpha))")),
    Mutant("judgement is never awaited", "A coroutine is true.", INVALID, "neither true nor false",
           body("healthy", "async def good(_): ...", "drill.expect(WEB.json('status').satisfies('is well', good))")),
    Mutant("judgement is a word", "The word 'no' is true.", INVALID, "neither true nor false",
           body("healthy", "drill.expect(Check('it', 'web', lambda sample: Observation('no', 'it', 'it')))")),
    Mutant("window of no length", "0 seconds hold nothing.", INVALID, "a window of 0 s",
           feature("Given the service is healthy for 0 seconds", *GOOD[1:])),
    Mutant("no time at all", "A deadline of 0 seconds.", INVALID, "a deadline of 0 s",
           body("healthy", "drill.eventually(WEB.answers(), within=0)")),
    Mutant("endpoint is not sampled", "probe: false.", INVALID, "is not sampled",
           swapped("inventories/hosts.yml", "kind: http,", "kind: http, probe: false,"), alone=True),
    Mutant("prober dies", "Nobody looks any more.", INVALID, "the prober stopped", body("healthy", KILL_PROBER, LOOK)),
    Mutant("prober stands still", "Nobody looks while it may be down.", INVALID, "nobody looked for [34]",
           body("up", "drill.eventually(WEB.answers(), within=deadline)", *STAND_STILL), alone=True),
    Mutant("criterion is looked at too late", "Nobody knows when it came true.", INVALID,
           "nobody looked at a criterion before: nothing shows that the RTO of 6 s was kept", tagged("@rto:6s"),
           body("up", "drill.eventually(WEB.answers(), within=deadline)", "import time; time.sleep(6)",
                "drill.eventually(looked('the queue', lambda: 0).is_(0), within=deadline)"), alone=True),
    Mutant("criterion comes true by itself", "A control that looks once does not see it.", BETRAYED,
           "recovered, not by the runbook",
           body("up", "seen = []", "drill.expect(looked('the looks', lambda: seen.append(1) or len(seen)).at_least(2))"),
           feature(*GOOD), args=("--control", "no-recovery")),
    Mutant("work is not defined", "No drillbook_work.", INVALID, "no drillbook_work",
           body("healthy", LOOK, "drill.submit_work(50)")),
    Mutant("work was never submitted", "A balance of nothing.", INVALID, "no work is submitted",
           body("healthy", "drill.expect(looked('the balance', lambda: drill.load.balance()).is_(1))")),
    # ---- objectives and features
    Mutant("tag is misspelt", "An RTO that is no duration.", REFUSED, "'soon' is not a duration", tagged("@rto:soon")),
    Mutant("no objective", "The ini demands an RTO.", REFUSED, "the drill has no @rto",
           tagged("@web"), added("pyproject.toml", 'drillbook_require = ["rto"]\n'), alone=True),
    Mutant("nobody signs", "The ini demands signed evidence.", ABORTED, "asks for signed evidence, and no key was given",
           added("pyproject.toml", 'drillbook_require = ["signed"]\n'), alone=True),
    Mutant("a secret is in the evidence", "A step writes it there itself.", INVALID, "content/x.txt holds the secret",
           body("up", "from pathlib import Path",
                "kept = max(Path('evidence').glob('*/content'), key=lambda each: each.stat().st_mtime_ns)",
                "(kept / 'x.txt').write_text(drill.secret('Pf6j-Wg5e-Zb1u', 'session token'))",
                "drill.eventually(WEB.answers(), within=deadline)")),
    Mutant("tag of a drill on what is none", "The ini demands drills.", REFUSED, "the tag @rto:1m but is not a drill",
           feature(GOOD[0]), added("pyproject.toml", 'drillbook_require = ["drills"]\n'), alone=True),
    Mutant("step is undefined", "Nobody knows what it does.", REFUSED, "is not defined",
           ending("And the moon is full")),
    Mutant("step is ambiguous", "Two know what it does.", REFUSED, "meets 2 step definitions",
           step("the service is healthy", EARLY, kind="given")),
    Mutant("no symptom", "Recovered from what?", REFUSED, "with no symptom before it", feature(*GOOD[:2], *GOOD[3:])),
    Mutant("no criterion", "Nobody says what well is.", REFUSED, "no success criterion", feature(*GOOD[:4])),
)
# fmt: on
