"""Tests of genset. What they share is in helpers.py; fixtures are in conftest.py."""
