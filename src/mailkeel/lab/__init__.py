"""A small private internet of throwaway Debian hosts: what the tests and the benchmarks run on."""
