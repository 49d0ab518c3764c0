"""Measuring on a lab host from here: the driver `on_host.py` does it there and prints JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mailkeel.lab.hosts import LabHost

_DRIVER = "/root/on_host.py"
_SECONDS = 300


def drive(host: LabHost, verb: str, *arguments: object) -> Any:
    """Let the driver measure on the host; gives what it prints, seconds in floats."""
    host.write(_DRIVER, Path(__file__).with_name("on_host.py").read_bytes())
    argv = ["python3", "-I", _DRIVER, verb, *(str(argument) for argument in arguments)]
    return json.loads(host.run(argv, timeout=_SECONDS).stdout)


def timed(host: LabHost, argv: Sequence[str]) -> tuple[float, str]:
    """Seconds that a long command takes, entering the host (10 ms) included, and what it prints."""
    began = time.perf_counter()
    done = host.run(argv, timeout=_SECONDS)
    return time.perf_counter() - began, done.stdout
