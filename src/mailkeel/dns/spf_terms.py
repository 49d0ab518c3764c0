"""The grammar of SPF records (RFC 7208 4.6.1, 5, 6 and 12), and merging two records into one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence

import attrs

from mailkeel.dns.text import printable
from mailkeel.errors import MailkeelError, Problem

VERSION = "v=spf1"
# RFC 7208 4.6.4: each of these makes the receiver look something up.
LOOKUP_TERMS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
# No name is longer than 253; the rest is for macros. It also keeps matching fast on hostile records.
MAX_TERM_CHARACTERS = 1024

_TERM = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9_.-]*)(?:(=)(.*)|([:/].*)?)", re.ASCII | re.DOTALL)
_MACRO = r"%(?:\{[slodiphcrtvSLODIPHCRTV][0-9]{0,3}r?[-.+,/_=]*\}|[%_-])"
_MACRO_STRING = re.compile(rf"(?:[\x21-\x24\x26-\x7e]|{_MACRO})*")
# The last label is not all digits (an address is no name), or a macro makes it.
_DOMAIN_END = rf"(?:\.(?:[0-9A-Za-z]*[A-Za-z][0-9A-Za-z]*|[0-9A-Za-z]+-[0-9A-Za-z-]*[0-9A-Za-z])\.?|{_MACRO})"
_DOMAIN_SPEC = re.compile(rf"(?:[\x21-\x24\x26-\x7e]|{_MACRO})*?{_DOMAIN_END}")
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.ASCII)


@attrs.frozen
class Term:
    """One directive (`~include:example.com`) or modifier (`redirect=example.com`).

    `name` is in lower case; `domain_spec` is what `:` or `=` is followed by, unexpanded and empty where
    it is left out; `cidr` is `/24//64` as written.
    """

    name: str
    qualifier: str = "+"
    domain_spec: str = ""
    cidr: str = ""
    is_modifier: bool = False

    def __str__(self) -> str:
        if self.is_modifier:
            return f"{self.name}={self.domain_spec}"
        qualifier = "" if self.qualifier == "+" else self.qualifier
        colon = ":" if self.domain_spec else ""
        return f"{qualifier}{self.name}{colon}{self.domain_spec}{self.cidr}"


def is_spf(txt: str) -> bool:
    """Tell whether a TXT value is an SPF record of any kind (RFC 7208 4.5)."""
    return txt[:6].lower() == VERSION and txt[6:7] in ("", " ")


def parse_terms(record: str) -> tuple[Term, ...]:
    """Read the terms of a record in order, leaving out what the grammar does not know. Never raises."""
    terms = (parse_term(text) for text in record.split(" ")[1:] if text)
    return tuple(term for term in terms if term is not None)


def parse_term(text: str) -> Term | None:
    """Read one term, or None if it is none (which makes its record a permerror, RFC 7208 4.6)."""
    match = _TERM.fullmatch(text)
    if match is None or len(text) > MAX_TERM_CHARACTERS:
        return None
    qualifier, name, equals, value, rest = match.groups()
    if equals:
        return None if qualifier else _modifier(name.lower(), value)
    return _directive(qualifier or "+", name.lower(), rest or "")


def effective(terms: Sequence[Term]) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Part the terms that count into directives, up to the first `all`, and modifiers: after `all`
    nothing is evaluated, and with `all` a redirect is ignored (RFC 7208 5.1)."""
    directives: list[Term] = []
    for term in terms:
        if not term.is_modifier:
            directives.append(term)
            if term.name == "all":
                break
    ends = bool(directives) and directives[-1].name == "all"
    modifiers = (term for term in terms if term.is_modifier and not (ends and term.name == "redirect"))
    return tuple(directives), tuple(modifiers)


def means_same(one: str, other: str) -> bool:
    """Tell whether two valid records say the same: the order counts only between different qualifiers."""
    return _meaning(one) == _meaning(other)


def merge(existing: str, wanted: str) -> str:
    """Join a record that is in DNS with the one wanted: its terms first, then ours, our `all` last.

    An existing `redirect=`, which our `all` would silence, becomes an `include:`. What makes the existing
    record invalid or has no effect in it is left out, and where both name the same thing ours counts.
    Raises MailkeelError if the wanted record is not valid.
    """
    _refuse_invalid(wanted)
    if not is_spf(existing):
        return wanted
    theirs, their_modifiers = effective(parse_terms(existing))
    ours, our_modifiers = effective(parse_terms(wanted))
    default = _default(ours, our_modifiers) or _default(theirs, their_modifiers)
    named = {_key(term) for term in ours}
    kept = [term for term in theirs if term.name != "all" and _key(term) not in named]
    kept += [_as_include(term) for term in their_modifiers if term.name == "redirect" and term != default]
    directives = _first_of_each([*kept, *(term for term in ours if term.name != "all")], _key)
    # A second `exp` would be a permerror (RFC 7208 6).
    rest = [term for term in (*our_modifiers, *their_modifiers) if term.name != "redirect"]
    modifiers = _first_of_each(rest, lambda term: term.name)
    terms = [*directives, *([default] if default else []), *modifiers]
    return " ".join([VERSION, *map(str, terms)])


def _modifier(name: str, value: str) -> Term | None:
    grammar = _DOMAIN_SPEC if name in ("redirect", "exp") else _MACRO_STRING
    return Term(name, domain_spec=value, is_modifier=True) if grammar.fullmatch(value) else None


def _directive(qualifier: str, name: str, rest: str) -> Term | None:
    match name:
        case "all":
            return None if rest else Term(name, qualifier)
        case "include" | "exists" | "ptr":
            wrong = not (_DOMAIN_SPEC.fullmatch(rest[1:]) if rest else name == "ptr")
            return None if wrong or rest[:1] == "/" else Term(name, qualifier, rest[1:])
        case "a" | "mx":
            return _host(qualifier, name, rest)
        case "ip4" | "ip6":
            return _network(qualifier, name, rest)
    return None


def _host(qualifier: str, name: str, rest: str) -> Term | None:
    """Part `:domain/24//64`; the prefix is at the end, where a domain-spec could hold a slash as well."""
    cut = re.search(r"(?:/[0-9]+)?(?://[0-9]+)?$", rest, re.ASCII)
    cidr = cut.group() if cut else ""
    domain_spec = rest.removesuffix(cidr)
    lengths = _CIDR.fullmatch(cidr)
    if lengths is None or int(lengths[1] or 0) > 32 or int(lengths[2] or 0) > 128:
        return None
    if domain_spec and (domain_spec[0] != ":" or not _DOMAIN_SPEC.fullmatch(domain_spec[1:])):
        return None
    return Term(name, qualifier, domain_spec[1:], cidr)


def _network(qualifier: str, name: str, rest: str) -> Term | None:
    address, slash, length = rest[1:].partition("/")
    longest = 32 if name == "ip4" else 128
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if rest[:1] != ":" or parsed.max_prefixlen != longest or "%" in address:
        return None
    if slash and not (re.fullmatch(r"0|[1-9][0-9]{0,2}", length, re.ASCII) and int(length) <= longest):
        return None
    return Term(name, qualifier, address, slash + length)


def _meaning(record: str) -> tuple[object, ...]:
    directives, modifiers = effective(parse_terms(record))
    runs: list[tuple[str, frozenset[str]]] = []
    for term in directives:
        if not runs or runs[-1][0] != term.qualifier or term.name == "all":
            runs.append((term.qualifier, frozenset()))
        runs[-1] = (term.qualifier, runs[-1][1] | {_key(term)})
    return (*runs, frozenset(f"{term.name}={_key(term)}" for term in modifiers))


def _key(term: Term) -> str:
    """What the term matches, whatever its qualifier and spelling. A macro's letter case has a meaning."""
    if term.name in ("ip4", "ip6"):
        return f"{term.name}:{ipaddress.ip_network(term.domain_spec + term.cidr, strict=False)}"
    spec = term.domain_spec if "%" in term.domain_spec else term.domain_spec.lower().removesuffix(".")
    return f"{term.name}:{spec}{term.cidr}"


def _default(directives: Sequence[Term], modifiers: Sequence[Term]) -> Term | None:
    """The term that decides when nothing else matched: `all`, or else `redirect`."""
    return next((term for term in (*directives, *modifiers) if term.name in ("all", "redirect")), None)


def _as_include(redirect: Term) -> Term:
    return Term("include", "+", redirect.domain_spec)


def _first_of_each(terms: Iterable[Term], key: Callable[[Term], str]) -> tuple[Term, ...]:
    first: dict[str, Term] = {}
    for term in terms:
        first.setdefault(key(term), term)
    return tuple(first.values())


def _refuse_invalid(record: str) -> None:
    words = record.split(" ")[1:]
    wrong = [text for text in words if text and parse_term(text) is None]
    if not is_spf(record) or wrong:
        raise MailkeelError(
            Problem(
                where="spf.policy",
                what=f"{printable(record)!r} is not an SPF record"
                + (f": {printable(wrong[0])!r} is no term of RFC 7208" if wrong else ""),
                remedy="write it as `v=spf1 a mx -all`",
            )
        )
