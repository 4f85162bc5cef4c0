"""Benchmarks: CPU time of each part beside its limit, and the accuracy that is reported."""
