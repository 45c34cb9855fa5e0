"""All that a feature says about one scenario, as one text. Its digest changes only when this scenario changes.

The rule: the text has all that decides how the scenario runs, as it is rendered: tags of all levels, the steps with
those of the Background, tables and docstrings. It leaves out the place in the file, comments and blanks.
"""

from __future__ import annotations

import hashlib
import json

from drillbook.repository.preflight import ScenarioRun


def digest_of(run: ScenarioRun) -> str:
    """SHA-256 of the scenario's text."""
    parsed = run.parsed
    said = {
        "feature": parsed.feature.name,
        "rule": parsed.rule.name if parsed.rule else None,
        "scenario": parsed.name,
        "description": parsed.description.strip(),
        "tags": sorted(run.row.tags),
        "steps": [
            [step.keyword, step.name, step.docstring, step.datatable.raw() if step.datatable is not None else None]
            for step in parsed.steps
        ],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
