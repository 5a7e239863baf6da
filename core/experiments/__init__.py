"""Two versions share real traffic until the difference is known."""
