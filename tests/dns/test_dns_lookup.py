"""Looking up at a real BIND, and at servers that misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import pytest
from dns_world import KEY, Bind, Table, udp_server
from hypothesis import given, settings
from hypothesis import strategies as st

import mailkeel
from mailkeel.dns.lookup import (
    Answer,
    AuthoritativeResolver,
    EveryServer,
    Server,
    Status,
    SystemResolver,
    ancestors,
    authoritative_servers,
    lookup_at,
)
from mailkeel.dns.wire import ask


@pytest.mark.parametrize(
    ("name", "rdtype", "values"),
    [
        ("mail.good.test", "A", ("192.0.2.10",)),
        ("MAIL.Good.Test.", "AAAA", ("2001:db8::10",)),
        ("good.test", "MX", ("10 mail.good.test",)),
        ("good.test", "TXT", ("another text", "v=spf1 a mx -all")),
        ("default._domainkey.good.test", "TXT", (f"v=DKIM1; h=sha256; k=rsa; p={KEY}",)),
        ("good.test", "NS", ("ns1.good.test",)),
        ("1.2.0.192.in-addr.arpa", "PTR", ("spf.test",)),
        ("alias.good.test", "CNAME", ("mail.good.test",)),
    ],
)
def test_a_record_is_found(bind_server: Bind, name: str, rdtype: str, values: tuple[str, ...]) -> None:
    answer = bind_server.resolver().lookup(name, rdtype)
    assert (answer.status, answer.values) == (Status.FOUND, values)
    assert answer.ttl_seconds == 300
    assert answer.server == f"127.0.0.1#{bind_server.port}"


@pytest.mark.parametrize(
    ("name", "rdtype", "status"),
    [
        ("mail.good.test", "MX", Status.NO_DATA),
        ("_domainkey.good.test", "TXT", Status.NO_DATA),
        ("nobody.good.test", "A", Status.NO_DOMAIN),
        ("good.test.good.test", "A", Status.NO_DOMAIN),
        ("dangling.good.test", "A", Status.NO_DOMAIN),
        ("any.broken.test", "A", Status.NO_ANSWER),
        ("not.ours.example", "A", Status.NO_ANSWER),
    ],
)
def test_what_is_not_there_says_so(bind_server: Bind, name: str, rdtype: str, status: Status) -> None:
    answer = bind_server.resolver().lookup(name, rdtype)
    assert (answer.status, answer.values) == (status, ())
    assert bool(answer.detail) == (status is Status.NO_ANSWER)


def test_an_alias_is_followed_and_named(bind_server: Bind) -> None:
    answer = bind_server.resolver().lookup("alias.good.test", "A")
    assert (answer.values, answer.alias) == (("192.0.2.10",), "mail.good.test")


def test_an_answer_too_long_for_udp_comes_by_tcp(bind_server: Bind) -> None:
    answer = bind_server.resolver().lookup("long.spf.test", "TXT")
    assert len(answer.values[0]) > 1232
    assert answer.values[0].endswith("-all")


def test_octets_that_are_no_text_are_kept(bind_server: Bind) -> None:
    (value,) = bind_server.resolver().lookup("octets.spf.test", "TXT").values
    assert value.encode("utf-8", "surrogateescape") == b"v=spf1 ip4:192.0.2.1 \xff\xfe -all"


def test_a_silent_server_costs_a_bounded_time(bind_server: Bind) -> None:
    with udp_server(lambda _packet: None) as port:
        started = time.monotonic()
        resolver = SystemResolver(("127.0.0.1",), port=port, lifetime_seconds=1.0, try_seconds=0.4)
        answer = resolver.lookup("good.test", "A")
        assert time.monotonic() - started < 1.5
    assert answer.status is Status.NO_ANSWER
    assert "no answer within" in answer.detail


def test_the_next_server_answers_where_the_first_is_silent(bind_server: Bind) -> None:
    resolver = SystemResolver(("127.0.0.3", "127.0.0.1"), port=bind_server.port, try_seconds=0.3)
    answer = resolver.lookup("good.test", "MX")
    assert answer.server == f"127.0.0.1#{bind_server.port}"


def test_a_server_without_edns_is_asked_again_without(bind_server: Bind) -> None:
    """RFC 6891 7: a server too old for EDNS answers FORMERR."""

    def old(packet: bytes) -> bytes:
        query = dns.message.from_wire(packet)
        response = dns.message.make_response(query)
        response.use_edns(False)
        if query.edns >= 0:
            response.set_rcode(dns.rcode.FORMERR)
        return response.to_wire()

    with udp_server(old) as port:
        answer = ask(Server("old", "127.0.0.1", port), "good.test", "A", 2.0, recursive=True)
    assert answer.status is Status.NO_DATA


@pytest.mark.parametrize("flag", [0, int(dns.flags.AD)])
def test_the_word_of_a_validating_server_is_passed_on(flag: int) -> None:
    def validating(packet: bytes) -> bytes:
        query = dns.message.from_wire(packet)
        response = dns.message.make_response(query)
        response.flags |= flag
        return response.to_wire()

    with udp_server(validating) as port:
        answer = SystemResolver(("127.0.0.1",), port=port).lookup("good.test", "A")
    assert answer.authentic is bool(flag)
    assert answer.ttl_seconds == 0


@given(st.binary(max_size=200), st.booleans())
@settings(deadline=None, max_examples=150)
def test_no_packet_breaks_the_reader(garbage: bytes, is_reply: bool) -> None:
    """Neither noise nor a header that fits, followed by noise, may become an exception."""

    def noise(packet: bytes) -> bytes:
        return packet[:2] + b"\x85\x80" + garbage if is_reply else garbage

    with udp_server(noise) as port:
        answer = ask(Server("noise", "127.0.0.1", port), "good.test", "TXT", 0.3, recursive=True)
    assert isinstance(answer, Answer)


@given(st.text(max_size=80), st.text(max_size=10))
@settings(deadline=None)
def test_no_name_breaks_the_lookup(name: str, rdtype: str) -> None:
    resolver = SystemResolver(("127.0.0.1",), port=9, lifetime_seconds=0.01)
    assert resolver.lookup(name, rdtype).status is Status.NO_ANSWER


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "names no name server"),
        (b"\xff\xfe\x00nameserver\n\x80", "names no name server"),
        (b"nameserver\nnameserver garbage\nnameserver 1.2.3\n", "names no name server"),
    ],
)
def test_a_broken_resolv_conf_is_named_in_the_answer(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "resolv.conf"
    if content is not None:
        path.write_bytes(content)
    resolver = SystemResolver(port=9, lifetime_seconds=0.2, resolv_conf=path)
    answer = resolver.lookup("good.test", "A")
    assert answer.status is Status.NO_ANSWER
    assert said in answer.detail


def test_resolv_conf_is_followed(tmp_path: Path, bind_server: Bind) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# made by 8-dns_config\nsearch good.test\noptions edns0\nnameserver 127.0.0.1\n")
    resolver = SystemResolver(port=bind_server.port, resolv_conf=path)
    assert resolver.lookup("good.test", "MX").status is Status.FOUND
    # A search list is for people at a keyboard: `mail` is not `mail.good.test`.
    assert resolver.lookup("mail", "A").status is Status.NO_ANSWER


def test_the_servers_of_a_zone_are_found(bind_server: Bind) -> None:
    servers = authoritative_servers("_dmarc.spreading.test", bind_server.resolver(), bind_server.port)
    assert servers == (
        Server("ns1.spreading.test", "127.0.0.1", bind_server.port),
        Server("ns2.spreading.test", "127.0.0.2", bind_server.port),
    )


def authoritative(bind_server: Bind) -> AuthoritativeResolver:
    return AuthoritativeResolver(bind_server.resolver(), bind_server.port, lifetime_seconds=0.5)


def test_every_authoritative_server_is_asked(bind_server: Bind) -> None:
    """While a change spreads, the lookup tells of the server that is behind."""
    resolver = authoritative(bind_server)
    assert isinstance(resolver, EveryServer)
    answers = resolver.lookup_each("_dmarc.spreading.test", "TXT")
    assert [answer.status for answer in answers] == [Status.FOUND, Status.NO_DOMAIN]
    answer = resolver.lookup("_dmarc.spreading.test", "TXT")
    assert answer.status is Status.NO_DOMAIN
    assert "disagree" in answer.detail


def test_a_lame_server_has_no_say(bind_server: Bind) -> None:
    resolver = authoritative(bind_server)
    good, lame = resolver.lookup_each("lame.test", "TXT")
    assert good.values == ("v=spf1 a -all",)
    assert lame.status is Status.NO_ANSWER
    assert "not a server of this zone" in lame.detail
    assert resolver.lookup("lame.test", "TXT").status is Status.FOUND


def test_a_server_that_cannot_be_reached_costs_a_bounded_time(bind_server: Bind) -> None:
    started = time.monotonic()
    good, silent = authoritative(bind_server).lookup_each("silent.test", "TXT")
    assert time.monotonic() - started < 2
    assert (good.status, silent.status) == (Status.FOUND, Status.NO_ANSWER)


def test_an_alias_out_of_the_zone_is_followed(bind_server: Bind) -> None:
    answer = authoritative(bind_server).lookup("away.good.test", "A")
    assert (answer.values, answer.alias) == (("192.0.2.77",), "mail.other.test")


def test_a_zone_without_reachable_servers_gives_no_answer(bind_server: Bind) -> None:
    answer = authoritative(bind_server).lookup("any.broken.test", "A")
    assert answer.status is Status.NO_ANSWER
    assert answer.detail


def test_a_domain_that_does_not_exist_stays_so() -> None:
    table = Table({("else.test", "NS"): ("ns.else.test",)})
    assert AuthoritativeResolver(table).lookup("example.nowhere", "A").status is Status.NO_DOMAIN


def test_one_server_can_be_asked_alone(bind_server: Bind) -> None:
    server = Server("ns2", "127.0.0.2", bind_server.port)
    assert lookup_at(server, "spreading.test", "SOA").status is Status.NO_DOMAIN
    assert lookup_at("127.0.0.1", "not a name..", "A").status is Status.NO_ANSWER


def test_the_names_above_a_name() -> None:
    assert list(ancestors("a.b.c")) == ["a.b.c", "b.c", "c"]
    assert list(ancestors("")) == []


def test_importing_does_not_import_dnspython() -> None:
    """It takes 85 ms, and most commands never look anything up."""
    modules = "compare, judge, lookup, records, spf, spf_walk, text, wire"
    source = str(Path(mailkeel.__file__).parent.parent)
    heavy = "{'dns', 'spf'} & set(sys.modules)"
    program = f"from mailkeel.dns import {modules}; import sys; sys.exit(bool({heavy}))"
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": source})
