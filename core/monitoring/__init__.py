"""What changed in the data a model sees, and how far it can be trusted."""
