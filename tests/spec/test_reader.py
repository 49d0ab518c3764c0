"""What a good file becomes, and what a file that cannot be looked at is told."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import attrs
import pytest

from mailkeel.errors import SpecError
from mailkeel.spec.layout import DKIM, DMARC, DOMAIN, FILE, LIMITS, RELAY, SPF, TLS, TOP_KEYS
from mailkeel.spec.model import (
    Dkim,
    Dmarc,
    DmarcPolicy,
    Domain,
    Limits,
    Mode,
    Relay,
    RelayTls,
    Spec,
    Spf,
    Tls,
)
from mailkeel.spec.reader import load, read
from mailkeel.spec.source import MAX_FILE_BYTES
from mailkeel.spec.tables import FreeTable, Table, Tables

FULL = """\
mode = "full"
hostname = "MX.example.com."
admin = "Alice"
addresses = ["192.0.2.1", "2001:DB8::1"]

[[domain]]
name = "example.com"

[[domain]]
name = "bücher.example"
[domain.spf]
policy = "v=spf1 mx ~all"
[domain.dkim]
bits = 4096
[domain.dmarc]
policy = "reject"
ruf = ["mailto:forensic@example.org"]

[spf]
policy = "v=spf1 include:_spf.example.net -all"
[dkim]
selector = "s2026"
[dmarc]
policy = "quarantine"
subdomain_policy = "reject"
rua = "dmarc@example.com"

[aliases]
sales = ["alice", "bob@example.org"]
Postmaster = "alice"

[tls]
certificate = "/etc/ssl/mail.pem"
key = "/etc/ssl/mail.key"

[limits]
message_size = "20M"
queue_lifetime = "12h"
auth_attempts_per_minute = 5
"""

MINIMAL = 'mode = "local"\n[[domain]]\nname = "example.com"\n'
RELAY_MODE = 'mode = "relay"\n[[domain]]\nname = "example.com"\n[relay]\nhost = "smtp.example.net"\n'


def test_every_key_finds_its_place() -> None:
    """Names become A-labels, quantities get their unit, and a domain changes only what it names."""
    spf, dmarc, rua = Spf("v=spf1 include:_spf.example.net -all"), DmarcPolicy, ("dmarc@example.com",)
    assert read(FULL) == Spec(
        mode=Mode.FULL,
        hostname="mx.example.com",
        admin="alice",
        addresses=("192.0.2.1", "2001:db8::1"),
        domains=(
            Domain("example.com", spf, Dkim("s2026"), Dmarc(dmarc.QUARANTINE, dmarc.REJECT, rua)),
            Domain(
                "xn--bcher-kva.example",
                Spf("v=spf1 mx ~all"),
                Dkim("s2026", 4096),
                Dmarc(dmarc.REJECT, dmarc.REJECT, rua, ("forensic@example.org",)),
            ),
        ),
        aliases=(("sales", ("alice", "bob@example.org")), ("postmaster", ("alice",))),
        tls=Tls("/etc/ssl/mail.pem", "/etc/ssl/mail.key"),
        limits=Limits(20 * 1024 * 1024, 12 * 3600, 5),
    )  # fmt: skip


def test_a_minimal_file_gets_every_default() -> None:
    """And the host is mail.<first domain>."""
    assert read(MINIMAL) == Spec(Mode.LOCAL, "mail.example.com", (Domain("example.com"),))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", Relay("smtp.example.net", 587, RelayTls.STARTTLS)),
        ("port = 465", Relay("smtp.example.net", 465, RelayTls.IMPLICIT)),
        ("port = 25", Relay("smtp.example.net", 25, RelayTls.STARTTLS)),
        ('tls = "implicit"', Relay("smtp.example.net", 465, RelayTls.IMPLICIT)),
        ('port = 2525\ntls = "implicit"', Relay("smtp.example.net", 2525, RelayTls.IMPLICIT)),
        ('credentials = "relay"', Relay("smtp.example.net", 587, RelayTls.STARTTLS, "relay")),
    ],
)
def test_port_and_tls_of_the_relay_follow_from_each_other(lines: str, expected: Relay) -> None:
    """RFC 8314 3.3: TLS from the start on 465, STARTTLS elsewhere."""
    assert read(RELAY_MODE + lines).relay == expected


def test_aliases_that_branch_and_meet_again_are_no_loop() -> None:
    """Only a way back to the start is."""
    text = MINIMAL + '[aliases]\na = ["b", "c"]\nb = "d"\nc = ["d", "a@example.org"]\nd = "e@example.com"\n'
    assert len(read(text).aliases) == 4


def test_the_host_may_be_named_like_a_domain() -> None:
    """A host that is its own mail domain is common."""
    assert read('hostname = "example.com"\n' + MINIMAL).hostname == "example.com"


def test_a_byte_order_mark_is_skipped() -> None:
    """Editors on Windows write one."""
    assert read("\N{ZERO WIDTH NO-BREAK SPACE}" + MINIMAL) == read(MINIMAL)


def test_tables_and_types_name_the_same_attributes() -> None:
    """The layout builds the types from keyword arguments, which a type checker does not see."""
    for table, model in (
        (SPF, Spf),
        (DKIM, Dkim),
        (DMARC, Dmarc),
        (TLS, Tls),
        (RELAY, Relay),
        (LIMITS, Limits),
    ):
        attributes = {key.attribute or key.name for key in table.keys}
        assert attributes == {field.name for field in attrs.fields(model)}
    assert {key.name for key in DOMAIN.keys} == {field.name for field in attrs.fields(Domain)}
    tables = (Table, Tables, FreeTable)
    assert tuple(key.name for key in FILE.keys if not isinstance(key.kind, tables)) == TOP_KEYS


def problem_of(path: str) -> str:
    """The one problem that loading a path ends in."""
    with pytest.raises(SpecError) as refusal:
        load(path)
    (problem,) = refusal.value.problems
    return str(problem)


def test_a_file_is_loaded_and_left_alone(tmp_path: Path) -> None:
    """Reading changes neither content nor time."""
    path = tmp_path / "mail.toml"
    path.write_text(FULL, encoding="utf-8")
    before = path.stat()
    assert load(str(path)) == read(FULL)
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Points to `mailkeel init`."""
    path = tmp_path / "none.toml"
    assert problem_of(str(path)) == f"{path}: there is no such file; run `mailkeel init` to write one"


def test_what_is_not_a_file(tmp_path: Path) -> None:
    """A pipe would block, a device would never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert problem_of(str(path)) == f"{path}: is not a regular file; give the path of a TOML file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """Points to root."""
    path = tmp_path / "mail.toml"
    path.write_text(MINIMAL)
    path.chmod(0)
    assert problem_of(str(path)) == f"{path}: may not be read by this user; run mailkeel as root"


@pytest.mark.parametrize("path", ["", "\0", "a\0b", "\udcff", "a" * 5000, "/dev/null/x", "\x1b[31m"])
def test_a_path_that_is_none(path: str) -> None:
    """Is an error like any other, and safe to print."""
    assert problem_of(path).isprintable()


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    """Are told with their line."""
    path = tmp_path / "mail.toml"
    path.write_bytes(MINIMAL.encode() + b'admin = "\xff"\n')
    assert problem_of(str(path)) == f"{path}:4: is not UTF-8; save the file as UTF-8"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """Is refused before it is parsed."""
    path = tmp_path / "mail.toml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert problem_of(str(path)).startswith(f"{path}: is larger than 8 MiB; ")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a" + ".a" * 100_000 + " = 1",
        "a = " + "1" * 10_000,
        "a = {" + "'=' . " * 100_000,
    ],
)
def test_toml_that_python_cannot_hold(text: str) -> None:
    """Depth and digits have limits of their own."""
    with pytest.raises(SpecError):
        read(text)


def test_ten_thousand_domains() -> None:
    """Each with its own policies; the time is printed, not judged."""
    domain = '[[domain]]\nname = "d{0}.example.com"\n[domain.spf]\npolicy = "v=spf1 ip4:192.0.2.1 -all"\n'
    text = 'mode = "local"\n' + "".join(domain.format(number) for number in range(10_000))
    start = time.perf_counter()
    spec = read(text)
    print(f"10,000 domains in {time.perf_counter() - start:.3f} s", file=sys.stderr)
    assert len(spec.domains) == 10_000
