"""genset: synthetic images, text and sounds from a user's own data, and the measured proof that they help."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker, under an id kept in the home folder, unless told before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
