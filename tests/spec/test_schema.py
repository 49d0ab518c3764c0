"""The schema that editors use says what the reader takes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping

import pytest

from mailkeel.errors import SpecError
from mailkeel.spec.layout import DKIM, DMARC, DOMAIN, FILE, LIMITS, RELAY, SPF, TLS
from mailkeel.spec.model import Dkim, Dmarc, Limits, Mode, Relay, RelayTls, Spf
from mailkeel.spec.reader import read
from mailkeel.spec.schema import json_schema

# A sound value of every key, by its path in the schema; `*` is the person's own key.
SAMPLES = {
    "mode": '"relay"',
    "hostname": '"mail.example.com"',
    "admin": '"alice"',
    "addresses": '["192.0.2.1"]',
    "spf.policy": '"v=spf1 mx -all"',
    "dkim.selector": '"default"',
    "dkim.bits": "2048",
    "dmarc.policy": '"none"',
    "dmarc.subdomain_policy": '"reject"',
    "dmarc.rua": '["mailto:a@example.com"]',
    "dmarc.ruf": '"a@example.com"',
    "domain.name": '"example.com"',
    "domain.spf.policy": '"v=spf1 -all"',
    "domain.dkim.selector": '"s1"',
    "domain.dkim.bits": "1024",
    "domain.dmarc.policy": '"quarantine"',
    "domain.dmarc.subdomain_policy": '"none"',
    "domain.dmarc.rua": '"a@example.com"',
    "domain.dmarc.ruf": '["a@example.com"]',
    "aliases.*": '["alice", "bob@example.org"]',
    "tls.certificate": '"/etc/ssl/mail.pem"',
    "tls.key": '"/etc/ssl/mail.key"',
    "relay.host": '"smtp.example.net"',
    "relay.port": "587",
    "relay.tls": '"implicit"',
    "relay.credentials": '"/etc/mailkeel/relay.secret"',
    "limits.message_size": '"50M"',
    "limits.queue_lifetime": '"5d"',
    "limits.auth_attempts_per_minute": "20",
}


def tables_of(schema: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every key of a schema that holds no further keys, with its schema."""
    properties = schema.get("properties")
    assert isinstance(properties, dict)
    for name, inner in properties.items():
        inner = inner["items"] if inner.get("items", {}).get("type") == "object" else inner
        if "properties" in inner:
            yield from ((f"{name}.{path}", leaf) for path, leaf in tables_of(inner))
        elif "patternProperties" in inner:
            yield from ((f"{name}.*", leaf) for leaf in inner["patternProperties"].values())
        else:
            yield name, inner


LEAVES = dict(tables_of(json_schema()))


def document() -> str:
    """A file that sets every key of `SAMPLES`."""
    tables: dict[str, list[str]] = {}
    for path, value in SAMPLES.items():
        table, _, key = path.rpartition(".")
        tables.setdefault(table, []).append(f"{key.replace('*', 'sales')} = {value}")
    headers = {table: f"[[{table}]]" if table == "domain" else f"[{table}]" for table in tables if table}
    return "\n".join("\n".join([headers.get(table, ""), *lines]) for table, lines in tables.items())


def test_the_reader_takes_every_key_of_the_schema() -> None:
    """And the schema has no others."""
    assert set(SAMPLES) == set(LEAVES)
    assert read(document()).mode is Mode.RELAY


def test_the_schema_has_every_key_of_the_reader() -> None:
    """What the reader calls unknown in each table is what the schema leaves out, and nothing else."""
    for name, keys in (
        ("spf", SPF.keys),
        ("dkim", DKIM.keys),
        ("dmarc", DMARC.keys),
        ("domain", DOMAIN.keys),
        ("tls", TLS.keys),
        ("relay", RELAY.keys),
        ("limits", LIMITS.keys),
    ):
        assert {path.split(".")[1] for path in LEAVES if path.startswith(f"{name}.")} == {
            key.name for key in keys
        }
    assert {path.partition(".")[0] for path in LEAVES} == {key.name for key in FILE.keys}


@pytest.mark.parametrize("path", SAMPLES)
def test_a_key_that_the_schema_knows_is_never_unknown(path: str) -> None:
    """A wrong type in its place is told as such; the same key misspelt is unknown."""
    wrong, unknown = (problems(path, key) for key in (path.rpartition(".")[2], "q" + path.rpartition(".")[2]))
    assert not any("not a known key" in problem for problem in wrong)
    assert wrong
    if "*" not in path:
        assert any("not a known key" in problem for problem in unknown)


def problems(path: str, key: str) -> list[str]:
    """What a file is told that holds only one key, with a date where none is wanted."""
    table = path.rpartition(".")[0].replace("domain", "[domain]" if path.count(".") == 1 else "domain")
    head = f"[{table}]\n" if table else ""
    head = f"[[domain]]\nname = 'example.com'\n{head}" if table.startswith("domain.") else head
    with pytest.raises(SpecError) as refusal:
        read(f"{head}{key.replace('*', 'sales')} = 2026-01-01\n")
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize("path", SAMPLES)
def test_the_schema_takes_what_the_reader_takes(path: str) -> None:
    """Each sample matches its pattern, limits or choices."""
    assert fits(tomllib.loads(f"x = {SAMPLES[path]}")["x"], LEAVES[path])


def fits(value: object, schema: Mapping[str, object]) -> bool:
    """The part of JSON Schema that the layout uses."""
    if isinstance(choices := schema.get("anyOf"), list):
        return any(fits(value, choice) for choice in choices)
    if isinstance(choices := schema.get("enum"), list):
        return value in choices
    if schema["type"] == "array":
        items = schema["items"]
        return (
            isinstance(value, list) and isinstance(items, dict) and all(fits(item, items) for item in value)
        )
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return (
            isinstance(value, int)
            and isinstance(least, int)
            and isinstance(most, int)
            and least <= value <= most
        )
    return isinstance(value, str) and bool(re.search(str(schema["pattern"]), value))


def test_defaults_are_those_of_the_types() -> None:
    """The file with every default written out reads as the file without them."""
    least = 'mode = "relay"\n[[domain]]\nname = "example.com"\n[relay]\nhost = "smtp.example.net"\n'
    tables: dict[str, list[str]] = {}
    for path, leaf in LEAVES.items():
        if "default" in leaf and not path.startswith("domain."):
            table, _, key = path.rpartition(".")
            tables.setdefault(table, []).append(f"{key} = {json.dumps(leaf['default'])}")
    relay = tables.pop("relay")
    text = least + "\n".join(relay) + "".join(f"\n[{t}]\n" + "\n".join(lines) for t, lines in tables.items())
    spec = read(text)
    assert spec == read(least)
    assert (spec.primary.spf, spec.primary.dkim, spec.primary.dmarc) == (Spf(), Dkim(), Dmarc())
    assert spec.limits == Limits()
    assert spec.relay == Relay("smtp.example.net", 587, RelayTls.STARTTLS)


def test_every_key_is_described() -> None:
    """An editor shows it on hover; and the whole is JSON."""
    assert all(leaf.get("description") for path, leaf in LEAVES.items() if "*" not in path)
    assert json.loads(json.dumps(json_schema())) == json_schema()
