"""The outside world, one file per vendor; heavy imports stay inside functions."""
