"""`python -m genset` is `genset`."""

from genset.cli import main

main()
