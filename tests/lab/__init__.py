"""A censored country in network namespaces: see docs/lab.md."""
