"""The end of a large log."""

from __future__ import annotations

from pathlib import Path

from mailkeel.host.files import tail


def test_only_whole_lines_of_the_end_are_read(tmp_path: Path) -> None:
    """A line that starts before the limit is left out; a short file is read whole."""
    log = tmp_path / "mail.log"
    log.write_bytes(b"first\nsecond\nthird\n")
    assert tail(str(log), 9) == b"third\n"
    assert tail(str(log), 100) == b"first\nsecond\nthird\n"
    assert tail(str(tmp_path / "none"), 100) is None
