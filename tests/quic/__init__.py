"""QUIC for tests: an HTTP/3 server, and a reader of Initial packets such as a middlebox has."""
