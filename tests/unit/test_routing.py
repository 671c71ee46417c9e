from __future__ import annotations

from gwc.routing import HostTable, host_tables
from testkit import gateway


def _paths(table: HostTable) -> list[str]:
    return [entry.path.text for entry in table.entries]


def _service(name: str, *paths: str, hosts: str = "", methods: str = "GET") -> str:
    routes = "".join(f"  - {{name: r{i}, path: '{path}', methods: [{methods}]}}\n" for i, path in enumerate(paths))
    return f"apiVersion: gwc/v1\nkind: Service\nservice: {name}\nhosts: [{hosts}]\nupstream: http://127.0.0.1:1\nroutes:\n{routes}"


def test_literal_before_parameter_before_rest_from_the_left() -> None:
    built = gateway(_service("a", "/**", "/x/**", "/{p}/y", "/x/{p}", "/x/y", "/x/", "/"))
    (table,) = host_tables(built)
    assert _paths(table) == ["/", "/x/", "/x/y", "/x/{p}", "/x/**", "/{p}/y", "/**"]


def test_a_hosts_own_routes_come_before_those_of_every_host() -> None:
    own, others = _service("own", "/x/{p}", hosts="api.example.com"), _service("others", "/x/y", "/z")
    tables = host_tables(gateway(own, others))
    assert [table.host for table in tables] == ["api.example.com", None]
    assert _paths(tables[0]) == ["/x/{p}", "/x/y", "/z"]
    assert _paths(tables[1]) == ["/x/y", "/z"]


def test_routes_of_one_shape_share_an_entry_and_its_allow() -> None:
    reading = _service("a", "/x/{id}", methods="GET, HEAD")
    writing = _service("b", "/x/{name}", methods="PUT")
    (table,) = host_tables(gateway(reading, writing))
    (entry,) = table.entries
    assert entry.allow == ("GET", "HEAD", "PUT")
    assert [found.service.name for found in entry.routes] == ["a", "b"]


def test_without_services_for_every_host_the_last_table_is_empty() -> None:
    tables = host_tables(gateway(_service("a", "/x", hosts="a.example.com, b.example.com")))
    assert [(table.host, len(table.entries)) for table in tables] == [
        ("a.example.com", 1),
        ("b.example.com", 1),
        (None, 0),
    ]
