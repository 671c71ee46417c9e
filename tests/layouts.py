"""Profiles that say what another profile says, in other files. Benchmarks import this: it has no neighbour there."""

LAYOUTS = {("envoy", "files")}
"""Targets with profiles that say in other files what the first profile says (tests/property/test_layouts.py)."""
