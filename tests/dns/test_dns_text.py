"""Records as text: what is written is what a name server reads, whatever the value."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeel.dns.records import DnsRecord, wanted
from mailkeel.dns.text import (
    RecordInvalid,
    RecordTooLong,
    bind,
    character_strings,
    is_dns_name,
    parse_tags,
    printable,
)
from mailkeel.spec.model import Domain, Mode, Spec

ANY_TEXT = st.text(max_size=700)
OCTETS = st.binary(max_size=700).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
HOSTILE = [
    '"; evil IN A 6.6.6.6',
    "\n$INCLUDE /etc/passwd\n",
    "a\nevil.example.com. 1 IN A 6.6.6.6",
    "\\",
    '\\"',
    "(",
    ") ; (",
    "\x00\x7f\xff",
    "$ORIGIN evil.",
    "é\u202e\U0001f4a9",
]


def txt(value: str, why: str = "Because.") -> DnsRecord:
    return DnsRecord("x.example.com", "TXT", value, 300, why)


def read_back(text: str) -> dict[tuple[str, str], list[str]]:
    """Read zone text with dnspython; give the values of each name and type."""
    zone = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)
    found: dict[tuple[str, str], list[str]] = {}
    for name, _ttl, rdata in zone.iterate_rdatas():
        rdtype = dns.rdatatype.to_text(rdata.rdtype)
        if isinstance(rdata, TXT):
            value = b"".join(rdata.strings).decode("utf-8", "surrogateescape")
        else:
            value = rdata.to_text()
        found.setdefault((name.to_text(omit_final_dot=True), rdtype), []).append(value)
    return found


@given(st.one_of(ANY_TEXT, OCTETS))
@settings(deadline=None)
def test_any_value_is_read_back_as_it_was(value: str) -> None:
    octets = value.encode("utf-8", "surrogateescape")
    (read,) = read_back(bind([txt(value)])).values()
    assert [text.encode("utf-8", "surrogateescape") for text in read] == [octets]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_one_value(value: str) -> None:
    assert read_back(bind([txt(value), txt("harmless")])) == {("x.example.com", "TXT"): [value, "harmless"]}


@given(ANY_TEXT)
@settings(deadline=None)
def test_any_reason_stays_a_comment(why: str) -> None:
    assert read_back(bind([txt("value", why)])) == {("x.example.com", "TXT"): ["value"]}


@given(st.one_of(ANY_TEXT, OCTETS))
def test_a_pending_record_is_never_published(value: str) -> None:
    record = DnsRecord("x.example.com", "TXT", value, 300, value, pending=True)
    assert read_back(bind([record, txt("value")])) == {("x.example.com", "TXT"): ["value"]}


@given(
    name=st.text(max_size=30),
    rdtype=st.sampled_from(["A", "AAAA", "MX", "CNAME", "SRV", "CAA", "TLSA", "NS", "A\nB", "ANY THING"]),
    value=st.text(max_size=60),
)
@settings(deadline=None)
def test_other_types_are_written_exactly_or_refused(name: str, rdtype: str, value: str) -> None:
    try:
        text = bind([DnsRecord(name, rdtype, value, 300, "Because.")])
    except RecordInvalid as error:
        said = str(error)
        text = ""
    else:
        said = ""
    assert printable(said) == said
    assert len([line for line in text.splitlines() if not line.startswith(";")]) == (not said)


@pytest.mark.parametrize(
    ("rdtype", "value", "written"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:DB8::1", "2001:db8::1"),
        ("MX", "10 mail.example.com", "10 mail.example.com."),
        ("MX", "0 .", "0 ."),
        ("CNAME", "mail.example.com.", "mail.example.com."),
        ("SRV", "0 1 993 mail.example.com", "0 1 993 mail.example.com."),
        ("TLSA", "3 1 1 0123abcd", "3 1 1 0123abcd"),
    ],
)
def test_names_in_values_are_made_absolute(rdtype: str, value: str, written: str) -> None:
    text = bind([DnsRecord("example.com", rdtype, value, 300, "Because.")])
    assert f"example.com. 300 IN {rdtype} {written}\n" in text


@pytest.mark.parametrize(
    ("rdtype", "value"),
    [
        ("A", "2001:db8::1"),
        ("AAAA", "192.0.2.1"),
        ("AAAA", "fe80::1%x"),
        ("A", "192.0.2.1 ; x"),
        ("MX", "mail.example.com"),
        ("MX", "70000 mail.example.com"),
        ("MX", "10 mail example.com"),
        ("MX", "٣ mail.example.com"),
        ("CNAME", "a b"),
        ("CNAME", "exa mple.com\n"),
        ("CAA", '0 issue "x"'),
    ],
)
def test_what_is_no_data_of_its_type_is_refused(rdtype: str, value: str) -> None:
    with pytest.raises(RecordInvalid) as caught:
        bind([DnsRecord("example.com", rdtype, value, 300, "Because.")])
    assert caught.value.problems[0].where.startswith("DNS record example.com")


@pytest.mark.parametrize("ttl_seconds", [-1, 2**31])
def test_what_is_no_ttl_is_refused(ttl_seconds: int) -> None:
    with pytest.raises(RecordInvalid):
        bind([DnsRecord("example.com", "A", "192.0.2.1", ttl_seconds, "Because.")])


@given(st.one_of(st.text(max_size=3000), OCTETS))
def test_strings_are_short_and_join_to_the_value(value: str) -> None:
    strings = character_strings(value)
    assert "".join(strings) == value
    assert all(len(text.encode("utf-8", "surrogateescape")) <= 255 for text in strings)


def test_only_a_long_value_is_split() -> None:
    assert character_strings("") == ("",)
    assert character_strings("x" * 255) == ("x" * 255,)
    assert character_strings("x" * 256) == ("x" * 255, "x")


def test_a_value_too_long_for_a_record_is_refused() -> None:
    # 255 full strings and one of 254 take 255 x 256 + 255 = 65,535 octets.
    fits = "x" * (255 * 255 + 254)
    assert len(character_strings(fits)) == 256
    with pytest.raises(RecordTooLong):
        character_strings(fits + "x")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(RecordInvalid):
        character_strings("\ud800")


def test_the_checker_of_bind_accepts_what_is_written(tmp_path: Path) -> None:
    spec = Spec(Mode.FULL, "mail.example.com", (Domain("example.com"),))
    records = wanted(spec, ("192.0.2.1", "2001:db8::1"), {("example.com", "default"): "A" * 392})
    records += tuple(DnsRecord(f"t{n}.example.com", "TXT", v, 60, v) for n, v in enumerate(HOSTILE))
    head = (
        "$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1.example.com.\n"
        "ns1.example.com. IN A 192.0.2.53\n"
    )
    zone = tmp_path / "zone"
    zone.write_text(head + bind(records))
    # `-i local`: what is outside the zone would be looked up on the network.
    command = ["named-checkzone", "-i", "local", "-k", "fail", "-D", "example.com", str(zone)]
    checked = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()
    assert b"evil" in checked.stdout
    assert b"6.6.6.6\n" not in checked.stdout.replace(b'6.6.6.6"\n', b"")


def test_records_are_grouped_by_domain() -> None:
    spec = Spec(Mode.FULL, "mail.example.com", (Domain("example.com"), Domain("example.org")))
    groups = bind(wanted(spec, ("192.0.2.1",), {})).split("\n\n")
    assert [group.splitlines()[0] for group in groups] == ["; example.com", "; example.org"]
    assert "mail.example.com. 3600 IN A 192.0.2.1" in groups[0]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("v=DKIM1; p=AA BB", {"v": "DKIM1", "p": "AA BB"}),
        (" v = DKIM1 ;p=;", {"v": "DKIM1", "p": ""}),
        ("p=a=b==", {"p": "a=b=="}),
        ("p=first; p=second", {"p": "first"}),
        ("nonsense; =x; 1=2; t=y", {"t": "y"}),
        ("", {}),
    ],
)
def test_tag_lists_are_read_tolerantly(text: str, tags: dict[str, str]) -> None:
    assert parse_tags(text) == tags


@given(st.text())
def test_no_tag_list_breaks_the_reader(text: str) -> None:
    assert all(name.isascii() for name in parse_tags(text))


@given(st.one_of(st.text(), OCTETS))
def test_what_is_shown_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("example.com", True),
        ("example.com.", True),
        ("a" * 63 + ".com", True),
        ("a" * 64 + ".com", False),
        ("a..b", False),
        ("", False),
        (".", False),
        ("é.com", False),
        (".".join(["a" * 49] * 5) + ".abc", True),
        (".".join(["a" * 49] * 5) + ".abcde", False),
    ],
)
def test_names_have_the_lengths_of_rfc_1035(name: str, good: bool) -> None:
    assert is_dns_name(name) is good
