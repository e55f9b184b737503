"""Measuring on a schedule, with the timer that each system has: what is wanted, in one value."""
