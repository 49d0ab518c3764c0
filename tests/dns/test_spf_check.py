"""SPF checks against a real BIND: the verdicts of RFC 7208, and how they are explained."""

from __future__ import annotations

import json
import time

import attrs
import pytest
from dns_world import HOSTILE, Bind, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeel.dns.spf import SpfReport, check
from mailkeel.dns.spf_walk import flatten
from mailkeel.errors import MailkeelError
from mailkeel.report.spf import as_json, render_text

RESULTS = {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror", "unknown"}

# domain, address, result; the sender is postmaster of the domain
VERDICTS = [
    ("spf.test", "192.0.2.1", "pass"),
    ("spf.test", "192.0.2.2", "pass"),
    ("spf.test", "2001:db8::2", "pass"),
    ("spf.test", "192.0.2.9", "fail"),
    ("SPF.Test.", "192.0.2.1", "pass"),
    ("soft.spf.test", "192.0.2.9", "softfail"),
    ("neutral.spf.test", "192.0.2.9", "neutral"),
    ("empty.spf.test", "192.0.2.9", "neutral"),
    ("other.spf.test", "192.0.2.1", "none"),
    ("nearly.spf.test", "192.0.2.1", "none"),
    ("nobody.spf.test", "192.0.2.1", "none"),
    ("ip6.spf.test", "2001:db8::99", "pass"),
    ("ip6.spf.test", "2001:db9::1", "fail"),
    ("ip6.spf.test", "192.0.2.1", "fail"),
    ("a6.spf.test", "2001:db8::ffff", "pass"),
    ("a6.spf.test", "2001:db8:0:1::1", "fail"),
    ("cidr.spf.test", "192.0.2.200", "pass"),
    ("soft.spf.test", "::ffff:192.0.2.1", "pass"),
    ("redirect.spf.test", "192.0.2.1", "pass"),
    ("redirect.spf.test", "192.0.2.9", "softfail"),
    ("shouted.spf.test", "192.0.2.1", "pass"),
    ("nowhere.spf.test", "192.0.2.1", "permerror"),
    ("include.spf.test", "192.0.2.1", "pass"),
    ("include.spf.test", "192.0.2.9", "fail"),
    ("chain.spf.test", "192.0.2.1", "pass"),
    ("bounced.spf.test", "192.0.2.1", "permerror"),
    ("target.spf.test", "192.0.2.1", "pass"),
    ("macro.spf.test", "192.0.2.1", "pass"),
    ("macro.spf.test", "192.0.2.2", "fail"),
    ("ptr.spf.test", "192.0.2.1", "pass"),
    ("ptr.spf.test", "192.0.2.9", "fail"),
    ("twice.spf.test", "192.0.2.1", "permerror"),
    ("typo.spf.test", "192.0.2.1", "permerror"),
    ("badip.spf.test", "192.0.2.1", "permerror"),
    ("badmacro.spf.test", "192.0.2.1", "permerror"),
    ("bigmacro.spf.test", "192.0.2.1", "fail"),
    ("loop.spf.test", "192.0.2.1", "permerror"),
    ("voids.spf.test", "192.0.2.1", "permerror"),
    ("twovoids.spf.test", "192.0.2.1", "pass"),
    ("many.spf.test", "192.0.2.1", "permerror"),
    ("ten.spf.test", "192.0.2.1", "pass"),
    ("long.spf.test", "192.0.2.1", "pass"),
    ("endless.spf.test", "192.0.2.1", "permerror"),
    ("octets.spf.test", "192.0.2.1", "permerror"),
    ("servfail.spf.test", "192.0.2.1", "temperror"),
    ("any.broken.test", "192.0.2.1", "temperror"),
    ("anyone.spf.test", "203.0.113.1", "pass"),
]


def checked(
    bind_server: Bind,
    domain: str,
    ip: str | None = "192.0.2.1",
    sender: str | None = None,
    helo: str | None = None,
) -> SpfReport:
    return check(domain, ip, sender, helo, bind_server.resolver(lifetime_seconds=1.0))


@pytest.mark.parametrize(("domain", "ip", "result"), VERDICTS)
def test_the_verdict_is_that_of_rfc_7208(bind_server: Bind, domain: str, ip: str, result: str) -> None:
    report = checked(bind_server, domain, ip)
    assert report.result == result, report.explanation
    assert report.is_pass is (result == "pass")
    assert bool(report.remedy) is (result != "pass")
    json.dumps(as_json(report)).encode("ascii")


@pytest.mark.parametrize(
    ("domain", "options", "result", "identity"),
    [
        ("local.spf.test", {"sender": "alice@local.spf.test"}, "pass", "mailfrom"),
        ("local.spf.test", {"sender": "<bob@Local.SPF.test>"}, "fail", "mailfrom"),
        ("local.spf.test", {"sender": "jürgen@local.spf.test"}, "fail", "mailfrom"),
        ("helo.spf.test", {"helo": "mx.spf.test"}, "pass", "mailfrom"),
        ("helo.spf.test", {}, "fail", "mailfrom"),
        ("spf.test", {"sender": "<>", "helo": "host.spf.test"}, "fail", "helo"),
        ("spf.test", {"sender": ""}, "pass", "helo"),
        ("other.spf.test", {"sender": "<>", "helo": "spf.test"}, "pass", "helo"),
    ],
)
def test_sender_and_helo_count(
    bind_server: Bind, domain: str, options: dict[str, str], result: str, identity: str
) -> None:
    report = checked(bind_server, domain, **options)
    assert (report.result, report.identity.kind) == (result, identity)


def test_a_bounce_is_checked_by_its_helo_name(bind_server: Bind) -> None:
    """RFC 7208 2.4: the null sender leaves only the HELO name."""
    report = checked(bind_server, "spf.test", "192.0.2.3", sender="<>", helo="host.spf.test")
    assert report.result == "pass"
    assert report.records == ("v=spf1 a -all",)
    assert "HELO host.spf.test (null sender)" in render_text(report)


def test_the_explanation_of_the_domain_is_shown(bind_server: Bind) -> None:
    report = checked(bind_server, "explained.spf.test")
    assert report.explanation == "192.0.2.1 may not send for explained.spf.test"


def test_no_explanation_steers_the_terminal(bind_server: Bind) -> None:
    report = checked(bind_server, "evil.spf.test")
    assert "\x1b" in report.explanation
    for shown in (render_text(report), json.dumps(as_json(report), ensure_ascii=False)):
        assert "".join(shown.split("\n")).isprintable()


def test_every_lookup_is_shown_with_its_cost(bind_server: Bind) -> None:
    report = checked(bind_server, "many.spf.test")
    assert report.lookup_count == 12
    assert [lookup.cost for lookup in report.lookups] == [6, 5, 1]
    assert [lookup.count for _, lookup in flatten(report.lookups)] == list(range(1, 13))
    assert report.notes[:2] == (
        "12 lookups are above the limit of 10 (RFC 7208 4.6.4)",
        "include:many1.spf.test costs 6",
    )
    assert "include:many1.spf.test costs most" in report.remedy


def test_a_loop_is_shown_and_ends(bind_server: Bind) -> None:
    report = checked(bind_server, "loop.spf.test")
    assert [lookup.note for _, lookup in flatten(report.lookups)] == ["", "leads back to itself"]


def test_two_records_are_shown_and_joined(bind_server: Bind) -> None:
    report = checked(bind_server, "twice.spf.test")
    assert len(report.records) == 2
    assert report.remedy.endswith("v=spf1 a mx -all")


def test_a_record_that_is_nearly_one_is_pointed_out(bind_server: Bind) -> None:
    report = checked(bind_server, "nearly.spf.test")
    assert any("looks like one" in note for note in report.notes)


def test_void_lookups_are_named(bind_server: Bind) -> None:
    report = checked(bind_server, "voids.spf.test")
    assert report.void_lookups == 3
    assert "void: the name does not exist" in {lookup.note for lookup in report.lookups}


def test_a_record_for_anyone_is_pointed_out(bind_server: Bind) -> None:
    assert checked(bind_server, "anyone.spf.test").notes == ("`all` lets anyone send as this domain",)


def test_the_screen_shows_all_that_led_to_the_verdict(bind_server: Bind) -> None:
    assert render_text(checked(bind_server, "spf.test", "192.0.2.9")) == (
        "Checked   MAIL FROM postmaster@spf.test from 192.0.2.9\n"
        'Record    spf.test TXT "v=spf1 a mx -all"\n'
        "Lookups   2 of 10\n"
        "    1  a  -> 192.0.2.1\n"
        "    2  mx  -> 10 mx.spf.test\n"
        "Verdict   fail by -all: SPF fail - not authorized\n"
        "Remedy    if 192.0.2.9 may send for spf.test, add ip4:192.0.2.9 to the record, before `all`\n"
    )


def test_the_json_has_stable_keys(bind_server: Bind) -> None:
    json_report = as_json(checked(bind_server, "include.spf.test"))
    assert json_report["result"] == "pass"
    assert json_report["mechanism"] == "include:soft.spf.test"
    assert json_report["lookups"] == [
        {
            "term": "include:soft.spf.test",
            "target": "soft.spf.test",
            "count": 1,
            "cost": 1,
            "status": "found",
            "found": ["v=spf1 ip4:192.0.2.1 ~all"],
            "note": "",
            "lookups": [],
        }
    ]


def test_without_an_address_this_hosts_own_is_checked(bind_server: Bind) -> None:
    report = checked(bind_server, "anyone.spf.test", None)
    assert report.result == ("pass" if report.identity.ip else "unknown")
    assert report.identity.ip_is_own


def test_a_private_address_is_pointed_out_where_it_does_not_pass() -> None:
    table = Table({("x.test", "TXT"): ("v=spf1 -all",)})
    report = check("x.test", resolver=table, own_address=lambda: "10.0.0.5")
    assert report.result == "fail"
    assert "that address is private: behind address translation, receivers see another one" in report.notes


def test_an_unknown_address_is_no_verdict() -> None:
    table = Table({("x.test", "TXT"): ("v=spf1 a -all",)})
    report = check("x.test", resolver=table, own_address=lambda: None)
    assert (report.result, report.is_pass) == ("unknown", False)
    assert "--ip" in report.remedy
    assert report.lookups[0].term == "a"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"domain": ""}, "DOMAIN"),
        ({"domain": "no domain"}, "DOMAIN"),
        ({"domain": "-x;rm -rf.test"}, "DOMAIN"),
        ({"domain": "a" * 64 + ".test"}, "DOMAIN"),
        ({"domain": "x.test", "ip": "192.0.2"}, "--ip"),
        ({"domain": "x.test", "ip": "fe80::1%eth0"}, "--ip"),
        ({"domain": "x.test", "ip": "list"}, "--ip"),
        ({"domain": "x.test", "sender": "nobody"}, "--sender"),
        ({"domain": "x.test", "sender": "a@y.test"}, "--sender"),
        ({"domain": "x.test", "sender": "@x.test"}, "--sender"),
        ({"domain": "x.test", "sender": "a\x1b[31m@x.test"}, "--sender"),
        ({"domain": "x.test", "helo": "[192.0.2.1]"}, "--helo"),
    ],
)
def test_arguments_that_are_wrong_are_named(arguments: dict[str, str], where: str) -> None:
    with pytest.raises(MailkeelError) as caught:
        check(
            arguments["domain"],
            arguments.get("ip"),
            arguments.get("sender"),
            arguments.get("helo"),
            Table({}),
        )
    assert where in [problem.where for problem in caught.value.problems]
    assert "".join(str(caught.value).split("\n")).isprintable()


def test_every_wrong_argument_is_named_at_once() -> None:
    with pytest.raises(MailkeelError) as caught:
        check("x..test", "nowhere", "a@b@", "..", resolver=Table({}))
    assert [problem.where for problem in caught.value.problems] == [
        "DOMAIN",
        "--helo",
        "--ip",
        "--sender",
    ]


def test_an_international_domain_is_checked_by_its_a_labels() -> None:
    table = Table({("xn--bcher-kva.test", "TXT"): ("v=spf1 ip4:192.0.2.1 -all",)})
    report = check("Bücher.test", "192.0.2.1", "a@bücher.test", resolver=table)
    assert (report.identity.domain, report.result) == ("xn--bcher-kva.test", "pass")


@attrs.define
class SlowClock:
    """A clock on which every look takes five seconds."""

    seconds: float = 0.0

    def __call__(self) -> float:
        self.seconds += 5.0
        return self.seconds


def test_a_check_takes_a_bounded_time() -> None:
    """RFC 7208 4.6.4: 20 seconds, however many slow servers the record leads to."""
    table = Table(
        {
            ("x.test", "TXT"): ("v=spf1 " + " ".join(f"a:h{n}.x.test" for n in range(9)) + " -all",),
            **{(f"h{n}.x.test", "A"): ("192.0.2.1",) for n in range(9)},
        }
    )
    report = check("x.test", "192.0.2.200", resolver=table, clock=SlowClock())
    assert report.result == "temperror"
    assert "more than 20 s" in report.explanation


HOSTILE_RECORDS = [
    "v=spf1 include:" + "%{d}" * 600 + ".x.test -all",
    "v=spf1 " + "%{" * 1000,
    "v=spf1 exp=" + "%{l}" * 500 + ".test -all",
    "v=spf1 a:" + "a" * 2000 + " -all",
    "v=spf1 exists:%{s} -all",
    "v=spf1 redirect=x.test",
    "v=spf1 include:x.test",
    "v=spf1 mx:\\.test ptr:a\\b.test -all",
    "v=spf1 a:" + HOSTILE + ".test",
    "v=spf1 : = :a a: a/ //",
    "v=spf1 " + "include:x.test " * 150,
]


@pytest.mark.parametrize("record", HOSTILE_RECORDS)
def test_a_hostile_record_is_checked_in_a_bounded_time(record: str) -> None:
    started = time.monotonic()
    report = check("x.test", "192.0.2.1", resolver=Table({("x.test", "TXT"): (record,)}))
    assert time.monotonic() - started < 2
    assert report.result in RESULTS
    assert render_text(report).replace("\n", "").isprintable()


SPF_TERMS = ["a", "mx", "ptr", "include:", "exists:", "redirect=", "exp=", "ip4:", "ip6:", "all"]
SPF_PIECES = [
    "/",
    "//",
    ":",
    "=",
    "%{",
    "}",
    "%{d}",
    "%{p}",
    "%{i}",
    "%{l}",
    "%",
    "-",
    "~",
    "?",
    " ",
    " ",
    " ",
]
SPF_WORDS = st.sampled_from([*SPF_TERMS, *SPF_PIECES, "x.test", "192.0.2.1", "2001:db8::1", "24", "999"])
SPF_TEXT = st.one_of(
    st.lists(SPF_WORDS, max_size=25).map(lambda words: "v=spf1 " + "".join(words)),
    st.text(max_size=60).map("v=spf1 {}".format),
    st.binary(max_size=60).map(lambda octets: "v=spf1 " + octets.decode("utf-8", "surrogateescape")),
)


@given(SPF_TEXT, st.sampled_from(["192.0.2.1", "2001:db8::1"]), st.booleans())
@settings(deadline=None, max_examples=300)
def test_no_record_breaks_the_check(record: str, ip: str, silent: bool) -> None:
    table = Table(
        {
            ("x.test", "TXT"): (record,),
            ("x.test", "MX"): ("10 mail.x.test", "0 ."),
            ("x.test", "A"): ("192.0.2.7", "nonsense"),
            ("1.2.0.192.in-addr.arpa", "PTR"): ("x.test", HOSTILE),
        },
        silent=frozenset({"mail.x.test"}) if silent else frozenset(),
    )
    report = check("x.test", ip, "someone+tag@x.test", "helo.x.test", table)
    assert report.result in RESULTS
    assert render_text(report).replace("\n", "").isprintable()
    json.dumps(as_json(report))


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=40), st.text(max_size=20))
@settings(deadline=None)
def test_no_argument_breaks_the_check(domain: str, ip: str, sender: str, helo: str) -> None:
    try:
        check(domain, ip, sender, helo, Table({}))
    except MailkeelError as error:
        said = str(error)
    else:
        said = ""
    assert said.replace("\n", "").isprintable()
