"""Images of 8 to 64 pixels, grey or colour."""
