"""The report: cells to words, each with its denominator and a witness to open."""
