"""What Postfix must know of the daemons around it; they give it, Postfix names none of them."""

from __future__ import annotations

import attrs


@attrs.frozen
class Milter:
    """A milter on a UNIX socket under Postfix's queue directory.

    `signs`: it also sees mail that is submitted here, by SMTP, by sendmail(1) or as a bounce; a milter
    that judges only what comes from outside doesn't.
    """

    socket: str
    signs: bool


@attrs.frozen
class PolicyService:
    """A policy server that Postfix starts by spawn(8), asked for each recipient."""

    service: str
    user: str
    argv: str


@attrs.frozen
class Inputs:
    """Everything around Postfix. `sasl_socket` is relative to the queue directory; `key` and
    `certificate` are paths; `private_accounts` get mail from this host and its users only."""

    milters: tuple[Milter, ...]
    policy_service: PolicyService
    sasl_socket: str
    key: str
    certificate: str
    private_accounts: tuple[str, ...] = ()
