"""Collects public pages with a real browser: slowly, by permission, and never as plain truth."""
