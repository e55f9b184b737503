"""The test helper: a control vantage point behind a door. It runs the same engine as the field, for whoever asks."""
