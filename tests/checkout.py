"""The repository, as tests put it on a host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import attrs

from mailkeel.lab.hosts import LabHost

REPOSITORY = Path(__file__).parent.parent
CHECKOUT = "/root/mailkeel"


@attrs.frozen
class TwoHosts:
    """The mail server under test, and a host that could be anyone's, on one private network."""

    mx: LabHost
    outside: LabHost


def repository_files() -> list[str]:
    """The files of the repository that are tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # A tracked file that was just deleted is still listed.
    return [name for name in listing.split("\0") if name and os.path.lexists(REPOSITORY / name)]
