"""Whatever stands in a file, a `Spec` that comes out of it can break out of nothing."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkeel.errors import SpecError
from mailkeel.spec.environment import VARIABLES
from mailkeel.spec.model import Spec
from mailkeel.spec.reader import load, read

# All that a text may be made of; only an SPF policy has more.
PLAIN = re.compile(r"[A-Za-z0-9._@:/+-]+")
POLICY = re.compile(r"v=spf1 [A-Za-z0-9 ._:/=+?~%{},-]+")

KEYS = ("mode", "hostname", "admin", "addresses", "spf", "dkim", "dmarc", "domain", "aliases", "tls", "relay")
INNER = (
    "name",
    "policy",
    "selector",
    "bits",
    "rua",
    "ruf",
    "host",
    "port",
    "credentials",
    "certificate",
    "key",
)
NASTY = (
    "a.b\n",
    "$x",
    "../..",
    "x\0",
    "'",
    '"',
    "`id`",
    "v=spf1 +all",
    "::1",
    "a@b.c",
    "a.b",
    "-",
    "\u202e",
    "ü.de",
)

text = st.text() | st.sampled_from(NASTY) | st.from_regex(PLAIN, fullmatch=True)
scalar = text | st.integers() | st.floats() | st.booleans()
value = st.recursive(
    scalar,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(INNER) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)

# One text in each place that holds one; the rest of the file is sound.
LOCAL = "mode = 'local'\n[[domain]]\nname = 'example.com'\n"
RELAY = "mode = 'relay'\n[[domain]]\nname = 'example.com'\n[relay]\n"
PLACES = {
    "mode": "mode = {0}\n[[domain]]\nname = 'example.com'",
    "hostname": "hostname = {0}\n" + LOCAL,
    "admin": "admin = {0}\n" + LOCAL,
    "address": "addresses = [{0}]\n" + LOCAL,
    "domain": "mode = 'local'\n[[domain]]\nname = {0}",
    "spf": LOCAL + "[domain.spf]\npolicy = {0}",
    "selector": LOCAL + "[dkim]\nselector = {0}",
    "dmarc": LOCAL + "[dmarc]\npolicy = {0}",
    "rua": LOCAL + "[dmarc]\nrua = [{0}]\nruf = {0}",
    "alias": LOCAL + "[aliases]\n{0} = 'z'",
    "recipient": LOCAL + "[aliases]\nsales = [{0}]",
    "certificate": LOCAL + "[tls]\ncertificate = {0}\nkey = {0}",
    "relay": RELAY + "host = {0}",
    "credentials": RELAY + "host = 'a.example'\ncredentials = {0}",
    "size": LOCAL + "[limits]\nmessage_size = {0}\nqueue_lifetime = {0}",
}
HOSTILE = [*(chr(code) for code in (*range(33), 0x7F, 0x85, 0x2028, 0x202E)), *"$`\"'\\|;<>&*#!^()"]


def texts(part: object) -> Iterator[str]:
    """Every text in a specification."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from texts(item)
    elif not isinstance(part, enum.Enum):
        for name in getattr(part, "__slots__", ()):
            if not name.startswith("__"):
                yield from texts(getattr(part, name))


def is_safe(spec: Spec) -> bool:
    """Is every text made of plain characters only?"""
    return all(PLAIN.fullmatch(found) or POLICY.fullmatch(found) for found in texts(spec))


def outcome(source: str) -> Spec | SpecError:
    """Read a text; whatever else is raised is a failure."""
    try:
        return read(source)
    except SpecError as error:
        return error


def holds(result: Spec | SpecError) -> bool:
    """Is it safe, or an error that says place and remedy in printable text?"""
    if not isinstance(result, SpecError):
        return is_safe(result)
    told = result.problems
    return bool(told) and all(one.where and one.remedy and str(one).isprintable() for one in told)


def toml(part: object) -> str:
    """Write a value in TOML, everything inline."""
    if isinstance(part, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in part.items()) + "}"
    if isinstance(part, list):
        return "[" + ", ".join(map(toml, part)) + "]"
    if isinstance(part, str):
        return f'"{"".join(map(escaped, part))}"'
    return str(part).lower()


def escaped(sign: str) -> str:
    """One character of a basic string."""
    return f"\\U{ord(sign):08x}" if sign in '"\\' or not sign.isprintable() else sign


@given(st.text())
def test_any_text(source: str) -> None:
    """Is a specification or an error."""
    assert holds(outcome(source))


@given(content=st.binary())
def test_any_bytes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of a file likewise."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError):
        load(str(path))


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), value, max_size=8))
def test_any_toml(document: dict[str, object]) -> None:
    """Of any shape and with our own keys in it."""
    assert holds(outcome("\n".join(f"{toml(key)} = {toml(inner)}" for key, inner in document.items())))


@pytest.mark.parametrize("place", PLACES)
@given(content=text)
@settings(max_examples=150)
def test_any_text_in_any_place(place: str, content: str) -> None:
    """Comes out safe or not at all."""
    assert holds(outcome(PLACES[place].format(toml(content))))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sign", HOSTILE)
def test_no_special_character_passes_anywhere(place: str, sign: str) -> None:
    """At the start, in the middle or at the end of what is sound otherwise."""
    for sound in ("example.com", "a@example.com", "alice", "/etc/x", "192.0.2.1", "v=spf1 mx -all"):
        for hostile in (sign + sound, sound + sign, sound[:3] + sign + sound[3:]):
            result = outcome(PLACES[place].format(toml(hostile)))
            assert holds(result)
            assert isinstance(result, SpecError) or (sign == " " and place == "spf")


@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), text))
def test_any_environment(environ: dict[str, str]) -> None:
    """The environment is no more trusted than the file."""
    try:
        result: Spec | SpecError = load(None, environ)
    except SpecError as error:
        result = error
    assert holds(result)
