"""Runs `python3 -m mailkeel`."""

from mailkeel.cli.main import main

main()
