"""The errors that mailkeel can explain, the most specific first: the first that matches a line counts.

What the daemons of this host say in words of their own comes first; then what a server elsewhere replied,
a provider's own words before general ones.
"""

from __future__ import annotations

from mailkeel.operate.known_errors.entry import KnownError, Level
from mailkeel.operate.known_errors.inbound import ERRORS as _INBOUND
from mailkeel.operate.known_errors.names import ERRORS as _NAMES
from mailkeel.operate.known_errors.network import ERRORS as _NETWORK
from mailkeel.operate.known_errors.providers import ERRORS as _PROVIDERS
from mailkeel.operate.known_errors.refusals import ERRORS as _REFUSALS
from mailkeel.operate.known_errors.signing import ERRORS as _SIGNING
from mailkeel.operate.known_errors.starting import ERRORS as _STARTING

__all__ = ["ALL", "KnownError", "Level"]

ALL: tuple[KnownError, ...] = (
    *_SIGNING,
    *_STARTING,
    *_INBOUND,
    *_NETWORK,
    *_PROVIDERS,
    *_NAMES,
    *_REFUSALS,
)
