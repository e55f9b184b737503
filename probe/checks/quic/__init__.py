"""The QUIC check: is HTTP/3 reached where it is announced? `steps` says what to ask, `reading` what it means, and
`rules` are rows."""
