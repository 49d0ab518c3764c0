"""The records that a specification asks for."""

from __future__ import annotations

import attrs
import pytest

from mailkeel.dns.records import DnsRecord, domain_of, heads, wanted
from mailkeel.errors import MailkeelError
from mailkeel.spec.model import Dkim, Dmarc, DmarcPolicy, Domain, Mode, Spec

SPEC = Spec(Mode.FULL, "mail.example.com", (Domain("example.com"), Domain("example.org")))
ADDRESSES = ("192.0.2.1", "2001:db8::1")
KEYS = {("example.com", "default"): "AAAA", ("example.org", "default"): "BBBB"}


def value(records: tuple[DnsRecord, ...], name: str, rdtype: str) -> list[str]:
    return [record.value for record in records if (record.name, record.type) == (name, rdtype)]


def test_a_domain_gets_mail_server_policy_key_and_submission_name() -> None:
    records = wanted(SPEC, ADDRESSES, KEYS)
    assert value(records, "example.org", "MX") == ["10 mail.example.com"]
    assert value(records, "example.org", "TXT") == ["v=spf1 a mx -all"]
    assert value(records, "default._domainkey.example.org", "TXT") == ["v=DKIM1; h=sha256; k=rsa; p=BBBB"]
    assert value(records, "_dmarc.example.org", "TXT") == ["v=DMARC1; p=none"]
    assert value(records, "smtp.example.org", "A") == ["192.0.2.1"]
    assert value(records, "smtp.example.org", "AAAA") == ["2001:db8::1"]


def test_the_host_gets_its_addresses_and_a_policy_for_its_bounces() -> None:
    records = wanted(SPEC, ADDRESSES, KEYS)
    assert value(records, "mail.example.com", "A") == ["192.0.2.1"]
    assert value(records, "mail.example.com", "AAAA") == ["2001:db8::1"]
    assert value(records, "mail.example.com", "TXT") == ["v=spf1 a -all"]


def test_a_host_named_as_a_domain_has_one_spf_record() -> None:
    """Two SPF records at a name are a permerror (RFC 7208 4.5)."""
    records = wanted(attrs.evolve(SPEC, hostname="example.com"), ADDRESSES, KEYS)
    assert value(records, "example.com", "TXT") == ["v=spf1 a mx -all"]


def test_a_host_outside_the_domains_is_listed() -> None:
    records = wanted(attrs.evolve(SPEC, hostname="mx.hoster.net"), ADDRESSES, KEYS)
    assert value(records, "mx.hoster.net", "A") == ["192.0.2.1"]


def test_a_host_named_smtp_is_listed_once() -> None:
    spec = attrs.evolve(SPEC, hostname="smtp.example.com")
    assert value(wanted(spec, ADDRESSES, KEYS), "smtp.example.com", "A") == ["192.0.2.1"]
    assert value(wanted(spec, (), KEYS), "smtp.example.com", "CNAME") == []


def test_without_known_addresses_the_submission_name_follows_the_host() -> None:
    records = wanted(SPEC, (), KEYS)
    assert not [record for record in records if record.type in ("A", "AAAA")]
    assert value(records, "smtp.example.com", "CNAME") == ["mail.example.com"]


def test_a_key_that_is_not_made_yet_is_pending() -> None:
    (record,) = (r for r in wanted(SPEC, (), {}) if r.name == "default._domainkey.example.com")
    assert record.pending
    assert record.value.endswith("p=(made by apply)")
    assert [r.name for r in wanted(SPEC, (), KEYS) if r.pending] == []


def test_a_relay_host_never_draws_a_domains_mail_to_itself() -> None:
    """It takes no mail: an MX that leads to it would lose what is sent to the domain."""
    records = wanted(attrs.evolve(SPEC, mode=Mode.RELAY), ADDRESSES, KEYS)
    assert {record.type for record in records} == {"A", "AAAA", "TXT"}
    assert not [record for record in records if record.name.startswith("smtp.")]


def test_dmarc_is_written_in_full() -> None:
    dmarc = Dmarc(DmarcPolicy.REJECT, DmarcPolicy.QUARANTINE, ("a@x.org", "b;c,d!e@y.org"), ("f@z.org",))
    spec = attrs.evolve(SPEC, domains=(Domain("example.com", dmarc=dmarc),))
    assert value(wanted(spec, (), {}), "_dmarc.example.com", "TXT") == [
        "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@x.org,mailto:b%3Bc%2Cd%21e@y.org; ruf=mailto:f@z.org"
    ]


def test_a_selector_of_ones_own_is_used() -> None:
    spec = attrs.evolve(SPEC, domains=(Domain("example.com", dkim=Dkim("s2026")),))
    records = wanted(spec, (), {("example.com", "s2026"): "CCCC"})
    assert value(records, "s2026._domainkey.example.com", "TXT") == ["v=DKIM1; h=sha256; k=rsa; p=CCCC"]


def test_every_record_says_why_in_one_sentence() -> None:
    for record in wanted(SPEC, ADDRESSES, KEYS):
        assert record.why.endswith(".")
        assert record.ttl_seconds == 3600


@pytest.mark.parametrize("text", ["example.com", "192.0.2.0/24", "fe80::1%eth0", "", "192.0.2.1\n"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MailkeelError) as caught:
        wanted(SPEC, [text], {})
    assert caught.value.problems[0].remedy


def test_records_belong_to_the_longest_domain_that_holds_them() -> None:
    spec = attrs.evolve(SPEC, domains=(Domain("example.com"), Domain("sub.example.com")))
    records = wanted(spec, (), {})
    domains = heads(records)
    assert domains == {"example.com", "sub.example.com"}
    (record,) = (r for r in records if r.name == "_dmarc.sub.example.com")
    assert domain_of(record, domains) == "sub.example.com"
    assert domain_of(attrs.evolve(record, name="notexample.com"), domains) == "notexample.com"
