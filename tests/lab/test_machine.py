"""What the lab asks of the machine, and how it says what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailkeel.errors import HostError, MailkeelError
from mailkeel.lab import machine
from mailkeel.lab.machine import CACHE_VARIABLE, check_machine, locked
from mailkeel.lab.roots import bare_root, short_hash


class TestMachine:
    def test_names_every_tool_that_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MailkeelError) as caught:
            check_machine()
        remedies = [problem.remedy for problem in caught.value.problems]
        assert {"apt-get install systemd-container", "apt-get install mmdebstrap"} <= set(remedies)

    def test_wants_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(MailkeelError) as caught:
            check_machine()
        assert "run it with sudo" in [problem.remedy for problem in caught.value.problems]

    def test_wants_space_and_a_plain_folder_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine, "FREE_BYTES_NEEDED", 2**62)
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "a,b"))
        with pytest.raises(MailkeelError) as caught:
            check_machine()
        wheres = [problem.where for problem in caught.value.problems]
        assert wheres.count(str(tmp_path / "a,b")) == 2

    @pytest.mark.usefixtures("lab")
    def test_refuses_a_release_that_it_does_not_know(self) -> None:
        with pytest.raises(MailkeelError) as caught:
            bare_root("sid")
        assert "bookworm, trixie" in caught.value.problems[0].remedy

    def test_a_lock_keeps_others_out_and_does_not_wait_for_ever(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with locked(path, 1), pytest.raises(HostError), locked(path, 0.2):
            pass
        with locked(path, 1):
            pass

    def test_a_fingerprint_tells_lists_apart(self) -> None:
        assert short_hash(["ab", "c"]) != short_hash(["a", "bc"])
