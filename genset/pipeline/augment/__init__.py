"""Sixth stage: transformed copies of real items, mixing and balancing."""
