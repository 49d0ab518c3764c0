"""One folder for each daemon. Nothing about a daemon is known outside its folder, and none knows another:
here, and only here, they are put together."""

from __future__ import annotations

from mailkeel.daemons import certificate, dovecot, itself, opendkim, opendmarc, policyd_spf, postfix, rsyslog
from mailkeel.daemons.postfix.tables import owners
from mailkeel.errors import Problem, Refused
from mailkeel.facts import HostFacts
from mailkeel.resources import Desired
from mailkeel.spec.model import Mode, Spec

#: The Debian releases that every daemon has a dialect for.
RELEASES = {12: "bookworm", 13: "trixie"}


def desired(spec: Spec, facts: HostFacts) -> Desired:
    """Give everything that the specification asks of a host, in the order in which it is made.

    Raises Refused for a mode or a release that this version cannot set up.
    """
    _refuse_unknown(spec, facts)
    pair = certificate.pair(spec, facts)
    parts = (
        itself.desired(),
        rsyslog.desired(),
        certificate.desired(spec, facts),
        opendkim.desired(spec, facts, owners(spec)),
        opendmarc.desired(spec, facts),
        policyd_spf.desired(),
        dovecot.desired(facts, pair.key, pair.certificate),
        postfix.desired(spec, facts, postfix_inputs(spec, facts)),
    )
    return sum(parts, Desired())


def postfix_inputs(spec: Spec, facts: HostFacts) -> postfix.Inputs:
    """What the daemons around Postfix give it. OpenDKIM comes first: OpenDMARC reads its verdict."""
    pair = certificate.pair(spec, facts)
    return postfix.Inputs(
        milters=(
            postfix.Milter(opendkim.MILTER_SOCKET, signs=True),
            postfix.Milter(opendmarc.MILTER_SOCKET, signs=False),
        ),
        policy_service=postfix.PolicyService(policyd_spf.SERVICE, policyd_spf.USER, policyd_spf.ARGV),
        sasl_socket=dovecot.SASL_SOCKET,
        key=pair.key,
        certificate=pair.certificate,
        private_accounts=(itself.PROBE_ACCOUNT,),
    )


def _refuse_unknown(spec: Spec, facts: HostFacts) -> None:
    if facts.debian not in RELEASES:
        known = " and ".join(f"{number} ({name})" for number, name in RELEASES.items())
        raise Refused(
            Problem("/etc/os-release", f"Debian {facts.debian} is not known", f"use Debian {known}")
        )
    if spec.mode is not Mode.LOCAL:
        raise Refused(
            Problem("mode", f'"{spec.mode.value}" is not built yet in this version', 'use mode = "local"')
        )
