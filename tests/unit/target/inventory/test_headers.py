"""A header that no server would read is refused before a drill, and its value is not shown."""

from __future__ import annotations

import pytest

from drillbook.errors import InventoryError
from tests.unit.target.inventory.test_inventory import endpoints, inventory

pytestmark = pytest.mark.unit

TOKEN = "Bearer hunter2hunter2"
CANNOT = "its value cannot be sent: it has a line feed"
REFUSED = [
    ("Authorization", TOKEN + "\n", "headers.Authorization", CANNOT),
    ("Authorization", TOKEN + "\r\n", "headers.Authorization", CANNOT),
    ("Authorization", " " + TOKEN, "headers.Authorization", CANNOT),
    ("Authorization", TOKEN + "\nX-Admin: 1", "headers.Authorization", CANNOT),
    ("Authorization", TOKEN + "\x00x", "headers.Authorization", CANNOT),
    ("Authorization", TOKEN + "\u20ac", "headers.Authorization", CANNOT),
    ("X Key", TOKEN, "headers", "a name that is no name of an HTTP header"),
    ("X-Key:", TOKEN, "headers", "a name that is no name of an HTTP header"),
]


@pytest.mark.parametrize(("name", "value", "where", "says"), REFUSED)
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str, where: str, says: str) -> None:
    database = {"db": {"kind": "sql", "url": "postgresql://db/app"}}
    work = {"submit": {"url": "http://x", "headers": {name: value}}, "completed": {"endpoint": "db", "query": "select"}}
    with pytest.raises(InventoryError) as raised:
        endpoints(kind="http", url="http://api", headers={name: value})
    with pytest.raises(InventoryError) as submitted:
        inventory(drillbook_endpoints=database, drillbook_work=work)
    for error, variable in ((raised, "drillbook_endpoints.it"), (submitted, "drillbook_work.submit")):
        assert str(error.value).startswith(f"{variable}.{where} (")
        assert says in str(error.value)
        assert "hunter2" not in str(error.value)


def test_a_header_that_can_be_sent_is_sent() -> None:
    headers = {"Authorization": TOKEN, "X-Name": "M\u00fcller", "X-Empty": "", "X-Number": 7}
    it = endpoints(kind="http", url="http://api", headers=headers).endpoints["it"]
    assert it.headers == {**headers, "X-Number": "7"}


def test_redirects_and_what_is_healthy_are_keys_of_an_http_endpoint() -> None:
    it = endpoints(kind="http", url="http://api").endpoints["it"]
    assert (it.follow, it.healthy_below) == (False, 300)
    it = endpoints(kind="http", url="http://api", follow=True, healthy="3xx").endpoints["it"]
    assert (it.follow, it.healthy_below) == (True, 400)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"healthy": "4xx"}, 'it is "4xx", and has to be one of 2xx, 3xx'),
        ({"healthy": 200}, "has to be one of 2xx, 3xx"),
        ({"follow": "yes"}, "has to be true or false"),
        ({"kind": "tcp", "url": "tcp://x:1", "follow": True}, "an endpoint of kind tcp does not use it"),
        ({"kind": "redis", "url": "redis://x", "healthy": "2xx"}, "an endpoint of kind redis does not use it"),
    ],
)
def test_what_is_no_such_setting_is_refused(setting: dict[str, object], says: str) -> None:
    with pytest.raises(InventoryError) as raised:
        endpoints(**({"kind": "http", "url": "http://api"} | setting))
    assert says in str(raised.value)
