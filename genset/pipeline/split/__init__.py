"""Third stage: assign real items to train, validation and test, without leaks."""
