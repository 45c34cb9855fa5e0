"""The command: judge, keep on request what is proven, say what is not, return the exit status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drillbook.commands.gating.asking import Answer, Question, answer
from drillbook.evidence.files import dumps
from drillbook.evidence.gate.judging import State
from drillbook.evidence.gate.kept import file_of
from drillbook.evidence.gate.signed import is_unsigned, recorded, seal
from drillbook.evidence.gate.telling import as_annotations, as_json, lines
from drillbook.evidence.provenance import engine
from drillbook.evidence.sealing.signing import opened
from drillbook.model.printable import printable
from drillbook.pytest_plugin.options import read_ini

REFUSED = 1
Say = Callable[[str], None]


def run(question: Question, say: Say, tell: Say, annotate: Say, *, keep: bool, json: bool) -> int:
    """Returns the exit status: 0 when each requested scenario is proven with the files that are here, else 1.

    `say` gets the answer, `annotate` what GitHub reads, and `tell` the rest: what was kept, or is unreadable.
    """
    unreadable: list[str] = []
    found = answer(question, unreadable.append)
    for sentence in unreadable:
        tell(sentence)
    if keep:
        for path in kept(found):
            tell(f"kept {path}")
    if json:
        say(dumps(as_json(found.standings, engine(), found.now, found.max_age_s, unreadable)).rstrip("\n"))
    else:
        for line in lines(found.standings):
            say(line)
    for line in as_annotations(found.standings):
        annotate(printable(line))
    return 0 if found.passed else REFUSED


def kept(found: Answer) -> list[Path]:
    """Keep, in its compact form, what is proven with the files that are here; signed if there is a key.

    An existing file stays, and is signed if it is what was judged and nobody has signed it. Raises DrillbookError.
    """
    # an earlier Drillbook's is a proof of these files as well, and says which Drillbook it was
    holds = (State.FRESH, State.ENGINE)
    fresh = [each.proof for each in found.standings if each.state in holds and each.proof is not None]
    key, root, written = read_ini(found.root).key, found.proofs.kept, []
    signing = None if key is None else opened(key)
    known = {} if signing is None else recorded(root)
    for proof in fresh:
        new, path = found.proofs.keep(proof), root / file_of(proof.scenario)
        judged = new is not None or found.proofs.kept_one(proof.scenario) == proof
        signs = signing is not None and judged and is_unsigned(root, path, known)
        if signing is not None and signs:
            seal(root, path, proof, signing)
        written += [path] if new is not None or signs else []
    return written
