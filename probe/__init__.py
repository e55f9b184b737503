"""Vantage Probe: what is reachable from here, what is not, how, and on whose evidence."""

__version__ = "0.1.0"
