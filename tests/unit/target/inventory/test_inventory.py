# mypy: disable-error-code="no-untyped-call"
# (psutil is not typed)
"""What an inventory says, and each way in which it may be wrong: one sentence with the name, the place, and what to
write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from drillbook.errors import CouldNotLookError, DrillbookError, InventoryError, NoEnvironmentError, Place
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.secret_names import is_secret_header, is_secret_name
from drillbook.model.times.profiles import FULL, Timings
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.inventory.resolver import ResolvedInventory
from drillbook.target.inventory.settings import EndpointKind, Environment, EnvironmentKind, Prerequisites, Work
from drillbook_lab.base.poll import until

pytestmark = pytest.mark.unit

ROOT = Path("/srv/drills")
INVENTORY = ROOT / "inventories/staging"
ENVIRONMENT = {"drillbook_environment": {"name": "staging-eu", "kind": "staging"}}
LOCAL = {"connection": "local"}


def entry(value: object, name: str, line: int, vaulted: bool = False) -> dict[str, Any]:
    """A variable as the action plugin writes it; each key of a mapping stands on a line of its own."""
    origins = {name: f"{INVENTORY}/group_vars/all.yml:{line}"}
    if isinstance(value, dict):
        for number, key in enumerate(value, start=1):
            origins |= entry(value[key], f"{name}.{key}", line + number)["origins"]
    return {"value": value, "origins": origins, "vaulted": [name] if vaulted else []}


def resolved(**hosts: Mapping[str, object]) -> ResolvedInventory:
    return ResolvedInventory(
        INVENTORY,
        {"all": list(hosts), "ungrouped": [], "redis": [host for host in hosts if host.startswith("redis")]},
        {host: {name: entry(value, name, 10) for name, value in each.items()} for host, each in hosts.items()},
        dict.fromkeys(hosts, LOCAL),
    )


def inventory(redactor: Redactor | None = None, /, **variables: Any) -> Inventory:
    """An inventory of two hosts with these variables of the group all."""
    values = ENVIRONMENT | variables
    return Inventory.of(resolved(**{"redis-1": values, "api-1": values}), ROOT, redactor or Redactor())


def endpoints(**settings: object) -> Inventory:
    return inventory(drillbook_endpoints={"it": settings})


def test_the_windows_of_the_verification_are_the_full_ones_unless_they_are_stated() -> None:
    assert inventory().timings == FULL
    stated = inventory(drillbook_timings={"profile": "ci", "immediate": "3", "extended": 6}).timings
    assert stated == Timings("ci", full=False, immediate_s=3.0, extended_s=6.0, watch_s=900.0, day_s=86_400.0)
    assert inventory(drillbook_timings={"profile": "slow", "immediate": 600}).timings.full
    assert inventory(drillbook_timings={"profile": "full"}).timings == FULL


def test_prerequisites_are_none_unless_they_are_demanded() -> None:
    assert inventory().prerequisites == Prerequisites()
    demanded = {"people": "2", "hosts": ["redis", "api-*", "redis"], "endpoints": ["api"]}
    it = inventory(
        drillbook_prerequisites=demanded, drillbook_endpoints={"api": {"kind": "http", "url": "http://api.test"}}
    )
    assert it.prerequisites == Prerequisites(2, ("redis", "api-*"), ("api",))
    assert it.where("drillbook_prerequisites.people") == f"{INVENTORY}/group_vars/all.yml:11"


def test_an_environment_is_what_the_inventory_says() -> None:
    assert inventory().environment == Environment("staging-eu", EnvironmentKind.STAGING)


def test_an_inventory_that_does_not_say_what_it_is_is_refused() -> None:
    with pytest.raises(NoEnvironmentError) as raised:
        Inventory.of(resolved(web={}), ROOT, Redactor())
    assert str(raised.value) == (
        "The inventory /srv/drills/inventories/staging does not say what it is, so no drill may run against it: "
        "add `drillbook_environment: {name: staging-eu, kind: staging}` to the variables of its group all."
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"drillbook_environment": {"name": "x", "kind": "test"}},
            'drillbook_environment.kind (ALL:12): it is "test", and has to be one of lab, staging, production.',
        ),
        (
            {"drillbook_environment": "lab"},
            'drillbook_environment (ALL:10): it is "lab", and has to be a mapping with the keys kind, name.',
        ),
        (
            {"drillbook_environment": {"kind": "lab"}},
            'drillbook_environment (ALL:10): the key "name" is missing.',
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http", "ulr": "http://x"}}},
            (
                'drillbook_endpoints.api.ulr (ALL:13): there is no such key; did you mean "url"? '
                "Known are ca, container, follow, headers, healthy, kind, looks_at_once, password, probe, "
                "samples_per_second, sentinel, timeout, url, user."
            ),
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http"}}},
            'drillbook_endpoints.api (ALL:11): the key "url" is missing.',
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http", "url": "api:80"}}},
            "drillbook_endpoints.api.url (ALL:13): an endpoint of kind http has a URL like https://api.example.org/health.",
        ),
        (
            {"drillbook_endpoints": {"smtp": {"kind": "tcp", "url": "tcp://mail"}}},
            "drillbook_endpoints.smtp.url (ALL:13): it names no port; write one like tcp://mail.example.org:25.",
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http", "url": "http://x", "timeout": 0}}},
            'drillbook_endpoints.api.timeout (ALL:14): it is "0", and has to be a number above 0.',
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http", "url": "http://x", "probe": "no"}}},
            'drillbook_endpoints.api.probe (ALL:14): it is "no", and has to be true or false.',
        ),
        (
            {"drillbook_endpoints": {"api": {"kind": "http", "url": "http://x", "sentinel": {"master": "m"}}}},
            "drillbook_endpoints.api.sentinel (ALL:14): only an endpoint of kind redis has Sentinels.",
        ),
        (
            {"drillbook_endpoints": {"r": {"kind": "redis", "sentinel": {"master": "m", "nodes": ["10.0.0.5"]}}}},
            'drillbook_endpoints.r.sentinel.nodes (ALL:15): "10.0.0.5" is not HOST:PORT, like 10.0.0.5:26379.',
        ),
        (
            {"drillbook_work": {"submit": {"url": "http://x"}, "completed": {"endpoint": "db", "query": "select"}}},
            'drillbook_work.completed.endpoint (ALL:13): "db" is no endpoint of kind sql (there is none).',
        ),
        (
            {"drillbook_prerequisites": {"poeple": 2}},
            (
                'drillbook_prerequisites.poeple (ALL:11): there is no such key; did you mean "people"? '
                "Known are endpoints, hosts, people."
            ),
        ),
        (
            {"drillbook_prerequisites": {"people": 1.5}},
            'drillbook_prerequisites.people (ALL:11): it is "1.5", and has to be a whole number.',
        ),
        (
            {"drillbook_timings": {"profile": "full", "immediate": 5}},
            "drillbook_timings.immediate (ALL:12): it is 5, and in the profile full 300 s or more.",
        ),
        (
            {"drillbook_timings": {"immediate": 5}},
            'drillbook_timings (ALL:10): the key "profile" is missing.',
        ),
        (
            {"drillbook_timings": {"profile": "ci", "immediat": 5}},
            (
                'drillbook_timings.immediat (ALL:12): there is no such key; did you mean "immediate"? '
                "Known are day, extended, immediate, profile, watch."
            ),
        ),
        (
            {"drillbook_timings": {"profile": "ci", "watch": 0}},
            'drillbook_timings.watch (ALL:12): it is "0", and has to be a number above 0.',
        ),
        (
            {"drillbook_prerequisites": {"people": 0}},
            'drillbook_prerequisites.people (ALL:11): it is "0", and has to be a number above 0.',
        ),
        (
            {"drillbook_prerequisites": {"hosts": "redis"}},
            'drillbook_prerequisites.hosts (ALL:11): it is "redis", and has to be a list of names.',
        ),
        (
            {"drillbook_prerequisites": {"hosts": ["redis", "rediss"]}},
            'drillbook_prerequisites.hosts (ALL:11): "rediss" is no host or group.',
        ),
        (
            {"drillbook_prerequisites": {"endpoints": ["alerts"]}},
            'drillbook_prerequisites.endpoints (ALL:11): "alerts" is no endpoint of drillbook_endpoints.',
        ),
        (
            {"drillbook_prerequisits": {"people": 2}},
            'drillbook_prerequisits (ALL:10): there is no such variable; did you mean "drillbook_prerequisites"?',
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(variables: dict[str, object], sentence: str) -> None:
    with pytest.raises(InventoryError) as raised:
        inventory(**variables)
    assert str(raised.value).replace(f"{INVENTORY}/group_vars/all.yml", "ALL") == sentence
    place = raised.value.place
    assert place is not None
    assert place.line is not None
    assert f"({place})" in str(raised.value)


def test_an_error_never_shows_a_value_that_may_be_a_password() -> None:
    with pytest.raises(InventoryError) as raised:
        endpoints(kind="redis", url="redis://x", sentinel=["hunter2hunter2"])
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("redis", "redis://:s3cr/et-word@cache:6379"),
        ("redis", "redis://app:s3cr#et-word@cache:6379"),
        ("sql", "postgresql://drill:s3cr?et-word@db:5432/app"),
        ("sql", "postgresql://drill:[s3cr-et-word@db:5432/app"),
    ],
)
def test_a_password_that_is_not_percent_encoded_is_not_shown_in_pieces(kind: str, url: str) -> None:
    with pytest.raises(InventoryError, match=r"all\.yml:13\): .*percent-encode a password, and write ") as raised:
        endpoints(kind=kind, url=url)
    assert "s3cr" not in str(raised.value)


LOG_IN = "send them in headers, as Authorization"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"kind": "http", "url": "http://x", "user": "drill"},
            f"user (ALL:14): an endpoint of kind http does not use it: {LOG_IN}.",
        ),
        (
            {"kind": "http", "url": "http://x", "password": "hunter2hunter2"},
            f"password (ALL:14): an endpoint of kind http does not use it: {LOG_IN}.",
        ),
        (
            {"kind": "http", "url": "http://drill:hunter2hunter2@x"},
            f"url (ALL:13): an endpoint of kind http uses no user and password of its URL: {LOG_IN}.",
        ),
        (
            {"kind": "tcp", "url": "tcp://x:25", "password": "hunter2hunter2"},
            "password (ALL:14): an endpoint of kind tcp does not use it: remove them, only a connection is opened.",
        ),
        (
            {"kind": "tcp", "url": "tcp://x:25", "container": "api"},
            "container (ALL:14): an endpoint of kind tcp does not use it: remove it.",
        ),
        (
            {"kind": "tcp", "url": "tcp://x:25", "ca": "ca.pem"},
            "ca (ALL:14): an endpoint of kind tcp does not use it: remove it.",
        ),
        (
            {"kind": "sql", "url": "postgresql://db/app", "ca": "ca.pem"},
            (
                "ca (ALL:14): an endpoint of kind sql does not use it: "
                "write ?sslmode=verify-full&sslrootcert=PATH into the URL."
            ),
        ),
        (
            {"kind": "redis", "url": "redis://x", "headers": {"Accept": "text/plain"}},
            "headers (ALL:14): an endpoint of kind redis does not use it: remove it.",
        ),
        *(
            (
                {"kind": kind, "url": url, "looks_at_once": 2},
                f"looks_at_once (ALL:14): an endpoint of kind {kind} does not use it: remove it.",
            )
            for kind, url in (("redis", "redis://x"), ("sql", "postgresql://db/app"))
        ),
    ],
)
def test_what_an_endpoint_of_this_kind_does_not_use_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(InventoryError) as raised:
        endpoints(**settings)
    said = str(raised.value).replace(f"{INVENTORY}/group_vars/all.yml", "ALL")
    assert said == f"drillbook_endpoints.it.{sentence}"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("api/jobs", "work is submitted to a URL like https://api.example.org/jobs."),
        ("ftp://api/jobs", "work is submitted to a URL like https://api.example.org/jobs."),
        ("http://api:port/jobs", "it is not a URL with a valid host and port; percent-encode a password, and write "),
        ("http://drill:hunter2@api", f"work is submitted without user and password of the URL: {LOG_IN}."),
    ],
)
def test_work_that_could_be_submitted_nowhere_is_refused(url: str, sentence: str) -> None:
    submit = {"url": url}
    completed = {"endpoint": "db", "query": "select 1"}
    with pytest.raises(InventoryError, match=r"drillbook_work\.submit\.url \(") as raised:
        inventory(
            drillbook_work={"submit": submit, "completed": completed},
            drillbook_endpoints={"db": {"kind": "sql", "url": "postgresql://db/app"}},
        )
    assert sentence in str(raised.value)


def test_an_http_endpoint() -> None:
    it = endpoints(
        kind="http",
        url="https://api/health",
        headers={"X-API-Key": "abcdef"},
        ca="certs/ca.pem",
        samples_per_second="5",
    ).endpoints["it"]
    assert (it.kind, it.url, it.timeout_s, it.samples_per_s, it.probe) == (
        EndpointKind.HTTP,
        "https://api/health",
        1.0,
        5.0,
        True,
    )
    assert it.ca == ROOT / "certs/ca.pem"
    assert it.headers == {"X-API-Key": "abcdef"}
    assert "abcdef" not in repr(it)


def test_a_redis_endpoint_behind_sentinel() -> None:
    it = endpoints(
        kind="redis",
        url="rediss://cache/0",
        user="app",
        password="hunter2hunter2",
        sentinel={
            "master": "main",
            "nodes": ["10.0.0.5:26379", "[::1]:26380"],
            "password": "sentinels-own",
            "nat": {"10.0.0.5:6379": "127.0.0.1:16379"},
        },
    ).endpoints["it"]
    assert (it.master_name, it.sentinels) == ("main", (("10.0.0.5", 26379), ("::1", 26380)))
    assert it.nat == {"10.0.0.5:6379": "127.0.0.1:16379"}
    assert (it.password, it.sentinel_password) == ("hunter2hunter2", "sentinels-own")
    assert "hunter2" not in repr(it)
    assert "sentinels-own" not in repr(it)


def test_the_password_of_a_url_is_taken_out_of_it_and_is_a_secret() -> None:
    redactor = Redactor()
    it = inventory(
        redactor, drillbook_endpoints={"db": {"kind": "sql", "url": "postgresql://drill:p%40ss-word@db:5432/app"}}
    ).endpoints["db"]
    assert (it.url, it.user, it.password) == ("postgresql://drill@db:5432/app", "drill", "p@ss-word")
    assert redactor.text("p@ss-word") == "[REDACTED:drillbook_endpoints.db.url]"


def test_work_and_its_defaults() -> None:
    settings: dict[str, Any] = {
        "submit": {"url": "http://api/webhooks", "body": {"id": "{id}"}},
        "completed": {"endpoint": "db", "query": "select job_id, count(*) from runs"},
    }
    database = {"db": {"kind": "sql", "url": "postgresql://db/app"}}
    assert inventory(drillbook_work=settings, drillbook_endpoints=database).work == Work(
        submit_url="http://api/webhooks",
        submit_body={"id": "{id}"},
        completed_endpoint="db",
        completed_query="select job_id, count(*) from runs",
    )
    settings["completed"] |= {"within": 5}
    settings["submit"] |= {"method": "put", "acknowledged": 200, "refused": [429, 503], "ca": "certs/ca.pem"}
    work = inventory(drillbook_work=settings, drillbook_endpoints=database).work
    assert work is not None
    assert (work.submit_method, work.acknowledged, work.refused) == ("PUT", frozenset({200}), frozenset({429, 503}))
    assert work.completed_within_s == 5
    assert work.submit_ca == ROOT / "certs/ca.pem"


def test_what_is_said_for_all_must_be_the_same_for_all() -> None:
    production = {"drillbook_environment": {"name": "live", "kind": "production"}}
    with pytest.raises(
        InventoryError, match=r"drillbook_environment .*differs between redis-1 and api-1: set it once"
    ) as raised:
        Inventory.of(resolved(**{"redis-1": ENVIRONMENT, "api-1": production}), ROOT, Redactor())
    assert raised.value.place == Place(f"{INVENTORY}/group_vars/all.yml", 10)


def test_other_settings_may_differ_between_hosts() -> None:
    hosts = {"redis-1": ENVIRONMENT | {"drillbook_port": 1}, "api-1": ENVIRONMENT | {"drillbook_port": 2}}
    it = Inventory.of(resolved(**hosts), ROOT, Redactor())
    assert [it.variable(host, "drillbook_port") for host in hosts] == [1, 2]
    assert it.setting("drillbook_port") == 1
    assert it.setting("drillbook_other", "default") == "default"


def test_what_a_script_wrote_has_no_line() -> None:
    known = resolved(web=ENVIRONMENT | {"drillbook_endpoints": {}, "drillbook_work": 1})
    known.entries["web"]["drillbook_work"]["origins"] = {}
    with pytest.raises(InventoryError, match=r"^drillbook_work \(/srv/drills/inventories/staging\): it is") as raised:
        Inventory.of(known, ROOT, Redactor())
    assert raised.value.place == Place(str(INVENTORY))


def failing(name: str, where: str) -> ResolvedInventory:
    known = resolved(**{"redis-1": ENVIRONMENT, "api-1": ENVIRONMENT})
    known.entries["api-1"][name] = {
        "error": {"where": where, "message": 'Set vault_password, see "Setting up"'},
        "origins": {name: f"{INVENTORY}/hosts.yml:3", where: f"{INVENTORY}/hosts.yml:4"},
    }
    return known


@pytest.mark.parametrize("name", ["drillbook_service", "ansible_host"])
def test_a_variable_that_every_drill_needs_fails_at_once_with_its_own_message(name: str) -> None:
    with pytest.raises(InventoryError) as raised:
        Inventory.of(failing(name, f"{name}.key"), ROOT, Redactor())
    assert str(raised.value) == f'{name}.key ({INVENTORY}/hosts.yml:4): Set vault_password, see "Setting up"'
    assert raised.value.place == Place(f"{INVENTORY}/hosts.yml", 4)


def test_any_other_variable_fails_only_when_it_is_asked_for() -> None:
    it = Inventory.of(failing("app_password", "app_password"), ROOT, Redactor())
    with pytest.raises(InventoryError, match=r"api-1 has no variable app_password: .*hosts\.yml:4: Set vault_password"):
        it.variable("api-1", "app_password")


def test_a_missing_variable_or_host_is_named() -> None:
    with pytest.raises(
        InventoryError, match=r"api-1 has no variable port: the inventory .*/staging sets it for neither"
    ):
        inventory().variable("api-1", "port")
    with pytest.raises(InventoryError, match=r'no host or group "api-2". Its hosts: redis-1, api-1. Its groups: redis'):
        inventory().variable("api-2", "port")


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", ("redis-1", "api-1")),
        ("redis", ("redis-1",)),
        ("api-1", ("api-1",)),
        ("*-1", ("redis-1", "api-1")),
        ("api-1, redis", ("redis-1", "api-1")),
    ],
)
def test_hosts_are_found_by_host_or_group(pattern: str, hosts: tuple[str, ...]) -> None:
    assert inventory().names(pattern) == hosts


@pytest.mark.parametrize("pattern", ["sentinel", "redis,sentinel", "", ",", "ungrouped"])
def test_no_host_is_an_error_each_time_it_is_asked(pattern: str) -> None:
    """testinfra keeps a failed look-up as an empty list: the second time, every check passes over no host at all."""
    it = inventory()
    for _ in range(2):
        with pytest.raises(InventoryError, match="has no host or group"):
            it.names(pattern)
        with pytest.raises(InventoryError, match="has no host or group"):
            it.hosts(pattern)


@pytest.mark.parametrize("path", ["inventories/nowhere", "/nowhere/at/all"])
def test_a_path_that_does_not_exist_is_no_host_name(path: str, tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=f"There is no inventory {path}: looked for /"):
        Inventory.resolve(Path(path), tmp_path)


# Secrets.


def test_secrets_are_known_by_name_by_vault_and_by_place() -> None:
    redactor = Redactor()
    known = resolved(
        web=ENVIRONMENT
        | {
            "app_password": "by-its-name",
            "app": {"db": {"secretKey": "by-a-nested-name"}},
            "token_url": "https://public/token",
            "password_file": "/etc/public",
            "database_url": "postgresql://app:in-a-url@db/app",
            "drillbook_endpoints": {
                "api": {
                    "kind": "http",
                    "url": "http://api",
                    "headers": {"Authorization": "Bearer by-its-header-1", "Accept": "application/json"},
                }
            },
            "admin_zip_code": "public-zip-code",
            "password_max_age": 86_400_000,
            "token_count": 3,
        }
    )
    known.entries["web"]["opaque"] = entry("by-the-vault", "opaque", 30, vaulted=True)
    it = Inventory.of(known, ROOT, redactor)
    text = (
        "by-its-name by-a-nested-name in-a-url by-its-header-1 by-the-vault application/json "
        "https://public/token /etc/public public-zip-code"
    )
    assert redactor.text(text) == (
        "[REDACTED:app_password] [REDACTED:app.db.secretKey] [REDACTED:database_url] "
        "[REDACTED:drillbook_endpoints.api.headers.Authorization-2] [REDACTED:opaque] application/json "
        "https://public/token /etc/public public-zip-code"
    )
    assert it.secrets["opaque"] == "by-the-vault"


def test_a_value_of_a_vaulted_file_is_a_secret(tmp_path: Path) -> None:
    """Values of a file that is encrypted as a whole carry no sign of it but their file."""
    vault = tmp_path / "vault.yml"
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    known = resolved(web=ENVIRONMENT)
    known.entries["web"]["opaque"] = {"value": "of-a-vaulted-file", "origins": {"opaque": f"{vault}:1"}, "vaulted": []}
    redactor = Redactor()
    Inventory.of(known, ROOT, redactor)
    assert redactor.text("of-a-vaulted-file") == "[REDACTED:opaque]"


def test_a_password_of_ours_that_is_too_short_is_refused_by_name() -> None:
    with pytest.raises(DrillbookError, match=r"drillbook_endpoints\.it\.password"):
        endpoints(kind="redis", url="redis://x", password="redis")


def test_a_short_password_of_others_is_named_and_left() -> None:
    redactor = Redactor()
    inventory(redactor, ansible_password="root")
    assert redactor.too_short == {"ansible_password"}


def test_the_same_name_with_other_values_gets_other_labels() -> None:
    redactor = Redactor()
    hosts = {"redis-1": ENVIRONMENT | {"db_password": "first-one"}, "api-1": ENVIRONMENT | {"db_password": "other-one"}}
    it = Inventory.of(resolved(**hosts), ROOT, redactor)
    assert it.secrets == {"db_password": "first-one", "db_password#2": "other-one"}
    assert redactor.text("first-one other-one") == "[REDACTED:db_password] [REDACTED:db_password-2]"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "redis_password",
        "ansible_ssh_pass",
        "apiKey",
        "X_API_KEY",
        "client_secret",
        "accessToken",
        "private-key",
        "passwords",
        "deploy_key",
        "dbpassword",
        "PGPASSWORD",
        "MYSQL_PWD",
        "REDISCLI_AUTH",
        "ssh_key",
        "tls_key_pem",
        "ssh_keys",
        "requirepass",
        "rootpw",
        "GITHUB_PAT",
        "wifi_psk",
        "session_cookies",
        "hmac_key",
        "masterKey",
        "license_keys",
        *("password1", "admin_pw2", "unseal_key_1", "api_key2", "fernet_key_old", "rsa_key_base64"),
        *("connection_string", "AzureConnectionString", "DB_CONN_STR", "seed_phrase", "mnemonic", "recoveryCodes"),
        *("pin_code", "pincode", "hsm_pin", "id_rsa", "deploy_id_ed25519"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("user", "compass", "passenger", "token_url", "secret_name", "private_key_file", "keyboard", "monkey", "key"),
        *(
            "ssh_public_key",
            "authorized_keys",
            "redis_key",
            "routing_key",
            "update_password",
            "ssh_key_bits",
            "pattern",
            *("public_key_1", "routing_key_2", "redis_key_old", "compass1", "pattern2", "sort_key_new"),
            *(
                "connection",
                "id_rsa_pub",
                "id_rsa_file",
                "code",
                "postal_code",
                "exit_code",
                "spin",
                "pinned",
                "phrase",
            ),
        ),
    ],
)
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_headers_of_secrets() -> None:
    assert all(map(is_secret_header, ["Authorization", "Cookie", "X-API-Key", "X-Auth-Token", "X-Hub-Signature"]))
    assert all(map(is_secret_header, ["X-Functions-Key", "Ocp-Apim-Subscription-Key", "Set-Cookie", "X-Session-Id"]))
    assert not any(map(is_secret_header, ["Accept", "Content-Type", "X-Request-Id", "Idempotency-Key"]))


def test_what_mappings_of_others_name_is_a_secret_at_any_depth() -> None:
    redactor = Redactor()
    inventory(
        redactor,
        passwords={"app": "of-the-mapping"},
        deployments=[{"name": "web", "deploy_key": "of-the-list-1"}],
        environment_of_app=[{"name": "PGPASSWORD", "value": "of-the-pair"}, {"name": "PGHOST", "value": "db.example"}],
        gateway={"headers": {"X-Functions-Key": "of-the-header", "Accept": "text/plain"}},
        public_keys={"deploy": "ssh-ed25519 AAAA"},
        environment_of_unit=["MYSQL_PWD=of-the-assignment", "MYSQL_HOST=db.example"],
    )
    assert redactor.text("of-the-assignment") == "[REDACTED:MYSQL_PWD]"
    said = redactor.text(
        "of-the-mapping of-the-list-1 of-the-pair db.example of-the-header text/plain ssh-ed25519 AAAA"
    )
    assert said == (
        "[REDACTED:passwords.app] [REDACTED:deployments.0.deploy_key] [REDACTED:environment_of_app.0.value] db.example "
        "[REDACTED:gateway.headers.X-Functions-Key] text/plain ssh-ed25519 AAAA"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"headers": "Authorization: Bearer the-token"}, "it is text, and has to be a mapping of names to texts"),
        ({"headers": {"Authorization": "Bearer the-token\n"}}, r"headers\.Authorization .*: its value cannot be sent"),
        ({"headers": {"X-Api-Key": "the-token\u2019"}}, r"headers\.X-Api-Key .*: its value cannot be sent"),
        ({"headers": {"X-Api-Key: the-token": ""}}, "headers .*: it has a name that is no name of an HTTP header"),
        ({"headers": {"X-Api-Key": ["the-token"]}}, "it is a mapping, and has to be a mapping of names to texts"),
    ],
)
def test_an_error_about_a_header_does_not_quote_it(settings: dict[str, object], said: str) -> None:
    redactor = Redactor()
    with pytest.raises(InventoryError, match=said) as raised:
        inventory(redactor, drillbook_endpoints={"it": {"kind": "http", "url": "http://x"} | settings})
    assert "the-token" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"password": 1234.5678},
        {"sentinel": {"master": "m", "nodes": ["s:1"], "password": 1234.5678}},
        {"sentinel": {"master": "m", "nodes": ["s:1"], "password": 1234.5678}, "url": "redis://x"},
    ],
)
def test_an_error_about_a_password_does_not_quote_it(settings: dict[str, object]) -> None:
    with pytest.raises(InventoryError, match="it is a number, and has to be text") as raised:
        endpoints(kind="redis", **{"url": "redis://x", **settings})
    assert "1234" not in str(raised.value)


# Looking at hosts.


def looking_at(**connection: object) -> Inventory:
    return Inventory(
        INVENTORY,
        Environment("test", EnvironmentKind.LAB),
        hostvars={"web": {}},
        connections={"web": {"connection": "ssh"} | connection},
    )


def look(it: Inventory, **options: Any) -> Any:
    """The one host of `it`; testinfra has types for its hosts that hide its modules."""
    (host,) = it.hosts("web", **options)
    return host


def ssh_command(**connection: object) -> tuple[str, list[str]]:
    host = look(looking_at(**connection))
    words, values = host.backend._build_ssh_command("true")
    return " ".join(words), values


def test_a_local_host_is_looked_at() -> None:
    host = look(looking_at(connection="ansible.builtin.local"))
    assert host.run("echo %s", "it's").stdout == "it's\n"
    assert host.file("/").is_directory


def test_a_look_that_takes_too_long_is_no_look_and_leaves_no_process() -> None:
    host = look(looking_at(connection="local"), deadline_s=0.2)
    with pytest.raises(CouldNotLookError, match=r"web did not answer within 0\.2 seconds: sleep 327\.5 & sleep 327\.5"):
        host.run("sleep 327.5 & sleep 327.5")

    def left() -> bool:
        return any(each.info["cmdline"] == ["sleep", "327.5"] for each in psutil.process_iter(["cmdline"]))

    # they were killed; the kernel needs a moment to be done with them
    until(lambda: not left(), what="the end of both processes", within_s=10, every_s=0.01)


def test_ssh_is_called_as_ansible_calls_it() -> None:
    words, values = ssh_command(
        host="10.0.0.7",
        port=2222,
        remote_user="ops",
        private_key_file="/keys/id",
        ssh_args="-C -o ControlMaster=auto -o ControlPersist=60s",
        ssh_common_args="-J bastion",
    )
    assert {"2222", "ops", "/keys/id", "10.0.0.7", "true"} == set(values)
    assert "-J bastion" in words
    assert "BatchMode=yes" in words
    assert re.search(r"ControlPath=\S+/drillbook\.ssh-\w+/cp/%%C", words)  # without it, ControlPersist does nothing
    assert "StrictHostKeyChecking" not in words
    assert "StrictHostKeyChecking=no" in ssh_command(host_key_checking=False)[0]


def test_an_ssh_password_is_on_no_command_line() -> None:
    words, values = ssh_command(password="hunter2hunter2")
    assert words.startswith("sshpass -e ssh ")
    assert "hunter2hunter2" not in repr((words, values))


def test_ssh_that_cannot_connect_could_not_look() -> None:
    host = look(looking_at(host="127.0.0.1", port=1, ssh_args="-F none"))
    with pytest.raises(CouldNotLookError, match=r"web could not be reached over ssh \(status 255\): .*127\.0\.0\.1"):
        host.run("true")


def test_sudo_never_asks() -> None:
    host = look(looking_at(connection="local", become=True, become_user="o'brien"))
    assert host.backend.get_command("id").startswith("""sudo -n -u 'o'"'"'brien' /bin/sh -c """)


@pytest.mark.parametrize(
    ("said", "sudo"), [("y", True), ("T", True), (1, True), ("f", False), ("no", False), (None, False)]
)
def test_sudo_is_used_where_ansible_would(said: object, sudo: bool) -> None:
    host = look(looking_at(connection="local", become=said))
    assert host.backend.get_command("id").startswith("sudo") is sudo


@pytest.mark.parametrize(("said", "checked"), [("n", False), ("F", False), (0, False), ("t", True), ("perhaps", True)])
def test_host_keys_go_unchecked_only_where_ansible_is_told_so(said: object, checked: bool) -> None:
    assert ("StrictHostKeyChecking=no" in ssh_command(host_key_checking=said)[0]) is not checked


def test_containers_are_looked_at_by_their_own_client() -> None:
    host = look(looking_at(connection="community.docker.docker", remote_addr="redis-1"))
    assert (host.backend.NAME, host.backend.name) == ("docker", "redis-1")


def test_a_connection_that_no_check_can_use_is_named() -> None:
    with pytest.raises(
        InventoryError, match=r'look at web over the connection "ansible\.netcommon\.httpapi": use one of'
    ):
        looking_at(connection="ansible.netcommon.httpapi").hosts("web")


def test_what_is_looked_at_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    host = look(looking_at(connection="local"))
    host.run("echo hunter2hunter2")
    assert "hunter2" not in caplog.text


def test_the_private_directory_goes_with_the_inventory() -> None:
    it = looking_at()
    directory = it.connections.private_dir
    assert directory.stat().st_mode & 0o777 == 0o700
    assert it.connection_env["ANSIBLE_SSH_CONTROL_PATH_DIR"].startswith(str(directory))
    del it
    assert not directory.exists()


def test_a_dead_mans_switch_is_armed_when_the_inventory_says_after_how_long() -> None:
    assert inventory().dead_man_switch_s is None
    assert inventory(drillbook_dead_man_switch={"after": 60}).dead_man_switch_s == 60
    assert inventory(drillbook_dead_man_switch={"after": "60"}).dead_man_switch_s == 60


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"afer": 60}, 'drillbook_dead_man_switch.afer .*there is no such key; did you mean "after"'),
        ({}, 'the key "after" is missing'),
        (60, "has to be a mapping with the keys after"),
        ({"after": 0}, "has to be a number above 0"),
        ({"after": "soon"}, "has to be a number above 0"),
        ({"after": 9}, "it is 9, and has to be a whole number of seconds, 10 or more"),
        ({"after": 10.5}, "it is 10.5, and has to be a whole number of seconds"),
    ],
)
def test_a_dead_mans_switch_that_is_misspelt_is_no_switch_left_out(setting: object, says: str) -> None:
    with pytest.raises(InventoryError, match=says) as raised:
        inventory(drillbook_dead_man_switch=setting)
    assert "group_vars/all.yml:1" in str(raised.value)


# ------------------------------------------------------------------ becoming somebody


@pytest.mark.parametrize(
    ("said", "of_ansible", "where"),
    [
        ({"ansible_become_method": "su"}, {}, r"ansible_become_method \(\S+/all\.yml:10\)"),
        ({"ansible_become": True}, {}, r"ansible_become \(\S+/all\.yml:10\)"),
        ({}, {}, r"become_method \(ansible\.cfg\)"),
        ({}, {"su_asks": False}, None),
        ({}, {"become": "no"}, None),
        ({}, {"become_method": "sudo"}, None),
    ],
)
def test_a_su_that_asks_is_refused_with_its_setting(
    said: dict[str, object], of_ansible: dict[str, object], where: str | None
) -> None:
    connection = {"connection": "ssh", "become": True, "become_method": "su", "su_asks": True} | of_ansible
    made = replace(resolved(web=ENVIRONMENT | said), connections={"web": connection})
    if where is None:
        assert Inventory.of(made, ROOT, Redactor()).su_asks is connection["su_asks"]
        return
    with pytest.raises(InventoryError, match=f"^With {where} su asks for a password on web, and nobody answers"):
        Inventory.of(made, ROOT, Redactor())


def test_ansible_itself_says_whether_su_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible.plugins.loader import init_plugin_loader  # type: ignore[import-untyped]

    from drillbook.target.ansible.inside import variables as resolving

    init_plugin_loader()

    def asks(**variables: object) -> object:
        named = {f"ansible_{name}": value for name, value in variables.items()}
        return resolving._connection(named)["su_asks"]

    assert asks(connection="ssh", user="deploy")
    assert not asks(connection="ssh", user="root")
    assert not asks(connection="ssh"), "ssh's own configuration may name the user"
    assert not asks(connection="ssh", user="deploy", become_user="deploy")
    assert not asks(connection="ssh", user="deploy", become_password="x")
    assert not asks(connection="ssh", user="deploy", su_pass="x")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert asks(connection="local")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert not asks(connection="local")
