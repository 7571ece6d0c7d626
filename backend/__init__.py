"""The web floor: parse, ask, answer."""
