"""Measures oidcwatch against its peers; run as `python -m benchmarks`."""
