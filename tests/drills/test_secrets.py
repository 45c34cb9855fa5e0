"""What is secret is shown nowhere: before the first drill, in titles, and where only the play knows of it."""

from __future__ import annotations

import pytest

from .conftest import Mini

pytestmark = pytest.mark.lab

SECRET, OF_ENV, MADE, DECRYPTED = "Xq7-tB2w-Lm9z", "Rd4k-Vn8s-Hc3y", "Pf6j-Wg5e-Zb1u", "Kt9d-Jm2r-Sx4o"
BEFORE = f"""\
import warnings

def test_ordinary():
    warnings.warn("the service takes {SECRET}")
    print("{SECRET}")
    assert "{SECRET}" == "it"
"""
STEP = f"""

@given("it is given a token")
def it_is_given_a_token(drill):
    drill.note(f"it has {{drill.secret('{MADE}', 'session token')}}")
"""
LEAKS = """
    - name: It says too much
      ansible.builtin.debug: {msg: "{{ lookup('env', 'APP_TOKEN') }} {{ beside }} {{ role_path | default('') }}"}
"""
FEATURE = f"""\
@rto:1m
Feature: Web

  Scenario: It breaks with {SECRET}
    Given the service is healthy
    And it is given a token
    When the service breaks by "breakage"
    Then the service is down for 1 second
    When the recovery playbook "fix" is run
    Then the service is up for 1 second
"""


def test_a_secret_is_shown_nowhere_whoever_knows_of_it(mini: Mini) -> None:
    mini.inventory(f"    app_password: {SECRET}\n    pin_password: hush\n")
    (mini.root / "test_before.py").write_text(BEFORE)
    (mini.root / "features/web.feature").write_text(FEATURE)
    steps = mini.root / "steps/web.py"
    steps.write_text(steps.read_text() + STEP)
    fix = mini.root / "playbooks/recovery/fix.yml"
    fix.write_text(fix.read_text().rstrip("\n") + LEAKS)
    (mini.root / "vault-password").write_text("it\n")
    (mini.root / "ansible.cfg").write_text("[defaults]\nvault_password_file = vault-password\n")
    mini.encrypt("playbooks/recovery/group_vars/all.yml", f"beside: {DECRYPTED}\n")
    mini.variables["APP_TOKEN"] = OF_ENV
    ran = mini.pytest("test_before.py", "features", "-v", "--junitxml=junit.xml", "-o", "drillbook_pass_env=APP_TOKEN")
    assert ran.status == 1, ran.output  # by the ordinary test alone
    assert "PASSED: recovered in" in ran.output
    kept = [mini.root / "junit.xml", *mini.root.glob("evidence/**/*")]
    shown = {str(path): path.read_text() if path.is_file() else "" for path in kept} | {"terminal": ran.output}
    secrets = (SECRET, OF_ENV, MADE, DECRYPTED)
    found = [
        (where, each) for where, text in shown.items() for each in secrets if each.lower() in (where + text).lower()
    ]
    assert found == []
    assert "PASSED        features/web.feature::It breaks with [REDACTED:app_password]" in ran.output
    assert "UserWarning: the service takes [REDACTED:app_password]" in ran.output
    assert "it has [REDACTED:session-token]" in ran.drill["notes"]
    short = (
        "the value of pin_password may appear in the evidence: a value of fewer than 6 characters cannot be redacted"
    )
    assert short in ran.drill["notes"]
    assert ran.output.count(short) == 1


def test_a_secret_in_a_title_of_what_is_not_run_is_not_shown_either(mini: Mini) -> None:
    """In the name of a file and of a scenario of a drill that nobody runs, and of a file that is refused."""
    mini.inventory(f"    app_password: {SECRET}\n")
    (mini.root / "features/web.feature").unlink()
    text = FEATURE.replace("Feature: Web\n", f"Feature: Web {SECRET}\n  All of {SECRET}.\n")
    text = text.replace("    And it is given a token\n", "")
    (mini.root / f"features/{SECRET}.feature").write_text(text)
    left_out = mini.pytest("features", "-k", "nobody")
    assert (
        "not run: features/[REDACTED:app_password].feature::It breaks with [REDACTED:app_password]" in left_out.output
    )
    assert SECRET not in left_out.output
    (mini.root / f"features/{SECRET}.feature").write_text(text.replace("the service is healthy", f"it is {SECRET}"))
    refused = mini.pytest("features", "--collect-only", "--warm=off")
    assert "'Given it is [REDACTED:app_password]' is not defined" in refused.output
    assert SECRET not in refused.output
