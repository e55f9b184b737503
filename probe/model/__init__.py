"""Nouns and vocabularies. Frozen values only: nothing here does I/O or holds an opinion about a network."""
