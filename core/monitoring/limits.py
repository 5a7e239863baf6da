"""How much of a window is looked at, wherever it is."""

MOST_ROWS = 5_000
"""A larger window is compared through a uniform sample of this many of its rows."""

LONGEST_TEXT = 10_000
"""A longer text is compared by its first so many characters."""
