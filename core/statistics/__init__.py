"""Pure statistics shared by the promotion gate, monitoring and experiments."""
