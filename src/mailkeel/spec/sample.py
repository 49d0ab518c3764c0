"""The commented file that `mailkeel init` writes: what was asked for, and every other key ready to use.

The comments are the layout's own. Tables whose keys are all commented out keep their header, so that a
key that is put to use later lands in its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mailkeel.errors import Problem, SpecError
from mailkeel.spec import layout
from mailkeel.spec.model import Dkim, Dmarc, Mode, Relay, Spf
from mailkeel.spec.reader import read
from mailkeel.spec.tables import FreeTable, Key, Table, Tables

_HEAD = """\
# What this mail server should be. Names may be written in any script.
# `mailkeel plan` shows what would change; `mailkeel apply` changes it and proves that it works.
"""

_RELAY_SPF = "# the upstream sends your mail: put its include in, such as include:_spf.google.com"


def sample(
    mode: Mode,
    domain: str,
    hostname: str | None = None,
    admin: str | None = None,
    *,
    relay: Relay | None = None,
    rua: Iterable[str] = (),
) -> str:
    """Return the text of a specification. `hostname` is `mail.DOMAIN` where absent; `relay` is needed in
    mode relay and refused in others. Raises SpecError where the text would not read back."""
    if (mode is Mode.RELAY) is (relay is None):
        remedy = "give the relay's host" if relay is None else "leave the relay out, or choose mode relay"
        raise SpecError(Problem("relay", f"does not fit mode {mode.value}", remedy))
    top = {"mode": mode.value, "hostname": hostname or f"mail.{domain}"} | ({"admin": admin} if admin else {})
    parts = (
        _HEAD,
        _table("", layout.FILE.keys, top),
        _table("[[domain]]", layout.DOMAIN.keys, {"name": domain}, _DOMAIN_FOOT),
        _relay_table(relay) if relay else "",
        _table("[spf]", layout.SPF.keys, {"policy": Spf().policy}, _RELAY_SPF if relay else ""),
        _table("[dkim]", layout.DKIM.keys, {"selector": Dkim().selector, "bits": Dkim().bits}),
        _table("[dmarc]", layout.DMARC.keys, {"policy": Dmarc().policy.value} | _given("rua", list(rua))),
        _ALIASES,
        _table("[tls]", layout.TLS.keys, {}),
        _table("[limits]", layout.LIMITS.keys, {}),
    )
    text = "\n".join(part for part in parts if part)
    read(text)
    return text


_DOMAIN_FOOT = """\
# what differs for this domain
# [domain.dkim]
# selector = "other\""""

_ALIASES = """\
[aliases]
# more names, valid in every domain, and who gets their mail
# sales = ["alice", "bob@example.org"]
"""


def _relay_table(relay: Relay) -> str:
    values = {"host": relay.host, "port": relay.port, "tls": relay.tls.value}
    return _table("[relay]", layout.RELAY.keys, values | _given("credentials", relay.credentials))


def _given(name: str, value: object) -> dict[str, object]:
    return {name: value} if value else {}


def _table(header: str, keys: Iterable[Key], values: Mapping[str, object], foot: str = "") -> str:
    """A table's text: each key under one line on why, with its value, or commented out with an example."""
    lines = [header, *_key_lines(keys, values), foot]
    return "\n".join(line for line in lines if line) + "\n"


def _key_lines(keys: Iterable[Key], values: Mapping[str, object]) -> Iterator[str]:
    for key in keys:
        if key.name in values:
            yield f"# {key.why}"
            yield f"{key.name} = {_toml(values[key.name])}"
        elif not isinstance(key.kind, (Table, Tables, FreeTable)):
            yield f"# {key.why}"
            yield f"# {key.name} = {key.kind.example}"


def _toml(value: object) -> str:
    """A TOML value: JSON writes text, whole numbers and arrays of text as TOML does, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
