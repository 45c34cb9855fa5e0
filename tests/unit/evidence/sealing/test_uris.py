"""Keys behind a URI: which forms there are, and what each needs. test_hsm.py and test_envelope.py sign with two."""

from __future__ import annotations

from pathlib import Path

import pytest
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME

from drillbook.errors import DrillbookError
from drillbook.evidence.sealing import key_source
from drillbook.evidence.sealing.key_source import KeySource

pytestmark = pytest.mark.unit


@pytest.fixture
def public(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text("a public key")
    return path


@pytest.mark.parametrize("uri", ["gnupg:ABCD", "tkey:1", "envvar:KEY", "sigstore:x", "fil2:/x"])
def test_a_form_that_nobody_can_sign_with_is_refused(uri: str, public: Path) -> None:
    with pytest.raises(DrillbookError) as raised:
        KeySource(uri, public).check()
    assert str(raised.value) == (
        f"{uri}: no key is reached by {uri.partition(':')[0]}: here; write a file, or one of "
        "awskms:, azurekms:, file2:, gcpkms:, hsm:, hv:"
    )


def test_each_form_is_one_of_securesystemslib() -> None:
    assert set(key_source._SCHEMES) <= set(SIGNER_FOR_URI_SCHEME)


@pytest.mark.parametrize("scheme", sorted(key_source._SCHEMES))
def test_a_form_whose_library_is_not_there_says_what_to_install(
    scheme: str, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_source, "find_spec", lambda _name: None)
    with pytest.raises(DrillbookError, match=rf"pip install 'securesystemslib\[{key_source._SCHEMES[scheme][1]}\]'"):
        KeySource(f"{scheme}:x", public).check()
    monkeypatch.setattr(key_source, "find_spec", lambda name: name)
    KeySource(f"{scheme}:x", public).check()
    with pytest.raises(DrillbookError, match="its public key is needed as well"):
        KeySource(f"{scheme}:x").check()
