"""The stages that the commands share: collect, clean, split, train, generate, ... No stage depends on the modality."""
