"""The errors that mailkeel can explain, the most specific first: the first that matches a line counts.

What a server elsewhere replied (a provider's own words before general ones) comes before what Postfix says
about the attempt, and both before what any daemon may say.
"""

from __future__ import annotations

from mailkeel.operate.known_errors import inbound, names, network, providers, refusals, signing, starting
from mailkeel.operate.known_errors.entry import KnownError, Level

__all__ = ["ALL", "KnownError", "Level"]

ALL: tuple[KnownError, ...] = (
    *signing.ERRORS,
    *starting.ERRORS,
    *inbound.ERRORS,
    *providers.ERRORS,
    *refusals.ERRORS,
    *names.ERRORS,
    *network.ERRORS,
)
