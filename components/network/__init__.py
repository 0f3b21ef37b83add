"""What train and predict share: the model, its checkpoints, its input, devices and what they have compiled."""
