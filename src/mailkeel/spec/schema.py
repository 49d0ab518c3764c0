"""The JSON Schema of `mail.toml`, for editors (taplo, VS Code).

Made from the layout that the reader uses. It says less than the reader checks: whether an SPF policy is
sound, whether two domains are the same or an alias leads back to itself is for `mailkeel plan` to tell.
"""

from __future__ import annotations

from mailkeel.spec.kinds import Schema
from mailkeel.spec.layout import FILE
from mailkeel.spec.model import Mode


def json_schema() -> Schema:
    """Describe the file in JSON Schema draft 7, the newest that taplo reads."""
    in_relay_mode = {"properties": {"mode": {"const": Mode.RELAY.value}}, "required": ["mode"]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mail.toml",
        "description": "What a mail server should be; read by mailkeel",
        **FILE.schema(),
        "if": in_relay_mode,
        "then": {"required": ["relay"]},
        "else": {"not": {"required": ["relay"]}},
    }
