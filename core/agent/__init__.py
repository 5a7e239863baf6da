"""It investigates and proposes; people decide, and the executor acts."""
