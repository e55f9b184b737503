"""Files in: target lists, reference data, network databases. Everything is read whole, bounded, and becomes frozen
values with a digest; nothing here fetches."""
