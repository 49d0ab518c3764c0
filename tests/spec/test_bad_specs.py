"""What a wrong file is told: the whole text of every problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailkeel.errors import SpecError
from mailkeel.spec.reader import read

# Each block of the file: a specification, a line of dashes, and the problems it is told.
BLOCKS = Path(__file__).with_name("bad_specs.txt").read_text(encoding="utf-8").split("=====\n")
BAD = [(text, told.splitlines()) for text, _, told in (block.partition("-----\n") for block in BLOCKS)]

EVERYTHING_WRONG = """\
mod = "local"
hostname = "mail"
[relay]
host = "user:hunter2@smtp.example.net"
password = "hunter2"
port = 70000
[[domain]]
name = "example.com"
[domain.dkim]
bits = 512
[[domain]]
name = "example.com"
[domain.spf]
policy = "v=spf1 +all"
[[domain]]
[aliases]
a = "a"
"b c" = 1
[dmarc]
rua = ["x", 3]
"""


def problems_of(text: str) -> list[str]:
    """The problems that reading a text ends in."""
    with pytest.raises(SpecError) as refusal:
        read(text)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[told[0].partition("; ")[0] for _, told in BAD])
def test_a_wrong_file_is_told_what_where_and_what_to_do(text: str, expected: list[str]) -> None:
    """Nothing more and nothing less, in this order."""
    assert problems_of(text) == expected


def test_every_problem_is_told_at_once_in_file_order() -> None:
    """Of keys and of what must hold between them; what is missing comes where its table starts."""
    assert [problem.partition(": ")[0] for problem in problems_of(EVERYTHING_WRONG)] == [
        "mode",
        "mod",
        "hostname",
        "relay.host",
        "relay.password",
        "relay.port",
        "domain[0].dkim.bits",
        "domain[1].name",
        "domain[1].spf.policy",
        "domain[2].name",
        "aliases.a",
        "aliases.'b c'",
        "aliases.'b c'",
        "dmarc.rua[0]",
        "dmarc.rua[1]",
    ]


def test_no_secret_is_repeated() -> None:
    """Neither where a key should not be there nor where a value is more than it may be."""
    assert "hunter2" not in "".join(problems_of(EVERYTHING_WRONG))
    for text, _ in BAD:
        assert "hunter2" not in "".join(problems_of(text))
