"""Everything the product knows; imports no web framework."""
