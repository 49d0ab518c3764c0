"""The benchmark: what mailkeel costs, measured on real hosts. `make bench` runs all of it."""
