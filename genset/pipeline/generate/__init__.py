"""Fifth stage: sample synthetic items from a trained model."""
