"""A small internet on loopback, censored on purpose: real DNS, TLS, HTTP/1.1 and HTTP/2 servers. See `world.py`."""
