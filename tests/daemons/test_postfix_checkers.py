"""Tables of types that Postfix lacks."""

from __future__ import annotations

import pytest

from mailkeel.daemons.postfix.checkers import unknown_table_types

TYPES = "btree\ncidr\nhash\ninline\npipemap\nproxy\nregexp\nstatic\ntexthash\nunix\n"


@pytest.mark.parametrize(
    "setting",
    [
        "alias_maps = texthash:/etc/a, hash:/etc/aliases",
        "local_recipient_maps = proxy:unix:passwd.byname $alias_maps",
        "virtual_alias_maps = inline:{ { a@x.org = nosuch:b } } static:c",
        "transport_maps =",
        "smtpd_milters = unix:opendkim/opendkim.sock, nosuch:x",
        "header_checks = regexp:/etc/h",
    ],
)
def test_known_types_and_other_settings_pass(setting: str) -> None:
    """Only tables are looked at, and not what stands in their entries."""
    assert unknown_table_types(f"{TYPES}\n{setting}\n") == ""


@pytest.mark.parametrize(
    "setting",
    [
        "transport_maps = nosuch:/etc/x",
        "virtual_alias_maps = hash:/a, proxy:mysql:/b",
        "body_checks = pcre:/etc/b",
    ],
)
def test_an_unknown_type_is_named_with_its_setting(setting: str) -> None:
    """So that a person finds the line."""
    assert setting in unknown_table_types(f"{TYPES}\n{setting}\n")
