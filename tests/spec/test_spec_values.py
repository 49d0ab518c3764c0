"""Names, addresses, paths, durations, sizes, IP addresses and SPF policies, one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailkeel.spec import names, values
from mailkeel.spec.names import Invalid
from mailkeel.spec.spf_policy import spf_policy

GOOD: list[tuple[Callable[..., object], object, object]] = [
    (names.domain_name, "example.com", "example.com"),
    (names.domain_name, "Example.COM.", "example.com"),
    (names.domain_name, "bücher.example", "xn--bcher-kva.example"),
    (names.domain_name, "BÜCHER.example.", "xn--bcher-kva.example"),
    (names.domain_name, "straße.example", "xn--strae-oqa.example"),
    (names.domain_name, "例え。テスト", "xn--r8jz45g.xn--zckzah"),
    (names.domain_name, "xn--bcher-kva.example", "xn--bcher-kva.example"),
    (names.domain_name, "a" * 63 + ".example", "a" * 63 + ".example"),
    (names.domain_name, "0-1.2.example", "0-1.2.example"),
    (names.hostname, "MX1.example.com", "mx1.example.com"),
    (names.relay_host, "smtp.gmail.com", "smtp.gmail.com"),
    (names.local_part, "Sales.Team-1_x+y", "sales.team-1_x+y"),
    (names.address, "Bob@Example.ORG", "Bob@example.org"),
    (names.address, "bob@bücher.example", "bob@xn--bcher-kva.example"),
    (names.recipient, "Alice", "alice"),
    (names.recipient, "Alice@example.org", "Alice@example.org"),
    (names.report_address, "mailto:d@example.com", "d@example.com"),
    (names.report_address, "MAILTO:d@example.com", "d@example.com"),
    (names.selector, "Default", "default"),
    (names.selector, "2026.mail-a", "2026.mail-a"),
    (values.absolute_path, "/etc/ssl/mail.pem", "/etc/ssl/mail.pem"),
    (values.absolute_path, "/etc/..hidden/x", "/etc/..hidden/x"),
    (values.credentials, "relay.secret", "relay.secret"),
    (values.credentials, "/run/relay", "/run/relay"),
    (values.queue_lifetime, "5d", 432000),
    (values.queue_lifetime, "12h", 43200),
    (values.queue_lifetime, "30m", 1800),
    (values.queue_lifetime, "90s", 90),
    (values.message_size, "50M", 52428800),
    (values.message_size, "1G", 1073741824),
    (values.message_size, 10000000, 10000000),
    (values.message_size, "10000000", 10000000),
    (values.dkim_bits, 1024, 1024),
    (values.public_address, "192.0.2.1", "192.0.2.1"),
    (values.public_address, "10.1.2.3", "10.1.2.3"),
    (values.public_address, "2001:DB8:0::1", "2001:db8::1"),
    (values.public_address, "fd00::1", "fd00::1"),
]

BAD: list[tuple[Callable[..., object], object]] = [
    *(
        (names.domain_name, text)
        for text in ("", ".", "com", "a..b", ".a.b", "a.b..", "-a.b", "a-.b", "a_b.c")
    ),
    *(
        (names.domain_name, text)
        for text in ("192.0.2.1", "1.2.3", "[::1]", "2001:db8::1", "a.b:25", "x@y.z")
    ),
    *(
        (names.domain_name, text)
        for text in ("a b.c", "a.b\n", "\na.b", "a.b\0", "a$b.c", "a'b.c", 'a"b.c', "a/b.c")
    ),
    *(
        (names.domain_name, text)
        for text in ("a" * 64 + ".b", "a." * 127 + "com", "ü" * 300, "\udcff.example")
    ),
    *(
        (names.domain_name, text)
        for text in ("xn--\xfc.b", "xn--a.example", "xn--.example", "a\u2100b.example")
    ),
    *(
        (names.domain_name, text)
        for text in ("a.4com", "a\u202eb.example", "a\u3000b.example", "\u0300a.example")
    ),
    *(
        (names.relay_host, text)
        for text in ("u:p@smtp.example.net", "smtp.example.net:587", "smtps://a.b", "[a.b]")
    ),
    *(
        (names.local_part, text)
        for text in ("", ".a", "a.", "a..b", "-a", "+a", "a b", "a@b", "ä", "a\n", "a" * 65)
    ),
    *(
        (names.local_part, text)
        for text in ("|cmd", "/file", ":include:/x", '"a"', "a$b", "a%b", "a'b", "a`b", "a\\b")
    ),
    *(
        (names.address, text)
        for text in ("a", "@", "a@", "@b.c", "a@b", "a@@b.c", "a@b.c@d.e", "a@[192.0.2.1]")
    ),
    (names.address, "a" * 64 + "@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + ".example"),
    *(
        (names.report_address, text)
        for text in ("https://example.com/", "mailto:", "d@example.com!10m", "a,b@c.d")
    ),
    *(
        (names.selector, text)
        for text in ("", "a_b", "-a", "a-", "a..b", ".a", "a.", "a/b", "ä", "\u212a", "a\n")
    ),
    *(
        (values.absolute_path, text)
        for text in ("", "/", "a", "/a/", "//a", "/a/../b", "/a/./b", "/a b", "/a\n", "/ä")
    ),
    *(
        (values.absolute_path, text)
        for text in ("/a$b", "/a%b", '/a"', "/a'", "/a;b", "/a:b", "/a,b", "/a*", "/" * 2000)
    ),
    *((values.absolute_path, text) for text in ("/a\\b", "/a#b", "/a`b", "/a|b", "/a<b", "/" + "a" * 1024)),
    *(
        (values.credentials, text)
        for text in ("", "user:pass", "a b", "../x", ".", "..", "/a/../b", "a\n", "a" * 256)
    ),
    *(
        (values.queue_lifetime, text)
        for text in ("", "5", "5x", "d", "-5d", "5 d", "5d\n", "1s", "101d", "9" * 99 + "d")
    ),
    *(
        (values.message_size, value)
        for value in ("", "x", "50MB", "-1M", "1K", "2G", 1, -1, 10**5000, "9" * 13, "1M\n")
    ),
    *((values.dkim_bits, value) for value in (0, -1, 512, 1023, 1025, 8192, 10**5000, -(10**5000))),
    *(
        (values.public_address, text)
        for text in ("", "x", "127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1")
    ),
    *(
        (values.public_address, text)
        for text in ("169.254.0.1", "fe80::1", "fe80::1%eth0", "2001:db8::1%eth0")
    ),
    *(
        (values.public_address, text)
        for text in ("255.255.255.255", "0.1.2.3", "::ffff:127.0.0.1", "192.0.2.0/24")
    ),
]

GOOD_POLICIES = [
    "v=spf1 a mx -all",
    "v=spf1 -all",
    "v=spf1 ~all",
    "v=spf1 ?all",
    "v=spf1 redirect=_spf.example.com",
    "v=spf1 a:mail.example.com/24//64 mx/32 mx//128 -all",
    "v=spf1 include:_spf.google.com ~all",
    "v=spf1 ip4:192.0.2.1 ip4:192.0.2.7/24 ip6:2001:db8::1 ip6:2001:db8::/32 -all",
    "v=spf1 +a -mx ?include:example.com -all",
    "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all",
    "v=spf1 exists:%{l1r-}.example.com -all",
    "v=spf1 mx -all exp=explain._spf.%{d}",
    "v=spf1 mx x-note=a%%b%_c%-d -all",
    "v=spf1 -ip4:0.0.0.0/0 -all",
    "v=spf1 A MX -ALL",
]

BAD_POLICIES = {
    "": "does not start with v=spf1 (RFC 7208 4.5)",
    "v=spf2 -all": "does not start with v=spf1 (RFC 7208 4.5)",
    "spf2.0/mfrom -all": "does not start with v=spf1 (RFC 7208 4.5)",
    "v=spf1": "does not say what holds for all others",
    "v=spf1 a mx": "does not say what holds for all others",
    "v=spf1 +all": "'+all' authorises the whole world to send as you",
    "v=spf1 all": "'all' authorises the whole world to send as you",
    "v=spf1 ip4:0.0.0.0/0 -all": "'ip4:0.0.0.0/0' authorises the whole world to send as you",
    "v=spf1 ip6:::/0 -all": "'ip6:::/0' authorises the whole world to send as you",
    "v=spf1 a/0 -all": "'a/0' authorises the whole world to send as you",
    "v=spf1 mx:a.example//0 -all": "'mx:a.example//0' authorises the whole world to send as you",
    "v=spf1 ptr -all": "ptr must not be published (RFC 7208 5.5)",
    "v=spf1 ptr:example.com -all": "ptr must not be published (RFC 7208 5.5)",
    "v=spf1 -all mx": "has mechanisms after all, which are never looked at (RFC 7208 5.1)",
    "v=spf1 -all redirect=a.example": "has both all and redirect=, which is then ignored (RFC 7208 6.1)",
    "v=spf1 exp=a.b exp=a.b -all": "has exp= more than once (RFC 7208 6)",
    "v=spf1 foo -all": "'foo' is not a mechanism of RFC 7208 5",
    "v=spf1 include -all": "'include' lacks a domain",
    "v=spf1 include: -all": "'include:' lacks a domain",
    "v=spf1 include:com -all": "'include:com' has no valid domain",
    "v=spf1 include:a..b -all": "'include:a..b' has no valid domain",
    "v=spf1 include:a.b/24 -all": "'include:a.b/24' has no valid domain",
    "v=spf1 include:%{x}.a.b -all": "'include:%{x}.a.b' has no valid domain",
    "v=spf1 include:%a.b -all": "'include:%a.b' has no valid domain",
    "v=spf1 include:%{d}.4 -all": "'include:%{d}.4' has no valid domain",
    "v=spf1 a/33 -all": "'a/33' has a wrong prefix length",
    "v=spf1 a//129 -all": "'a//129' has a wrong prefix length",
    "v=spf1 a/ -all": "'a/' lacks a domain",
    "v=spf1 a/024 -all": "'a/024' lacks a domain",
    "v=spf1 a: -all": "'a:' lacks a domain",
    "v=spf1 ip4 -all": "'ip4' is not an address or network",
    "v=spf1 ip4:192.0.2 -all": "'ip4:192.0.2' is not an address or network",
    "v=spf1 ip4:192.0.2.1/ -all": "'ip4:192.0.2.1/' is not an address or network",
    "v=spf1 ip4:192.0.2.1/33 -all": "'ip4:192.0.2.1/33' is not an address or network",
    "v=spf1 ip4:192.0.2.1/255.0.0.0 -all": "'ip4:192.0.2.1/255.0.0.0' is not an address or network",
    "v=spf1 ip4:2001:db8::1 -all": "'ip4:2001:db8::1' is not an address or network",
    "v=spf1 ip6:192.0.2.1 -all": "'ip6:192.0.2.1' is not an address or network",
    "v=spf1 ip6:fe80::1%eth0 -all": "'ip6:fe80::1%eth0' is not an address or network",
    "v=spf1 -all:a.b": "'-all:a.b': all takes no argument",
    "v=spf1 -redirect=a.b": "'-redirect=a.b': a modifier has no '-' before it",
    "v=spf1 redirect=": "'redirect=' lacks a domain",
    "v=spf1 x=% -all": "'x=%' has a wrong macro (RFC 7208 7.1)",
    "v=spf1 -": "'-' is not a term of RFC 7208 4.6.1",
    "v=spf1 --all": "'--all' is not a term of RFC 7208 4.6.1",
    'v=spf1 "x" -all': "has '\"', which may not stand in a policy here",
    "v=spf1 a\\b -all": "has '\\\\', which may not stand in a policy here",
    "v=spf1 a;b -all": "has ';', which may not stand in a policy here",
    "v=spf1 $a -all": "has '$', which may not stand in a policy here",
    "v=spf1 a -all\n": "has '\\n', which may not stand in a policy here",
    "v=spf1 \xe4 -all": "has '\xe4', which may not stand in a policy here",
    "v=spf1 " + "a " * 11 + "-all": "needs 11 DNS lookups, above the 10 of RFC 7208 4.6.4",
    "v=spf1 " + "ip4:192.0.2.1 " * 32 + "-all": "is 459 octets long, above the 450 of RFC 7208 3.4",
}


@pytest.mark.parametrize(("check", "value", "expected"), GOOD)
def test_a_good_value_comes_out_in_its_one_form(
    check: Callable[..., object], value: object, expected: object
) -> None:
    """And that form is a fixed point."""
    assert check(value) == expected
    assert check is values.queue_lifetime or check(expected) == expected


@pytest.mark.parametrize(
    ("check", "value"), BAD, ids=[f"{check.__name__}-{n}" for n, (check, _) in enumerate(BAD)]
)
def test_a_bad_value_is_refused_with_a_remedy(check: Callable[..., object], value: object) -> None:
    """Whatever is wrong with it, the message is printable."""
    with pytest.raises(Invalid) as refusal:
        check(value)
    assert refusal.value.what.isprintable()
    assert refusal.value.remedy.isprintable()
    assert refusal.value.remedy


@pytest.mark.parametrize("policy", GOOD_POLICIES)
def test_a_sound_policy_stays_as_it_is(policy: str) -> None:
    """SPF policies are published as written."""
    assert spf_policy(policy) == policy


@pytest.mark.parametrize("policy", BAD_POLICIES)
def test_an_unsound_policy_is_refused(policy: str) -> None:
    """With the reason and its section."""
    with pytest.raises(Invalid) as refusal:
        spf_policy(policy)
    assert refusal.value.what == BAD_POLICIES[policy]


def test_blanks_in_a_policy_become_single() -> None:
    """RFC 7208 4.6.1 allows several; one form is compared with DNS later."""
    assert spf_policy("  V=SPF1   a   -all ") == "v=spf1 a -all"


def test_a_refused_credential_is_never_repeated() -> None:
    """What stands there may be the secret itself: neither the message nor the chain holds it."""
    for secret in ("hunter2 x", "user:hunter2", "/hunter2 x", "hunter2\n"):
        with pytest.raises(Invalid) as refusal:
            values.credentials(secret)
        assert "hunter2" not in str(refusal.value)
        assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
