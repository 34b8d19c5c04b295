"""genset: synthetic images, text and sounds from a user's own data, and the measured proof that they help."""

__version__ = "0.1.0"
