"""A runbook that is proven where the evidence goes to a folder that others share, and what they read of it there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drillbook.evidence.sealing import keys

from .conftest import Mini

pytestmark = pytest.mark.lab


def test_what_a_shared_folder_has_is_verified_judged_and_reported_elsewhere(mini: Mini, tmp_path: Path) -> None:
    root, url, key = mini.root, f"file://{tmp_path}/store", keys.new_key(None)
    mini.short()
    keys.write_new(root / "drill.pem", key)
    trust = {"keys": [{"keyid": key.keyid, "name": "drill", "public": key.public}]}
    (root / "trust.json").write_text(json.dumps(trust))
    mini.variables = {"DRILLBOOK_KEY": str(root / "drill.pem"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    proven = mini.prove("features", "--evidence", url)
    assert proven.status == 0, proven.output
    shutil.rmtree(root / "evidence")

    def call(*words: str) -> tuple[int, str]:
        ran = mini.drillbook(*words)
        return ran.status, ran.output

    verified = call("verify", url, "--trust", "trust.json")
    assert (verified[0], "The evidence is whole: 4 bundles (4 signed)" in verified[1]) == (0, True), verified
    assert call("gate", "--evidence", url) == (0, "1 of 1 scenarios are proven as they are here.\n")
    status, listed = call("evidence", "list", "--evidence", url, "--json")
    entries = json.loads(listed)
    assert (status, [each["kind"] for each in entries].count("proof"), len(entries)) == (0, 1, 4)
    (drill,) = [Path(each["folder"]).name for each in entries if each["kind"] == "drill"]
    assert call("report", f"{url}/{drill}") == (0, f"{drill}.html\n")
    assert "It breaks" in (root / f"{drill}.html").read_text()
    assert call("findings", url)[0] == 0
    assert call("evidence", "push", "--evidence", url)[0] == 0  # a fresh checkout takes the ledger from there
    (ledger,) = (root / "evidence/ledger").iterdir()
    assert ledger.read_bytes() == (tmp_path / "store/ledger" / ledger.name).read_bytes()

    (tmp_path / "store" / drill / "content/drill.json").write_text("{}")
    assert call("verify", url, "--trust", "trust.json")[0] == 2
    assert call("gate", "--evidence", url)[0] == 1
