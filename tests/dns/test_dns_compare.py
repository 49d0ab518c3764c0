"""The records wanted against the world: what is there, missing, different, or not to be known."""

from __future__ import annotations

import attrs
import pytest
from dns_world import HOSTILE, KEY, Bind, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeel.dns.compare import Finding, Standing, compare
from mailkeel.dns.lookup import AuthoritativeResolver
from mailkeel.dns.records import DnsRecord, wanted
from mailkeel.spec.model import Dmarc, DmarcPolicy, Domain, Mode, Spec

DMARC = Dmarc(DmarcPolicy.REJECT, rua=("postmaster@good.test",))


def records_of(domain: str, key: str | None = KEY) -> tuple[DnsRecord, ...]:
    spec = Spec(Mode.FULL, f"mail.{domain}", (Domain(domain, dmarc=attrs.evolve(DMARC)),))
    return wanted(spec, ("192.0.2.10", "2001:db8::10"), {} if key is None else {(domain, "default"): key})


def finding(findings: tuple[Finding, ...], name: str, rdtype: str) -> Finding:
    (found,) = (f for f in findings if (f.record.name, f.record.type) == (name, rdtype))
    return found


def judged(value: str, *seen: str, name: str = "x.test", rdtype: str = "TXT") -> Finding:
    record = DnsRecord(name, rdtype, value, 300, "Because.")
    (found,) = compare([record], Table({(name, rdtype): seen, ("x.test", "SOA"): ("soa",)}))
    return found


def test_a_domain_that_is_well_kept_has_every_record(bind_server: Bind) -> None:
    findings = compare(records_of("good.test"), bind_server.resolver())
    assert {f.verdict for f in findings} == {Standing.PRESENT}
    assert all(f.where == f"127.0.0.1#{bind_server.port}" and f.seen for f in findings)
    assert not [f.remedy for f in findings if f.remedy]


def test_a_domain_that_is_badly_kept_is_told_what_to_do(bind_server: Bind) -> None:
    findings = compare(records_of("bad.test"), bind_server.resolver())
    assert all(f.what and f.remedy for f in findings)
    expected = {
        ("mail.bad.test", "A"): (Standing.DIFFERS, "it leads to 192.0.2.99"),
        ("mail.bad.test", "AAAA"): (Standing.MISSING, "there is no such record"),
        ("mail.bad.test", "TXT"): (Standing.MISSING, "there is no such record"),
        ("bad.test", "MX"): (Standing.DIFFERS, "mail goes elsewhere: to mail.elsewhere.test"),
        ("bad.test", "TXT"): (
            Standing.DIFFERS,
            "2 SPF records, where one is allowed: receivers use none",
        ),
        ("default._domainkey.bad.test", "TXT"): (
            Standing.DIFFERS,
            "the key is revoked: its p= is empty",
        ),
    }
    for (name, rdtype), verdict in expected.items():
        found = finding(findings, name, rdtype)
        assert (found.verdict, found.what) == verdict


def test_a_name_that_got_the_domain_twice_is_recognised(bind_server: Bind) -> None:
    spec = Spec(Mode.LOCAL, "mail.bad.test", (Domain("bad.test", dmarc=Dmarc(DmarcPolicy.REJECT)),))
    found = finding(compare(wanted(spec, (), {}), bind_server.resolver()), "_dmarc.bad.test", "TXT")
    assert found.verdict is Standing.MISSING
    assert found.what.startswith("it is at _dmarc.bad.test.bad.test")
    assert found.remedy.startswith("enter its name as _dmarc, or as _dmarc.bad.test. with")


def test_a_change_that_spreads_is_missing_at_the_server_that_is_behind(bind_server: Bind) -> None:
    record = DnsRecord("_dmarc.spreading.test", "TXT", "v=DMARC1; p=none", 300, "Because.")
    world = AuthoritativeResolver(bind_server.resolver(), bind_server.port, lifetime_seconds=0.5)
    (found,) = compare([record], world)
    assert (found.verdict, found.where) == (Standing.MISSING, f"127.0.0.2#{bind_server.port}")


@pytest.mark.parametrize("domain", ["lame.test", "silent.test"])
def test_a_server_without_an_answer_does_not_hide_the_record(bind_server: Bind, domain: str) -> None:
    record = DnsRecord(domain, "TXT", "v=spf1 a -all", 300, "Because.")
    world = AuthoritativeResolver(bind_server.resolver(), bind_server.port, lifetime_seconds=0.5)
    (found,) = compare([record], world)
    assert found.verdict is Standing.PRESENT
    assert found.what.startswith("no answer from 127.0.0.")


def test_a_zone_that_fails_is_unknown(bind_server: Bind) -> None:
    findings = compare(records_of("broken.test"), bind_server.resolver())
    assert {f.verdict for f in findings} == {Standing.UNKNOWN}
    assert all("dig +trace" in f.remedy for f in findings)


def test_a_domain_that_does_not_exist_is_unknown() -> None:
    table = Table({("test", "SOA"): ("soa",)})
    findings = compare(records_of("unregistered.test"), table)
    assert {f.verdict for f in findings} == {Standing.UNKNOWN}
    assert findings[0].what == "the whole domain unregistered.test does not exist in DNS"


def test_an_empty_zone_lacks_every_record() -> None:
    findings = compare(records_of("x.test"), Table({("x.test", "SOA"): ("soa",)}))
    assert {f.verdict for f in findings} == {Standing.MISSING}


def test_a_domain_within_a_zone_lacks_its_records() -> None:
    """`mail.x.test` as a mail domain does not exist before its first record; its zone does."""
    findings = compare(records_of("mail.x.test"), Table({("x.test", "SOA"): ("soa",)}))
    assert {f.verdict for f in findings} == {Standing.MISSING}


def test_a_key_that_is_not_made_yet_is_missing() -> None:
    table = Table({("x.test", "SOA"): ("soa",)})
    found = finding(compare(records_of("x.test", None), table), "default._domainkey.x.test", "TXT")
    assert found.verdict is Standing.MISSING
    assert "mailkeel apply" in found.remedy


def test_a_record_where_our_key_is_not_made_yet_differs() -> None:
    table = Table({("default._domainkey.x.test", "TXT"): ("v=DKIM1; p=AAAA",)})
    found = finding(compare(records_of("x.test", None), table), "default._domainkey.x.test", "TXT")
    assert found.verdict is Standing.DIFFERS


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (("v=spf1 a mx -all",), Standing.PRESENT),
        (("V=SPF1  MX +a -ALL", "other text"), Standing.PRESENT),
        (("v=spf1 include:_spf.google.com a mx -all",), Standing.PRESENT),
        (("v=spf1 a mx ~all",), Standing.DIFFERS),
        (("v=spf1 mx -all",), Standing.DIFFERS),
        (("v=spf1 -a mx -all",), Standing.DIFFERS),
        (("v=spf1 a mx -all", "v=spf1 a mx -all "), Standing.DIFFERS),
        (("v=spf1 a mx nonsense -all",), Standing.DIFFERS),
        (("v=spf1 redirect=x.org",), Standing.DIFFERS),
        (('"v=spf1 a mx -all"',), Standing.MISSING),
        (("other text",), Standing.MISSING),
    ],
)
def test_spf_is_compared_by_meaning(seen: tuple[str, ...], verdict: Standing) -> None:
    found = judged("v=spf1 a mx -all", *seen)
    assert found.verdict is verdict
    assert bool(found.remedy) is (verdict is not Standing.PRESENT)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (("v=DKIM1; h=sha256; k=rsa; p=ABCD",), Standing.PRESENT),
        (("p=ABCD",), Standing.PRESENT),
        (("v=DKIM1;k=rsa;p=AB CD\t;",), Standing.PRESENT),
        (("v=DKIM1; h=sha1:sha256; s=*; p=ABCD", "unrelated"), Standing.PRESENT),
        (("v=DKIM1; t=y; p=ABCD",), Standing.PRESENT),
        (("v=DKIM1; p=",), Standing.DIFFERS),
        (("v=DKIM1; p=abcd",), Standing.DIFFERS),
        (("v=DKIM1; p=ABCD", "v=DKIM1; p=ABCD "), Standing.DIFFERS),
        (("v=DKIM2; p=ABCD",), Standing.DIFFERS),
        (("v=DKIM1; h=sha1; p=ABCD",), Standing.DIFFERS),
        (("v=DKIM1; k=ed25519; p=ABCD",), Standing.DIFFERS),
        (("v=DKIM1; s=tlsrpt; p=ABCD",), Standing.DIFFERS),
        (("unrelated",), Standing.DIFFERS),
    ],
)
def test_a_dkim_key_is_compared_by_what_verifies(seen: tuple[str, ...], verdict: Standing) -> None:
    found = judged("v=DKIM1; h=sha256; k=rsa; p=ABCD", *seen, name="s._domainkey.x.test")
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (("v=DMARC1; p=reject; rua=mailto:a@x.test",), Standing.PRESENT),
        (("v=DMARC1;p=Reject;sp=reject;rua=mailto:b@y.test , MAILTO:A@x.test",), Standing.PRESENT),
        (("v=DMARC1; p=reject; rua=mailto:a@x.test", "unrelated"), Standing.PRESENT),
        (("v=DMARC1; p=none; rua=mailto:a@x.test",), Standing.DIFFERS),
        (("v=DMARC1; p=reject; sp=none; rua=mailto:a@x.test",), Standing.DIFFERS),
        (("v=DMARC1; p=reject",), Standing.DIFFERS),
        (("v=DMARC1; rua=mailto:a@x.test",), Standing.DIFFERS),
        (("v=DMARC1; p=reject; rua=mailto:a@x.test",) * 1 + ("v=DMARC1; p=none",), Standing.DIFFERS),
        (("p=reject; v=DMARC1; rua=mailto:a@x.test",), Standing.DIFFERS),
    ],
)
def test_dmarc_is_compared_by_its_tags(seen: tuple[str, ...], verdict: Standing) -> None:
    found = judged("v=DMARC1; p=reject; rua=mailto:a@x.test", *seen, name="_dmarc.x.test")
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("rdtype", "value", "seen", "verdict"),
    [
        ("MX", "10 mail.x.test", ("20 mail.x.test", "30 backup.y.test"), Standing.PRESENT),
        ("MX", "10 mail.x.test", ("0 .",), Standing.DIFFERS),
        ("A", "192.0.2.1", ("192.0.2.1", "192.0.2.2"), Standing.PRESENT),
        ("AAAA", "2001:db8::1", ("2001:0DB8:0:0::1",), Standing.PRESENT),
        ("AAAA", "2001:db8::1", ("2001:db8::2",), Standing.DIFFERS),
        ("CNAME", "mail.x.test", ("Mail.x.test",), Standing.PRESENT),
        ("CNAME", "mail.x.test", ("other.x.test",), Standing.DIFFERS),
        ("TXT", "a text", ("another", "a text"), Standing.PRESENT),
        ("TXT", "a text", ("another",), Standing.MISSING),
    ],
)
def test_other_types_hold_what_is_wanted(
    rdtype: str, value: str, seen: tuple[str, ...], verdict: Standing
) -> None:
    assert judged(value, *seen, rdtype=rdtype).verdict is verdict


def test_addresses_stand_in_for_an_alias() -> None:
    record = DnsRecord("smtp.x.test", "CNAME", "mail.x.test", 300, "Because.")
    table = Table({("smtp.x.test", "A"): ("192.0.2.1",), ("mail.x.test", "A"): ("192.0.2.1",)})
    (found,) = compare([record], table)
    assert found.verdict is Standing.PRESENT


def test_the_ttl_tells_how_long_the_old_record_may_be_seen() -> None:
    assert judged("v=spf1 a -all", "v=spf1 mx -all").remedy.endswith("for 300 s")


WANTED = [
    *records_of("x.test"),
    *records_of("x.test", None),
    DnsRecord("smtp.x.test", "CNAME", "mail.x.test", 300, "Because."),
    DnsRecord("a.x.test", "TXT", "a text", 300, "Because."),
]
TAGS = st.lists(
    st.sampled_from(["v=DKIM1", "v=DMARC1", "p=", "p=none", "h=", "k=", "s=", "t=y", "=", ";", "rua=,"])
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.text(max_size=30).map("v=spf1 {}".format),
    st.text(max_size=30).map("v=DMARC1; {}".format),
    TAGS.map("; ".join),
    st.sampled_from([HOSTILE, "v=spf1 " + HOSTILE, "p=" + HOSTILE, "v=DMARC1; p=" + HOSTILE]),
)


@given(st.sampled_from(WANTED), st.lists(VALUES, max_size=3))
@settings(deadline=None, max_examples=400)
def test_nothing_in_dns_breaks_the_comparison(record: DnsRecord, values: list[str]) -> None:
    table = Table({(record.name, record.type): tuple(values), ("x.test", "SOA"): ("soa",)})
    (found,) = compare([record], table)
    assert found.verdict in Standing
    assert (found.what + found.remedy).isprintable()
