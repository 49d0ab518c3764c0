"""The verdict: pyspf (RFC 7208 check_host), with every lookup it makes routed through our resolver.

pyspf brings dnspython with it, so it is imported only when a check runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import attrs

from mailkeel.dns.lookup import Answer, Resolver, Status
from mailkeel.dns.spf_identity import Identity
from mailkeel.dns.text import is_dns_name

# RFC 7208 4.6.4 asks receivers to allow at least 20 seconds.
DEADLINE_SECONDS = 20.0
# Five times what RFC 7208 3.4 advises for all TXT data of a name. pyspf's matching is quadratic.
MAX_RECORD_CHARACTERS = 2560
MAX_VOID_LOOKUPS = 2


@attrs.frozen
class Verdict:
    """What check_host returned (RFC 7208 2.6), the term that matched if any, and the void lookups made."""

    result: str
    explanation: str
    mechanism: str | None
    void_lookups: int


@attrs.define
class Bounded:
    """A resolver that remembers its answers and gives up, as receivers do, when the time is over."""

    resolver: Resolver
    clock: Callable[[], float] = time.monotonic
    lifetime_seconds: float = DEADLINE_SECONDS
    _known: dict[tuple[str, str], Answer] = attrs.field(factory=dict, init=False)
    _deadline: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._deadline = self.clock() + self.lifetime_seconds

    def lookup(self, name: str, rdtype: str) -> Answer:
        """Answer from memory, else from the resolver while there is time."""
        key = (name.lower().removesuffix("."), rdtype)
        if key not in self._known:
            self._known[key] = self._ask(name, rdtype)
        return self._known[key]

    def _ask(self, name: str, rdtype: str) -> Answer:
        if not is_dns_name(name) or "\\" in name:
            return Answer(name, rdtype, status=Status.NO_DATA, detail="that is not a DNS name")
        if self.clock() > self._deadline:
            return Answer(name, rdtype, detail=f"the check took more than {self.lifetime_seconds:.0f} s")
        return self.resolver.lookup(name, rdtype)


class CheckHost:
    """One evaluation of check_host for an identity with a known address."""

    def __init__(self, identity: Identity, lookups: Resolver) -> None:
        import spf

        self._lookups = lookups
        self._spf = spf
        self._query: Any = spf.query(i=identity.ip, s=identity.sender, h=identity.helo)
        self._fetch_record = self._query.dns_spf
        self._query.dns = self._dns
        self._query.dns_spf = self._record

    def run(self) -> Verdict:
        """Evaluate. Whatever the world's records do to pyspf is a permerror, never an exception."""
        try:
            result, _code, explanation = self._query.check()
        except Exception as error:  # noqa: BLE001 - pyspf on hostile records; the result says what broke
            result, explanation = (
                "permerror",
                f"the record cannot be evaluated: {type(error).__name__}: {error}",
            )
        mechanism = self._query.mechanism
        return Verdict(result, str(explanation), mechanism and str(mechanism), self._query.void_lookups)

    def expand(self, domain_spec: str, domain: str) -> str | None:
        """Expand the macros of a domain-spec (RFC 7208 7) as seen within a domain; None if they are wrong."""
        before, self._query.d = self._query.d, domain
        try:
            return str(self._query.expand_domain(domain_spec))
        except Exception:  # noqa: BLE001 - see `run`
            return None
        finally:
            self._query.d = before

    def _record(self, domain: str) -> str | None:
        record = self._fetch_record(domain)
        if record is None:
            return None
        if len(record) > MAX_RECORD_CHARACTERS:
            raise self._spf.PermError(f"the SPF record of {domain} is longer than {MAX_RECORD_CHARACTERS}")
        # Modifier names are not case-sensitive (RFC 7208 4.6.1); pyspf knows them in lower case only.
        return re.sub(r"(?i) (redirect|exp)=", lambda found: found.group().lower(), record)

    def _dns(self, name: str, rdtype: str, _cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """Stand in for pyspf's own lookup; CNAMEs are followed already.

        Raises pyspf's TempError without an answer, its PermError above two void lookups (RFC 7208 4.6.4).
        """
        answer = self._lookups.lookup(name, rdtype)
        if answer.status is Status.NO_ANSWER:
            raise self._spf.TempError(f"no answer for {name} {rdtype}: {answer.detail}")
        if not answer.values and not ignore_void:
            self._query.void_lookups += 1
            if self._query.void_lookups > MAX_VOID_LOOKUPS:
                raise self._spf.PermError(f"Void lookup limit of {MAX_VOID_LOOKUPS} exceeded")
        # pyspf ignores voids only where it fetches the text of `exp=`, whose macros it expands.
        usable = [value for value in answer.values if not ignore_void or len(value) <= MAX_RECORD_CHARACTERS]
        return [_as_pyspf(rdtype, value) for value in usable]


def _as_pyspf(rdtype: str, value: str) -> object:
    """TXT as a list of octet strings, MX as (preference, name), all else as text."""
    if rdtype == "TXT":
        return [value.encode("utf-8", "surrogateescape")]
    if rdtype == "MX":
        preference, _, exchange = value.partition(" ")
        return (int(preference), exchange)
    return value
