"""Bytes and JSON to values and back. Pure: no sockets, no files, no clock."""
