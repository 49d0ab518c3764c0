"""A small private internet of throwaway Debian hosts: what `mailkeel rehearse` and the tests run on."""
