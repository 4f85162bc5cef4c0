"""The command line, the supervisor and the demo: the one place that may import everything."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
