#!/usr/bin/env python3
"""Measures mailkeel on real hosts and prints tables; `--write` keeps them in docs/benchmarks.md. As root."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "src")]

from bench import apply, machine, mail, plan  # noqa: E402 - the path is set first
from bench.tables import render  # noqa: E402
from mailkeel.lab.roots import RELEASES  # noqa: E402

MEASURES = ("plan", "apply", "throughput", "latency")
PAGE = REPOSITORY / "docs/benchmarks.md"
_MARK = "<!-- written by bench/run.py --write -->\n"


def main() -> None:
    """Measure what is asked for and print it, one table after the other."""
    options = _options()
    wanted = frozenset(options.only)
    written = [machine.describe(options.release, options.rounds) + "\n"]
    print(written[0], flush=True)
    if "plan" in wanted:
        written.append(_show(render(plan.measure(options.release, options.rounds))))
    if "apply" in wanted:
        written.append(_show(render(apply.measure(options.release, options.rounds))))
    if wanted & {"throughput", "latency"}:
        written += [_show(render(one)) for one in mail.measure(options.release, options.rounds, wanted)]
    written.append(_show(f"At the end: {machine.load()}\n"))
    if options.write:
        _keep("\n".join(written))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_measures, default=MEASURES, help=f"of {','.join(MEASURES)}")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--release", choices=RELEASES, default="trixie")
    parser.add_argument("--write", action="store_true", help=f"renew {PAGE.relative_to(REPOSITORY)}")
    return parser.parse_args()


def _measures(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(MEASURES):
        raise argparse.ArgumentTypeError(f"use some of {','.join(MEASURES)}")
    return names


def _show(text: str) -> str:
    print(text, flush=True)
    return text


def _keep(results: str) -> None:
    """Replace what stands below the mark; the words above it are kept."""
    words, mark, _ = PAGE.read_text().partition(_MARK)
    PAGE.write_text(f"{words}{mark or _MARK}\n{results}")


if __name__ == "__main__":
    main()
