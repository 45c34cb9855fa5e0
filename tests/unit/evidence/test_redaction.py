"""No form of a secret survives, and what is left stays usable."""

from __future__ import annotations

import base64
import html
import json
import shlex
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drillbook.errors import DrillbookError
from drillbook.evidence.redaction import MARKER_START, Redactor
from drillbook.evidence.secret_forms import MIN_LENGTH, variants_of

pytestmark = pytest.mark.unit


def test_a_text_without_a_secret_is_looked_at_again_when_there_is_a_new_one() -> None:
    redactor = Redactor()
    redactor.add("first", "swordfish")
    said = {"it": ["the word is marlinspike", 1234567.5]}
    assert redactor.data(said) == redactor.data(said) == said
    redactor.add("second", "marlinspike")
    redactor.add("third", "1234567.5")
    assert redactor.data(said) == {"it": ["the word is [REDACTED:second]", "[REDACTED:third]"]}


@pytest.mark.parametrize("length", [150, 5000])
def test_a_text_is_the_same_each_time(length: int) -> None:
    redactor = Redactor()
    redactor.add("it", "swordfish")
    clean, dirty = "x" * length, "x" * length + "swordfish"
    for _ in range(2):
        assert redactor.text(clean) == clean
        assert redactor.text(dirty) == "x" * length + "[REDACTED:it]"


printable = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
secrets = st.text(printable, min_size=MIN_LENGTH, max_size=40).filter(
    lambda text: len(text.strip()) >= MIN_LENGTH and text.strip() not in MARKER_START
)
around = st.text(printable, max_size=30)

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda value: json.dumps(json.dumps(value))[3:-3],
    "URL": lambda value: quote(value, safe=""),
    "URL path": quote,
    "URL form": quote_plus,
    "URL in lower case": lambda value: "".join(
        each if each < "\x80" and each.isalnum() else quote(each, safe="-._~").lower() for each in value
    ),
    "shell": shlex.quote,
    "HTML": html.escape,
    "HTML text": lambda value: html.escape(value, quote=False),
    "Python": lambda value: repr(value)[1:-1],
    "Python bytes": lambda value: repr(value.encode())[2:-1],
    "YAML": lambda value: value.replace("'", "''"),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
}


def redactor_of(*values: str) -> Redactor:
    redactor = Redactor()
    for number, value in enumerate(values):
        redactor.add(f"label{number}", value)
    return redactor


@pytest.mark.parametrize("form", FORMS)
@given(secret=secrets, before=around, after=around)
def test_a_planted_secret_never_survives(form: str, secret: str, before: str, after: str) -> None:
    assume(secret not in "[REDACTED:label0]")
    shown = FORMS[form](secret)
    redacted = redactor_of(secret).text(f"{before}{shown}{after}")
    assert shown not in redacted
    assert "[REDACTED:label0]" in redacted


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(secret=secrets, before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_base64_is_found_wherever_the_secret_starts(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    raw = secret.encode()
    redacted = redactor_of(secret).text(encode(before + raw + after).decode())
    assert "[REDACTED:label0]" in redacted
    # What is left holds, decoded, at most the neighbours of the secret and one byte of it at either end.
    left = redacted.replace("[REDACTED:label0]", " ").split(" ")
    assert sum(len(part) for part in left) <= len(encode(before)) + len(encode(after)) + 4


@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789+/=_-", min_size=30, max_size=90),
    cut=st.integers(6, 24),
)
def test_a_line_break_in_the_middle_of_a_secret_does_not_hide_it(secret: str, cut: int) -> None:
    redacted = redactor_of(secret).text(f"[WARNING]: it is {secret[:cut]}\r\n    {secret[cut:]} here")
    assert secret[:cut] + "\r\n" not in redacted
    assert secret[cut:] not in redacted
    assert redacted.endswith(" here")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("assert 'correct-hor...ery-staple' == 'x'", "assert '[REDACTED:it]...[REDACTED:it]' == 'x'"),
        ("{'key': 'correct-h...", "{'key': '[REDACTED:it]..."),
        ("...-staple'}", "...[REDACTED:it]'}"),
        ("corre...taple, and -staple...correct", "corre...taple, and -staple...correct"),
        ("correct-hor ... ery-staple", "correct-hor ... ery-staple"),
    ],
)
def test_a_secret_whose_middle_was_cut_out_is_found_by_its_ends(text: str, redacted: str) -> None:
    redactor = Redactor()
    redactor.add("it", "correct-horse-battery-staple")
    assert redactor.text(text) == redacted


def test_base64_that_a_tool_wraps_at_76_columns_is_found() -> None:
    secret = "correct horse battery staple"
    encoded = base64.b64encode(b"x" * 50 + secret.encode() + b"y" * 50).decode()
    wrapped = "\n".join(textwrap.wrap(encoded, 76))
    redacted = redactor_of(secret).text(f"{wrapped}\n")
    assert secret.encode()[2:-2] not in base64.b64decode(
        redacted.replace("[REDACTED:label0]", "").replace("\n", "") + "==", validate=False
    )
    assert "[REDACTED:label0]" in redacted


@given(secret=secrets, before=around, after=around)
def test_redacted_json_still_parses(secret: str, before: str, after: str) -> None:
    document = {"command": f"{before}{secret}{after}", "n": 1}
    redacted = redactor_of(secret).text(json.dumps(document))
    assume('"' not in secret[:1] + secret[-1:])  # `": "` as a secret is part of JSON's own syntax
    assert set(json.loads(redacted)) == {"command", "n"}


@pytest.mark.parametrize("secret", ["nabcdef", "u00e9abcd", "00e9abcd", "abcdef\\", "\\\\abcdef", '"quoted"'])
@pytest.mark.parametrize("before", ["", "\n", "é", "\\", "\\\\", '"'])
@pytest.mark.parametrize("after", ["", "\n", "é", "\\", '"'])
def test_an_escape_next_to_a_secret_is_not_cut_in_two(secret: str, before: str, after: str) -> None:
    document = json.dumps({"text": f"{before}{secret}{after}"})
    assert "text" in json.loads(redactor_of(secret).text(document))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | around,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(around, inner, max_size=3),
    max_leaves=8,
)


@given(secret=secrets, value=json_values)
def test_data_is_redacted_at_any_depth_in_keys_and_values(secret: str, value: object) -> None:
    assume(secret not in "[REDACTED:label0]")
    planted = {"list": [value, {"key": secret, secret: 1, "bytes": secret.encode()}], "tuple": (secret,)}
    redacted = redactor_of(secret).data(planted)
    inner = redacted["list"][1]
    assert inner["key"] == "[REDACTED:label0]"
    assert inner["[REDACTED:label0]"] == 1
    assert inner["bytes"] == b"[REDACTED:label0]"
    assert redacted["tuple"] == ("[REDACTED:label0]",)


@given(value=json_values)
def test_data_without_secrets_is_unchanged(value: object) -> None:
    redactor = redactor_of("correct horse battery staple")
    assert redactor.data(value) == value


@given(secret=secrets, before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_bytes_that_are_no_text_stay_as_they_are(secret: str, before: bytes, after: bytes) -> None:
    assume(secret.encode() not in before + after)
    redacted = redactor_of(secret).bytes(b"\xff" + before + b"\xff" + secret.encode() + b"\xff" + after)
    assert secret.encode() not in redacted
    assert redacted.startswith(b"\xff")


@given(secrets=st.lists(secrets, min_size=1, max_size=4, unique=True), text=around)
def test_redacting_twice_changes_nothing(secrets: list[str], text: str) -> None:
    redactor = redactor_of(*secrets)
    once = redactor.text(text.join(secrets))
    assert redactor.text(once) == once
    assert redactor.first_secret(once.encode()) is None


def test_nothing_is_left_of_secrets_that_overlap() -> None:
    redactor = redactor_of("abcdefgh", "efghijklmn")
    assert redactor.text("<abcdefghijklmn>") == "<[REDACTED:label1]>"


def test_the_longer_of_two_secrets_is_named() -> None:
    redactor = redactor_of("hunter2hunter2", "hunter2")
    assert redactor.text("hunter2hunter2 hunter2") == "[REDACTED:label0] [REDACTED:label1]"


def test_a_number_that_is_a_secret_is_redacted_too() -> None:
    assert redactor_of("12345678").data({"pin": 12345678, "port": 6379}) == {"pin": "[REDACTED:label0]", "port": 6379}


def test_two_secret_keys_of_one_label_are_both_kept() -> None:
    redactor = Redactor()
    redactor.add("token", "first-token")
    redactor.add("token", "other-token")
    assert redactor.data({"first-token": 1, "other-token": 2}) == {"[REDACTED:token]": 1, "[REDACTED:token] (2)": 2}


def test_paths_and_sets_are_looked_into() -> None:
    redactor = redactor_of("hunter2hunter2")
    assert redactor.data(Path("/tmp/hunter2hunter2")) == Path("/tmp/[REDACTED:label0]")
    assert redactor.data({"hunter2hunter2"}) == {"[REDACTED:label0]"}


def test_every_line_of_a_key_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END KEY-----\n"
    redactor = redactor_of(key)
    redacted = redactor.text(textwrap.indent(key, "    ") + "MIIEvQIBADANBgkqhkiG9w0BAQEF alone")
    assert "MII" not in redacted
    assert "AASC" not in redacted


def test_a_secret_may_be_added_in_the_middle_of_a_drill() -> None:
    redactor = redactor_of("first-secret")
    assert redactor.text("later-secret") == "later-secret"
    redactor.add("later", "later-secret")
    assert redactor.text("later-secret") == "[REDACTED:later]"


def test_a_declared_secret_that_is_too_short_is_refused_and_named() -> None:
    redactor = Redactor()
    with pytest.raises(
        DrillbookError, match=r"drillbook_endpoints\.redis\.password cannot be kept out of the evidence"
    ):
        redactor.add("drillbook_endpoints.redis.password", "redis")


def test_a_guessed_secret_that_is_too_short_is_named_and_destroys_nothing() -> None:
    redactor = Redactor()
    redactor.add("ansible_password", "true", declared=False)
    assert redactor.text("true") == "true"
    assert redactor.too_short == {"ansible_password"}


def test_an_empty_value_is_no_secret() -> None:
    redactor = Redactor()
    redactor.add("redis_password", "")
    assert redactor.text("text") == "text"
    assert redactor.generation == 0


def test_a_label_never_shows_the_secret() -> None:
    redactor = Redactor()
    redactor.add("redis_password", "redis_password")
    assert redactor.text("redis_password") == "[REDACTED:secret-1]"


def test_a_value_of_the_marker_itself_is_refused() -> None:
    with pytest.raises(DrillbookError):
        Redactor().add("word", "REDACTED")


def test_a_secret_between_other_bytes_is_named() -> None:
    redactor = redactor_of("hunter2hunter2")
    assert redactor.first_secret(b"\xff\x00" + base64.b64encode(b"a hunter2hunter2")) == "label0"


def test_no_variant_is_so_short_that_it_destroys_the_record() -> None:
    assert all(len(variant) >= MIN_LENGTH for variant in variants_of("abcdef"))


def test_threads_may_add_and_redact_at_once() -> None:
    redactor = Redactor()
    seen: list[str] = []

    def work(number: int) -> None:
        secret = f"secret-of-thread-{number}"
        redactor.add(f"thread{number}", secret)
        seen.extend(redactor.text(f"{secret}.") for _ in range(50))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 400
    assert not [text for text in seen if "secret-of" in text]
    assert {text[:-2] for text in seen} == {f"[REDACTED:thread{number}" for number in range(8)}


def test_a_secret_is_found_where_it_stands_and_named_without_being_shown() -> None:
    redactor = Redactor()
    assert redactor.first_secret(b"nothing is secret yet") is None
    redactor.add("app token", "s3cr3t-value")
    for data in (b"\xff s3cr3t-value", b"czNjcjN0LXZhbHVl", b"s3cr3t-\n   value", b"s3cr3t...value"):
        assert redactor.first_secret(data) == "app-token", data
    assert redactor.first_secret(b"s3cr3t-\nvalue", wrapped=False) is None
    assert redactor.first_secret(b"a\ns3cr3t-value\n", wrapped=False) == "app-token"
    assert redactor.first_secret(b"s3cr3t and a value") is None


def test_what_a_list_of_variables_assigns_is_secret_by_its_name() -> None:
    known = Redactor()
    said = {"env": ["PGPASSWORD=first-one", "REGION=eu-central", "APP_TOKEN=second=one", "PIN_PASSWORD=1234"]}
    known.learn(said)
    shown = ["PGPASSWORD=[REDACTED:PGPASSWORD]", "REGION=eu-central", "APP_TOKEN=[REDACTED:APP_TOKEN]"]
    assert known.data(said) == {"env": [*shown, "PIN_PASSWORD=1234"]}
    known.learn({"cmd": "echo PGPASSWORD=third-one and more"})
    assert known.text("third-one") == "third-one", "a command is no assignment"
