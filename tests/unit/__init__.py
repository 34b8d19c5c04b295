"""Tests of pure functions: milliseconds each, no process, no training, no TensorFlow."""
