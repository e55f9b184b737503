"""SQLite: schema, append, read, bundles. Facts cannot be changed once they are there."""
