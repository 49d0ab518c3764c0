"""The syntax of an SPF policy that a person may publish (RFC 7208 4.6.1, 5, 6 and 7.1).

Stricter than the RFC where a valid record would be a mistake: it must decide (an `all` or a redirect),
must not authorise the whole world, and `ptr` is refused. Only the record itself is looked at: what its
includes hold is known to DNS alone.
"""

from __future__ import annotations

import ipaddress
import re

from mailkeel.spec.names import MAX_NAME_OCTETS, Invalid, shown

MAX_POLICY_OCTETS = 450  # RFC 7208 3.4: so that an answer over UDP holds it
MAX_LOOKUPS = 10  # RFC 7208 4.6.4

# Narrower than RFC 7208's visible characters: the policy is written into zone files and quoted strings.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/=+?~%{},-]*")
_TERM = re.compile(r"(?P<qualifier>[-+?~]?)(?P<name>[A-Za-z][A-Za-z0-9._-]*)(?P<rest>.*)")
_DUAL_CIDR = re.compile(r"(?P<domain>.*?)(?:/(?P<four>0|[1-9][0-9]*))?(?://(?P<six>0|[1-9][0-9]*))?")
_MACRO = r"%\{[slodiphv][0-9]{0,3}r?[.+,/_=-]*\}"
_MACRO_STRING = re.compile(rf"(?:{_MACRO}|%[%_-]|[^%{{}}])*", re.IGNORECASE)
_ENDS_IN_MACRO = re.compile(rf".*{_MACRO}", re.IGNORECASE)
_SPF_NAME = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+(?=[A-Za-z])[A-Za-z0-9-]{1,63}\.?"
)
_LOOKUP_TERMS = frozenset({"include", "a", "mx", "exists", "redirect"})


def spf_policy(text: str) -> str:
    """Return a policy with single blanks between its terms. Raises Invalid."""
    if stray := re.search(r"[^ -~]|[^A-Za-z0-9 ._:/=+?~%{},-]", text):
        raise Invalid(
            f"has {stray[0]!r}, which may not stand in a policy here",
            "use letters, digits, blanks and . _ : / = + ? ~ % { } , - only",
        )
    version, *terms = text.split() or [""]
    if version.lower() != "v=spf1":
        raise Invalid("does not start with v=spf1 (RFC 7208 4.5)", f"write {_EXAMPLE}")
    policy = " ".join(("v=spf1", *terms))
    if len(policy) > MAX_POLICY_OCTETS:
        raise Invalid(
            f"is {len(policy)} octets long, above the {MAX_POLICY_OCTETS} of RFC 7208 3.4",
            "move part of it to a record of its own and include that",
        )
    names = tuple(_checked_term(term) for term in terms)
    _check_lookups(names)
    _check_end(names)
    return policy


_EXAMPLE = '"v=spf1 a mx -all"'


def _checked_term(term: str) -> str:
    """Return the lower-case name of a term, with `=` after a modifier's. Raises Invalid."""
    found = _TERM.fullmatch(term)
    if not found:
        raise Invalid(f"{shown(term)} is not a term of RFC 7208 4.6.1", f"write it as in {_EXAMPLE}")
    name, rest = found["name"].lower(), found["rest"]
    if rest.startswith("="):
        if found["qualifier"]:
            raise Invalid(
                f"{shown(term)}: a modifier has no {found['qualifier']!r} before it", "remove that sign"
            )
        _check_modifier(term, name, rest[1:])
        return f"{name}="
    _check_mechanism(term, name, rest)
    if found["qualifier"] in ("", "+") and _is_whole_world(name, rest):
        raise Invalid(
            f"{shown(term)} authorises the whole world to send as you", 'end the policy in "-all" or "~all"'
        )
    return name


def _check_mechanism(term: str, name: str, rest: str) -> None:
    """Raise Invalid where a mechanism's argument is not one of RFC 7208 5."""
    if name == "all":
        if rest:
            raise Invalid(f"{shown(term)}: all takes no argument", 'write "-all"')
    elif name in ("a", "mx"):
        domain = _without_lengths(term, rest)
        if domain:
            _check_domain(term, domain.removeprefix(":") if domain.startswith(":") else "")
    elif name in ("include", "exists"):
        _check_domain(term, rest.removeprefix(":") if rest.startswith(":") else "")
    elif name in ("ip4", "ip6"):
        _check_network(term, name, rest)
    elif name == "ptr":
        raise Invalid("ptr must not be published (RFC 7208 5.5)", "name the hosts with a, mx, ip4 or ip6")
    else:
        raise Invalid(
            f"{shown(name)} is not a mechanism of RFC 7208 5", "use a, mx, ip4, ip6, include, exists or all"
        )


def _check_modifier(term: str, name: str, argument: str) -> None:
    """Raise Invalid where a modifier's argument is not one of RFC 7208 6. Unknown modifiers are allowed."""
    if name in ("redirect", "exp"):
        _check_domain(term, argument)
    elif not _MACRO_STRING.fullmatch(argument):
        raise Invalid(f"{shown(term)} has a wrong macro (RFC 7208 7.1)", "write a single % as %%")


def _check_domain(term: str, domain: str) -> None:
    """Raise Invalid where a domain-spec (RFC 7208 7.1) is missing or malformed."""
    if not domain:
        raise Invalid(f"{shown(term)} lacks a domain", "write it as in include:_spf.example.com")
    if "%" in domain:
        is_well_formed = bool(_MACRO_STRING.fullmatch(domain)) and _ends_well(domain)
    else:
        is_well_formed = len(domain) <= MAX_NAME_OCTETS and bool(_SPF_NAME.fullmatch(domain))
    if not is_well_formed:
        raise Invalid(f"{shown(term)} has no valid domain", "write it as in include:_spf.example.com")


def _ends_well(domain: str) -> bool:
    """Is the end a macro or a top label (RFC 7208 7.1, domain-end)?"""
    top = domain.removesuffix(".").rpartition(".")[2]
    return bool(
        _ENDS_IN_MACRO.fullmatch(domain) or re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?", top)
    )


def _without_lengths(term: str, rest: str) -> str:
    """Cut the prefix lengths (RFC 7208 5.3, dual-cidr-length) off an argument. Raises Invalid."""
    found = _DUAL_CIDR.fullmatch(rest)
    if not found:
        return rest
    if int(found["four"] or 0) > 32 or int(found["six"] or 0) > 128:
        raise Invalid(
            f"{shown(term)} has a wrong prefix length", "use at most /32 for IPv4 and //128 for IPv6"
        )
    return found["domain"]


def _check_network(term: str, name: str, rest: str) -> None:
    """Raise Invalid where the argument of ip4 or ip6 is no network (host bits may be set)."""
    network = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    argument = rest[1:]
    address, slash, length = argument.partition("/")
    is_plain = rest.startswith(":") and "%" not in address and (length.isdigit() or not slash)
    try:
        network(argument if is_plain else "", strict=False)
    except ValueError as error:
        example = "ip4:192.0.2.0/24" if name == "ip4" else "ip6:2001:db8::/32"
        raise Invalid(f"{shown(term)} is not an address or network", f"write it as in {example}") from error


def _is_whole_world(name: str, rest: str) -> bool:
    """Does a term match every sender?"""
    return name == "all" or bool(name in ("a", "mx", "ip4", "ip6") and re.search(r"/0+(?:/|\Z)", rest))


def _check_lookups(names: tuple[str, ...]) -> None:
    """Raise Invalid where the record alone is above the limit of DNS lookups, or repeats a modifier."""
    lookups = sum(name.removesuffix("=") in _LOOKUP_TERMS for name in names)
    if lookups > MAX_LOOKUPS:
        raise Invalid(
            f"needs {lookups} DNS lookups, above the 10 of RFC 7208 4.6.4", "use ip4 and ip6 instead"
        )
    for modifier in ("redirect=", "exp="):
        if names.count(modifier) > 1:
            raise Invalid(f"has {modifier} more than once (RFC 7208 6)", "keep one")


def _check_end(names: tuple[str, ...]) -> None:
    """Raise Invalid where the policy leaves open what happens to everyone else (RFC 7208 5.1, 6.1)."""
    mechanisms = [name for name in names if not name.endswith("=")]
    if "all" in mechanisms[:-1]:
        raise Invalid(
            "has mechanisms after all, which are never looked at (RFC 7208 5.1)", "move all to the end"
        )
    has_all, has_redirect = "all" in mechanisms, "redirect=" in names
    if has_all and has_redirect:
        raise Invalid(
            "has both all and redirect=, which is then ignored (RFC 7208 6.1)", "keep one of the two"
        )
    if not has_all and not has_redirect:
        raise Invalid(
            "does not say what holds for all others", 'end it in "-all" (or "~all" while you try it out)'
        )
