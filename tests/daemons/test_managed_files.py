"""main.cf and master.cf: mailkeel's block, and everything of the person's around it."""

from __future__ import annotations

import re

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_debian import MAIN_CF, MASTER_CF
from mailkeel import daemons
from mailkeel.daemons.postfix import local_mode, main_cf, master_cf
from mailkeel.daemons.postfix.main_cf import Section, Setting
from mailkeel.daemons.postfix.managed_block import BEGIN, END
from mailkeel.daemons.postfix.master_cf import Entry
from mailkeel.errors import MailkeelError
from mailkeel.facts import HostFacts
from mailkeel.resources import File
from mailkeel.spec.reader import read

SPEC = read('mode = "local"\nhostname = "mx.example.com"\n[[domain]]\nname = "example.com"\n')
FACTS = HostFacts(13)
INPUTS = daemons.postfix_inputs(SPEC, FACTS)

SECTIONS = (
    Section(
        "One", (Setting("myhostname", "mx.example.com", "The name."), Setting("mynetworks", "a,\n    b"))
    ),
    Section("Two", (Setting("relayhost", ""), Setting("last_one", "1"))),
)
SUPERSEDED = ("smtpd_use_tls",)
MANAGED = {"myhostname", "mynetworks", "relayhost", "last_one", *SUPERSEDED}

ENTRIES = (
    Entry("25", "inet", "smtpd", private="n", reason="The world."),
    Entry("587", "inet", "smtpd", private="n", options=(("syslog_name", "postfix/submission"),)),
)


# --- an independent reader of Postfix's files (postconf(5), master(5))


def logical_lines(text: str) -> list[str]:
    """What Postfix makes of a file: comments and blank lines gone, continuation lines joined."""
    result: list[str] = []
    for line in text.split("\n"):
        bare = line.strip(" \t\r\v\f")
        if not bare or bare.startswith("#"):
            continue
        if line[0] in " \t\r\v\f":
            if result:
                result[-1] += f" {bare}"
        else:
            result.append(bare)
    return result


def name(line: str) -> str:
    """The parameter that a line of main.cf sets."""
    return line.partition("=")[0].strip()


def service(line: str) -> str:
    """The service that a line of master.cf defines; empty for a broken line, which is kept as it is."""
    fields = line.split(None, 2)
    if len(fields) < 3:
        return ""
    port = {"smtp": "25", "submission": "587"}.get(fields[0], fields[0])
    return f"{port if fields[1] == 'inet' else fields[0]}/{fields[1]}"


def comments(text: str) -> list[str]:
    """The comment lines of a text, less our marks."""
    lines = (line.strip(" \t\r\v\f") for line in text.split("\n"))
    return [line for line in lines if line.startswith("#") and line not in (BEGIN, END)]


def outside(merged: str) -> str:
    """What follows our block."""
    return merged.partition(f"\n{END}\n")[2]


MAIN_BLOCK = list(logical_lines(main_cf.merge("", SECTIONS)))
MASTER_BLOCK = list(logical_lines(master_cf.merge("", ENTRIES, ())))

pieces = st.sampled_from(
    [
        "# a comment",
        "#",
        "   # an indented comment",
        "",
        "   ",
        "\t",
        "own_one = 1",
        "own_two =",
        "own_one=again",
        "  continued, # not a comment",
        "\tcontinued = too",
        "myhostname = old.example.net",
        "mynetworks =",
        "  10.0.0.0/8,",
        "relayhost=[smtp.example.net]:587",
        "smtpd_use_tls = yes",
        "last_one",
        "smtp inet n - y - - smtpd",
        "587 inet n - n - - smtpd",
        "submission inet n - y - - smtpd",
        "  -o syslog_name=postfix/submission",
        "#  -o smtpd_tls_wrappermode=yes",
        "smtp unix - - y - - smtp",
        "127.0.0.1:10025 inet n - n - - smtpd",
        "maildrop unix - n n - - pipe",
        "broken",
        "form\x0cfeed = \x85 \u2028 end",
        "carriage = return\r",
        "\r",
        "\x0b continued",
        "\xa0",
        "\xa0name = 1",
        "\udcff\udcfe = not UTF-8",
    ]
)
marks = st.sampled_from([BEGIN, END, f"{BEGIN}\n{END}", f"x = {BEGIN}", f"  {END}", f"# see {BEGIN}"])
without_marks = st.lists(pieces, max_size=25).map("\n".join)
with_marks = st.lists(pieces | marks, max_size=25).map("\n".join)
anything = st.text(max_size=200) | with_marks


@given(without_marks)
@settings(max_examples=500)
def test_main_cf_keeps_every_setting_of_the_persons_in_order(text: str) -> None:
    """With its continuation lines, and the comments; ours come first, each with its own value."""
    merged = main_cf.merge(text, SECTIONS, SUPERSEDED)
    own = [line for line in logical_lines(text) if name(line) not in MANAGED]
    assert logical_lines(merged) == MAIN_BLOCK + own
    kept = comments(outside(merged))
    assert [line for line in kept if line in comments(text)] == comments(text)


@given(without_marks)
@settings(max_examples=500)
def test_master_cf_keeps_every_service_of_the_persons_in_order(text: str) -> None:
    """With its options, and the comments."""
    merged = master_cf.merge(text, ENTRIES, ())
    own = [line for line in logical_lines(text) if service(line) not in ("25/inet", "587/inet")]
    assert logical_lines(merged) == MASTER_BLOCK + own
    kept = comments(outside(merged))
    assert [line for line in kept if line in comments(text)] == comments(text)


@given(anything)
@settings(max_examples=500)
def test_a_second_merge_changes_nothing(text: str) -> None:
    """Whatever the text is, also with our marks in odd places; our block is always whole."""
    main = main_cf.merge(text, SECTIONS, SUPERSEDED)
    assert main_cf.merge(main, SECTIONS, SUPERSEDED) == main
    assert logical_lines(main)[: len(MAIN_BLOCK)] == MAIN_BLOCK
    master = master_cf.merge(text, ENTRIES)
    assert master_cf.merge(master, ENTRIES) == master
    assert logical_lines(master)[: len(MASTER_BLOCK)] == MASTER_BLOCK


@given(
    without_marks, st.sampled_from([BEGIN, END, f"{END}\n{BEGIN}", f"x = {BEGIN} y", f"# {BEGIN}\n# {END}"])
)
def test_a_mark_without_its_other_half_hides_nothing(text: str, mark: str) -> None:
    """Half a block is what an editor may leave; a mark within a line is no mark."""
    merged = main_cf.merge(f"before = 1\n{mark}\nafter = 1\n{text}", SECTIONS, SUPERSEDED)
    own = [line for line in logical_lines(text) if name(line) not in MANAGED and name(line) != "x"]
    found = [line for line in logical_lines(outside(merged)) if name(line) != "x"]
    # Lines that would continue what stands before them belong to `after`.
    assert found[0] == "before = 1"
    assert found[1].startswith("after = 1")
    assert found[2:] == own


@given(without_marks, without_marks)
def test_settings_around_our_block_stay(above: str, below: str) -> None:
    """A person may write above it as well."""
    merged = main_cf.merge(
        f"{above}\n\nend = 1\n{main_cf.merge('', SECTIONS)}\nstart = 1\n{below}", SECTIONS, SUPERSEDED
    )
    own = [
        line for line in logical_lines(f"{above}\n\nend = 1\nstart = 1\n{below}") if name(line) not in MANAGED
    ]
    assert logical_lines(merged) == MAIN_BLOCK + own


@given(st.binary(max_size=200))
def test_bytes_that_are_no_text_are_kept(content: bytes) -> None:
    """A file in another encoding, or none."""
    files = {file.path: file for file in daemons.desired(SPEC, FACTS).files}
    for path in ("/etc/postfix/main.cf", "/etc/postfix/master.cf"):
        edit = files[path].content
        assert callable(edit)
        merged = edit(b"own = " + content.replace(b"\n", b"") + b"\n")
        assert b"own = " + content.replace(b"\n", b"") in merged
        assert edit(merged) == merged


def test_a_continuation_after_a_comment_goes_with_what_it_continues() -> None:
    """Postfix reads across comments: left behind, the line would continue our last setting."""
    text = "mynetworks =\n  10.0.0.0/8,\n# the office\n  192.0.2.0/24\nown = 1\n"
    assert logical_lines(main_cf.merge(text, SECTIONS)) == [*MAIN_BLOCK, "own = 1"]
    assert "# the office\n" in main_cf.merge(text, SECTIONS)
    entry = "submission inet n - y - - smtpd\n  -o a=b\n#  -o c=d\n  -o e=f\nown unix - - y - - smtp\n"
    assert logical_lines(master_cf.merge(entry, ENTRIES, ())) == [*MASTER_BLOCK, "own unix - - y - - smtp"]


def test_a_line_that_continues_nothing_does_not_continue_our_block() -> None:
    """It becomes a comment; Postfix ignores it as well."""
    merged = main_cf.merge("  10.0.0.0/8\nown = 1\n", SECTIONS)
    assert logical_lines(merged) == [*MAIN_BLOCK, "own = 1"]
    assert "10.0.0.0/8" in merged


def test_each_reason_and_value_of_the_rendered_file_reads_back() -> None:
    """Every setting of local mode once, with its value."""
    sections = local_mode.sections(SPEC, FACTS, INPUTS)
    lines = logical_lines(main_cf.merge("", sections))
    wanted = {one.name: " ".join(one.value.split()) for section in sections for one in section.settings}
    assert {name(line): line.partition("=")[2].strip() for line in lines} == wanted
    assert len(lines) == len(wanted)


def test_standard_services_are_added_only_where_they_are_missing() -> None:
    """Those that the person tuned stay theirs."""
    stock = MASTER_CF.decode().replace(
        "qmgr      unix  n       -       n       300     1 ", "qmgr unix n - n 60 1 "
    )
    lines = logical_lines(master_cf.merge(stock, ENTRIES))
    services = [service(line) for line in lines]
    assert len(services) == len(set(services))
    assert {one.key for one in master_cf.STANDARD} <= set(services)
    assert [line.split() for line in lines if line.startswith("qmgr")] == [
        ["qmgr", "unix", "n", "-", "n", "60", "1", "qmgr"]
    ]


def test_debians_own_files_hold_no_conflict_but_those_that_matter() -> None:
    """The plan's notes are read by a person: the stock files must not fill them."""
    main = main_cf.conflicts(
        MAIN_CF.decode(), local_mode.sections(SPEC, FACTS, INPUTS), local_mode.SUPERSEDED
    )
    found = {one.name for one in (*main, *master_cf.conflicts(MASTER_CF.decode(), ENTRIES))}
    assert "service 25/inet" not in found
    assert found <= {
        "smtpd_banner", "compatibility_level", "smtpd_tls_cert_file", "smtpd_tls_key_file", "myhostname",
        "smtpd_relay_restrictions", "alias_maps", "mydestination",
    }  # fmt: skip


CONFLICTS = {
    "relayhost = [smtp.example.net]": ("relayhost", "[smtp.example.net]", ""),
    "mynetworks = 10.0.0.0/8,\n# x\n  192.0.2.0/24": ("mynetworks", "10.0.0.0/8, 192.0.2.0/24", "a,\n    b"),
    "smtpd_use_tls=yes": ("smtpd_use_tls", "yes", None),
}


@pytest.mark.parametrize(("text", "expected"), CONFLICTS.items(), ids=[one[0] for one in CONFLICTS.values()])
def test_a_setting_that_would_change_is_named(text: str, expected: tuple[str, str, str | None]) -> None:
    """With what it is and what it will be."""
    found = main_cf.conflicts(f"own = 1\n{text}\n", SECTIONS, SUPERSEDED)
    assert [attrs.astuple(one) for one in found] == [expected]


def test_differences_without_a_meaning_are_no_conflict() -> None:
    """White space and commas."""
    assert main_cf.conflicts("mynetworks =\n  a\n  b\nmyhostname=mx.example.com\n", SECTIONS) == ()
    assert main_cf.conflicts(main_cf.merge("", SECTIONS), SECTIONS) == ()


def test_a_value_from_outside_cannot_start_an_expansion_or_a_line() -> None:
    """`$` is doubled; control characters are refused."""
    assert main_cf.literal("a$b") == "a$$b"
    for bad in ("a\nb", "a\rb", "a\0b", "\x7f"):
        with pytest.raises(MailkeelError):
            main_cf.literal(bad)


@pytest.mark.parametrize("debian", [12, 13])
@pytest.mark.parametrize("has_systemd", [True, False])
def test_every_path_has_one_file_with_a_reason(debian: int, has_systemd: bool) -> None:
    """No two daemons write the same file; each file ends in a line feed and says why it is there."""
    desired = daemons.desired(SPEC, HostFacts(debian, has_systemd=has_systemd))
    paths = [
        one.path
        for group in (desired.files, desired.directories, desired.symlinks, desired.keys)
        for one in group
    ]
    assert len(paths) == len(set(paths))
    assert any("systemd" in path for path in paths) is has_systemd
    for file in desired.files:
        assert file.why
        text = rendered(file)
        assert text.endswith(b"\n") or file.path.endswith(".pyz")
        assert not re.search(rb"[ \t]\n", text) or file.path.endswith(".pyz"), file.path


def rendered(file: File) -> bytes:
    """A file as it is where there was none."""
    return file.content if isinstance(file.content, bytes) else file.content(None)
