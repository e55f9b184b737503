"""What each command does; no click, no output formats of the door."""
