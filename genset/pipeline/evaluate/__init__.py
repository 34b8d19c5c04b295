"""Seventh stage: measure synthetic items against real ones."""
