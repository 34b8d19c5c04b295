"""The stages that the commands share, from collect to write and train. No stage depends on the modality."""
