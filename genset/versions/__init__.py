"""Versioned output folders, their checksums, and remote copies."""
