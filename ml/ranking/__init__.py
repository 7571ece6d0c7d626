"""Rankers: they read what somebody did, in order, and score the whole catalogue."""
