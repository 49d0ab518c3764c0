"""The Lua script that OpenDKIM runs, run by a real Lua: which From headers it takes, and from whom."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from mailkeel.daemons.opendkim.script import render_script
from mailkeel.daemons.postfix.tables import owners
from mailkeel.spec.reader import read

SPEC = read(
    """\
mode = "local"
hostname = "mx.example.com"
[aliases]
sales = ["alice", "bob"]
team = ["sales", "carol@elsewhere.example"]
away = ["someone@elsewhere.example"]
"a+b" = ["carol"]
[[domain]]
name = "example.com"
[[domain]]
name = "bücher.example"
"""
)

HARNESS = """\
SMFIS_REJECT = "reject"
local script = assert(loadfile(arg[1]))
for line in io.lines(arg[2]) do
  local case = load("return " .. line)()
  local reply, result
  ctx = {}
  odkim = {
    get_mtasymbol = function(_, name) assert(name == "{auth_authen}"); return case.login end,
    get_header = function(_, name, index) assert(name == "From"); return case.from[index + 1] end,
    internal_ip = function() return case.internal and 1 or 0 end,
    set_reply = function(_, code, extended, text) reply = code .. " " .. extended .. " " .. text end,
    set_result = function(_, what) result = what end,
  }
  script()
  assert((result == nil) == (reply == nil))
  print(reply or "taken")
end
"""

TAKEN = "taken"


@attrs.frozen
class Message:
    """What the script is asked about. `login` is empty for a message from outside."""

    headers: tuple[bytes, ...]
    login: str = ""
    internal: bool = False


def outcomes(folder: Path, messages: Sequence[Message], timeout_seconds: float = 20) -> list[bool]:
    """Which of the messages are taken."""
    (folder / "author.lua").write_text(render_script(SPEC, owners(SPEC)))
    (folder / "harness.lua").write_text(HARNESS)
    (folder / "cases").write_text("".join(f"{_lua(message)}\n" for message in messages))
    argv = ["lua5.3", "harness.lua", "author.lua", "cases"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=timeout_seconds)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(line == TAKEN or line.startswith("550 5.7.1 ") for line in lines)
    return [line == TAKEN for line in lines]


def _lua(message: Message) -> str:
    headers = ", ".join(_string(header) for header in message.headers)
    login = f"login = {_string(message.login.encode())}, " if message.login else ""
    return f"{{ {login}internal = {str(message.internal).lower()}, from = {{ {headers} }} }}"


def _string(octets: bytes) -> str:
    return '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"'


ORDINARY = (
    b"alice@example.org",
    b" alice@example.org ",
    b"<alice@example.org>",
    b"Alice <alice@example.org>",
    b"Alice  Liddell\r\n\t<alice@example.org>",
    b'"Alice Liddell" <alice@example.org>',
    b'"Liddell, Alice" <alice@example.org>',
    b'"bob@bank.example" <alice@example.org>',
    b'"a \\" <b@bank.example> quote" <alice@example.org>',
    b'"a (b" <alice@example.org>',
    b'"back\\\\" <alice@example.org>',
    b"alice@example.org (Alice)",
    b"alice@example.org (a (nested (comment) b@bank.example) c)",
    b"(first) alice@example.org",
    b"(a \\) b) Alice <alice@example.org> (c)",
    b"alice@example.org <alice@example.org>",
    b"Alice@Example.ORG <alice@example.org>",
    b"=?utf-8?q?Alic=C3=A9?= <alice@example.org>",
    b"=?utf-8?b?YWxpY2VAYmFuay5leGFtcGxl?= <alice@example.org>",
    "Zoë <zoë@xn--bcher-kva.example>".encode(),
    b"o'brien+tag@example.org",
    b"a.b-c_d=e/f!g#h$i%j&k*l?m^n`o{p|q}r~s@example.org",
    b"alice@xn--bcher-kva.example",
    b"alice@sub.sub.example.org",
    b"Liddell, Alice <alice@example.org>",
    b"< alice@example.org >",
    b"A. L. <a@b>",
)

ODD = (
    "zoë@bücher.example".encode(),
    b"",
    b"   ",
    b"<>",
    b"Alice",
    b"Alice <>",
    b"@example.org",
    b"alice@",
    b"alice@bank.example <alice@example.org>",
    b"Alice alice@bank.example <alice@example.org>",
    b"alice@bank.example, <alice@example.org>",
    b"a@example.org, b@example.com",
    b"A <a@example.org>, B <b@example.com>",
    b"<a@example.org> <b@example.com>",
    b"<a@example.org> b@example.com",
    b"<a@example.org>, ",
    b"<a@example.org",
    b"a@example.org>",
    b"A <B <a@example.org>>",
    b"A > B <a@example.org>",
    b"friends: a@example.org;",
    b"friends: a@example.org, b@example.com;",
    b"friends:;",
    b"friends: <a@example.org>",
    b"<@relay.example,@other.example:a@example.org>",
    b'"alice"@example.org',
    b'"alice@bank.example"@example.org',
    b'al"x"ice@example.org',
    b'alice@example.org"@bank.example"',
    b'alice@"bank".example.org',
    b"alice@example(.bank).org",
    b"alice(@bank.example)@example.org",
    b'"Alice" alice@example.org',
    b'"unbalanced <alice@example.org>',
    b'Alice" <alice@example.org>',
    b"(unbalanced <alice@example.org>",
    b"((alice@example.org)",
    b"alice@example.org \\",
    b"ali ce@example.org",
    b"alice@exam ple.org",
    b"alice@@example.org",
    b"alice@bank.example@example.org",
    b"alice@[192.0.2.1]",
    b"alice@example.org\x00.bank.example",
    b"ali\x01ce@example.org",
    b"alice@exam\x0bple.org",
    b"alice@example.org\r\nb@example.com",
    b"alice\\@bank.example <alice@example.org>",
    b"alice@example.org;",
)


def test_headers_that_every_program_reads_alike_are_taken(tmp_path: Path) -> None:
    """Names, comments, folding and encoded words included."""
    taken = outcomes(tmp_path, [Message((header,)) for header in ORDINARY])
    assert [header for header, is_taken in zip(ORDINARY, taken, strict=True) if not is_taken] == []


def test_headers_that_could_be_read_in_two_ways_are_refused(tmp_path: Path) -> None:
    """From outside and from a login alike."""
    for login in ("", "alice"):
        taken = outcomes(tmp_path, [Message((header,), login) for header in ODD])
        assert [header for header, is_taken in zip(ODD, taken, strict=True) if is_taken] == []


def test_there_is_exactly_one_from_header(tmp_path: Path) -> None:
    """None or two are refused, from outside and from a login; this host's own programs are let be."""
    one = b"alice@example.com"
    cases = {
        Message(()): False,
        Message((one, one)): False,
        Message((), "alice"): False,
        Message((one, one), "alice"): False,
        Message((), internal=True): True,
        Message((b"root",), internal=True): True,
        Message((one, one), internal=True): True,
        Message((one,), "alice", internal=True): True,
        Message((one,), "bob", internal=True): False,
    }
    assert outcomes(tmp_path, list(cases)) == list(cases.values())


OWNERSHIP = {
    ("alice", b"alice@example.com"): True,
    ("alice", b"Alice L <ALICE@Example.COM>"): True,
    ("Alice", b"alice@example.com"): True,
    ("alice", b"alice+shop@example.com"): True,
    ("alice", b"alice@xn--bcher-kva.example"): True,
    ("alice", b"alice@mx.example.com"): True,
    ("alice", b"sales@example.com"): True,
    ("bob", b"sales+2026@example.com"): True,
    ("alice", b"team@example.com"): True,
    ("carol", b"a+b@example.com"): True,
    ("away", b"away@example.com"): True,
    ("alice", b"bob@example.com"): False,
    ("alice", b"alice@example.org"): False,
    ("alice", b"alice@sub.example.com"): False,
    ("alice", b"alice@example.com.evil.example"): False,
    ("alice", b"alice.evil@example.com"): False,
    ("alice", b"root@example.com"): False,
    ("sales", b"sales@example.com"): False,
    ("carol", b"team@example.com"): False,
    ("carol", b"sales@example.com"): False,
    ("alice", b"bob+alice@example.com"): False,
    ("alice", b"+alice@example.com"): False,
    ("alice", b'"alice@example.com" <bob@example.com>'): False,
    ("alice", b"alice@example.com <bob@example.com>"): False,
    ("alice", b"(alice@example.com) bob@example.com"): False,
}


def test_a_login_writes_only_as_itself(tmp_path: Path) -> None:
    """Its name in every domain, with any extension, and the aliases that lead to it."""
    messages = [Message((header,), login) for login, header in OWNERSHIP]
    taken = outcomes(tmp_path, messages)
    assert dict(zip(OWNERSHIP, taken, strict=True)) == OWNERSHIP


#: Each is as long as Postfix lets a header be (header_size_limit), and hard on a reader that tries again.
LONG = 100_000
LONG_HEADERS = (
    b" " * LONG,
    b"a" * LONG,
    b"a" * LONG + b"@example.org",
    b" " * LONG + b"alice@example.org x",
    b"alice" + b" " * LONG + b"x <alice@example.org>",
    b"alice@example.org" + b" " * LONG + b"x",
    b"(" * LONG,
    b"(" * (LONG // 2) + b")" * (LONG // 2) + b" a@example.org x",
    b'"' + b"\\" * LONG,
    b"<" * LONG,
    b"a@b " * (LONG // 4) + b"<x@y>",
    b"a@b " * (LONG // 4) + b"<a@b>",
    b"a," * (LONG // 2),
    b"@" * LONG,
    b"a" + b"+" * LONG + b"@example.com",
)


@pytest.mark.parametrize("login", ["", "alice"])
def test_a_long_header_takes_no_long_time(tmp_path: Path, login: str) -> None:
    """One message must not keep the filter from all others."""
    began = time.monotonic()
    outcomes(tmp_path, [Message((header,), login) for header in LONG_HEADERS])
    assert (time.monotonic() - began) / len(LONG_HEADERS) < 0.5


def test_no_name_can_break_out_of_the_script(tmp_path: Path) -> None:
    """Whatever a name holds, it is a string in Lua."""
    nasty = {'"] = nil } os.exit(3) --': ("]]", "\n", "\\", "ä\x00")}
    script = tmp_path / "author.lua"
    script.write_text(render_script(SPEC, nasty))
    assert subprocess.run(["luac5.3", "-p", str(script)], capture_output=True, check=False).returncode == 0
    assert outcomes(tmp_path, [Message((b"alice@example.org",))]) == [True]
