"""The grammar of SPF, and merging: the result is always a record that receivers accept."""

from __future__ import annotations

import time

import pytest
import spf
from hypothesis import assume, given
from hypothesis import strategies as st

from mailkeel.dns.spf_terms import is_spf, means_same, merge, parse_term, parse_terms
from mailkeel.errors import MailkeelError

VALID = [
    "a",
    "mx",
    "A/24",
    "mx//64",
    "a:host.example.com/24//64",
    "-a:host.example.com",
    "?include:_spf.example.com",
    "~ip4:192.0.2.0/24",
    "ip4:192.0.2.1",
    "ip6:2001:db8::/32",
    "exists:%{ir}.%{v}._spf.%{d2}",
    "exists:%{d}",
    "ptr",
    "ptr:example.com",
    "redirect=example.com",
    "exp=why.%{d}",
    "unknown=anything:%{d}/x",
    "-all",
    "ALL",
]
INVALID = [
    "ip4",
    "ip4:192.0.2.300",
    "ip4:192.0.2.1/33",
    "ip4:192.0.2.1/08",
    "ip6:192.0.2.1",
    "ip6:fe80::1%eth0",
    "a/33",
    "a//129",
    "a/024",
    "a:192.0.2.1",
    "a:",
    "include",
    "include:",
    "include:localhost",
    "include:example.com/24",
    "exists",
    "all:example.com",
    "all/24",
    "ipv4:192.0.2.1",
    "-redirect=example.com",
    "redirect=",
    "exists:%{z}.example.com",
    "exists:%x.example.com",
    "a:exa mple.com",
    "include:exämple.com",
    "mx\n",
    "",
    "-",
    ":x",
    "a:" + "x" * 2000 + ".com",
]

networks = st.builds("ip4:192.0.2.{}{}".format, st.integers(0, 255), st.sampled_from(["", "/32", "/28"]))
hosts = st.builds(
    "{}{}{}".format,
    st.sampled_from(["a", "mx"]),
    st.sampled_from(["", ":h.example.com", ":H.Example.com."]),
    st.sampled_from(["", "/24", "//64", "/24//64"]),
)
policies = st.builds("include:{}.example.com".format, st.sampled_from("abc"))
directives = st.builds(
    "{}{}".format, st.sampled_from(["", "+", "-", "~", "?"]), st.one_of(networks, hosts, policies)
)
endings = st.sampled_from([[], ["-all"], ["~all"], ["redirect=r.example.com"], ["-all", "exp=e.example.com"]])
records = st.builds(
    lambda terms, ending: " ".join(["v=spf1", *terms, *ending]), st.lists(directives, max_size=5), endings
)


@pytest.mark.parametrize("text", VALID)
def test_a_term_of_the_grammar_is_read(text: str) -> None:
    term = parse_term(text)
    assert term is not None
    assert str(term).lower() == text.lower()


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_term_is_not_read(text: str) -> None:
    assert parse_term(text) is None


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("v=spf1", True), ("V=SPF1 a", True), ("v=spf10 a", False), ("v=spf1a", False), (" v=spf1", False)],
)
def test_only_the_version_makes_it_a_record(text: str, verdict: bool) -> None:
    assert is_spf(text) is verdict


@pytest.mark.parametrize(
    ("existing", "wanted", "merged"),
    [
        (
            "v=spf1 include:_spf.google.com ~all",
            "v=spf1 a mx -all",
            "v=spf1 include:_spf.google.com a mx -all",
        ),
        ("v=spf1 a -all", "v=spf1 a mx -all", "v=spf1 a mx -all"),
        ("v=spf1 A +MX ?all", "v=spf1 a mx -all", "v=spf1 a mx -all"),
        ("v=spf1 redirect=x.org", "v=spf1 a -all", "v=spf1 include:x.org a -all"),
        ("v=spf1 redirect=x.org", "v=spf1 a", "v=spf1 a redirect=x.org"),
        ("v=spf1 mx ~all", "v=spf1 a", "v=spf1 mx a ~all"),
        ("v=spf1 mx ~all", "v=spf1 a redirect=x.org", "v=spf1 mx a redirect=x.org"),
        ("v=spf1 -a mx", "v=spf1 a -all", "v=spf1 mx a -all"),
        ("v=spf1 mx exp=one.org -all", "v=spf1 a -all exp=two.org", "v=spf1 mx a -all exp=two.org"),
        ("v=spf1 mx exp=one.org -all", "v=spf1 a -all", "v=spf1 mx a -all exp=one.org"),
        # After `all` nothing counted, and it must not begin to count now.
        ("v=spf1 mx -all include:evil.org", "v=spf1 a -all", "v=spf1 mx a -all"),
        ("v=spf1 mx nonsense ip4:x -all", "v=spf1 a -all", "v=spf1 mx a -all"),
        ("google-site-verification=1", "v=spf1 a -all", "v=spf1 a -all"),
        ("", "v=spf1 a -all", "v=spf1 a -all"),
        ("v=spf1 ip4:192.0.2.1/32 -all", "v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.1 -all"),
    ],
)
def test_merging_keeps_what_is_there_and_adds_ours(existing: str, wanted: str, merged: str) -> None:
    assert merge(existing, wanted) == merged


@given(records, records)
def test_merging_twice_changes_nothing(existing: str, wanted: str) -> None:
    once = merge(existing, wanted)
    assert merge(once, wanted) == once


@given(records, records)
def test_a_merged_record_is_valid(existing: str, wanted: str) -> None:
    """As pyspf reads it: an error of syntax would be a permerror."""
    merged = merge(existing, wanted)
    query = spf.query(i="203.0.113.1", s="a@example.com", h="example.com")
    query.dns = lambda *_arguments, **_options: ["192.0.2.200"]
    query.dns_mx = lambda _name: []
    query.dns_spf = lambda _name: "v=spf1 -all"
    result, _code, explanation = query.check(merged)
    assume("Too many DNS lookups" not in explanation)
    assert result != "permerror", f"{merged}: {explanation}"


@given(records, records)
def test_a_merged_record_holds_ours(existing: str, wanted: str) -> None:
    merged = parse_terms(merge(existing, wanted))
    spellings = {
        str(term).lower().removesuffix(".").replace(".com.", ".com").removesuffix("/32") for term in merged
    }
    first: dict[str, str] = {}
    for term in parse_terms(wanted):
        spelling = str(term).lower().removesuffix(".").replace(".com.", ".com").removesuffix("/32")
        first.setdefault(spelling.lstrip("-~?"), spelling)
    assert set(first.values()) <= spellings


@given(st.text(), records)
def test_no_existing_text_breaks_merging(existing: str, wanted: str) -> None:
    assert is_spf(merge("v=spf1 " + existing, wanted))
    assert is_spf(merge(existing, wanted))


@pytest.mark.parametrize("wanted", ["", "a mx -all", "v=spf1 nonsense", "v=spf1 a:\x1b[31m -all"])
def test_a_wanted_record_that_is_not_valid_is_refused(wanted: str) -> None:
    with pytest.raises(MailkeelError) as caught:
        merge("v=spf1 -all", wanted)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("v=spf1 a mx -all", "V=SPF1  MX +A -ALL", True),
        ("v=spf1 a mx -all", "v=spf1 a mx ~all", False),
        ("v=spf1 -a mx -all", "v=spf1 mx -a -all", False),
        ("v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.1/32 -all", True),
        ("v=spf1 ip6:2001:DB8::1 -all", "v=spf1 ip6:2001:db8:0::1 -all", True),
        ("v=spf1 -all", "v=spf1 -all redirect=x.org", True),
        ("v=spf1 a -all", "v=spf1 a -all mx", True),
        ("v=spf1 exists:%{l}.x.org", "v=spf1 exists:%{L}.x.org", False),
    ],
)
def test_records_are_compared_by_meaning(one: str, other: str, same: bool) -> None:
    assert means_same(one, other) is same


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 a:x." + "a" * 65_000 + "_",
        "v=spf1 include:" + "%{d}" * 16_000,
        "v=spf1 " + "a." * 32_000,
        "v=spf1 " + "x.a_ " * 13_000,
        "v=spf1 a:" + ("." + "a" * 500) * 130 + "_",
    ],
)
def test_a_hostile_record_is_read_in_a_bounded_time(record: str) -> None:
    started = time.monotonic()
    parse_terms(record)
    merge(record, "v=spf1 a -all")
    assert time.monotonic() - started < 2
