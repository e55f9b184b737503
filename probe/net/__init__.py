"""Sockets, TLS and the clock, behind one seam (`base.Net`), and the classification of what they meet."""
