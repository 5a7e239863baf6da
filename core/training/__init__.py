"""From data to a candidate, and the judgement whether it may serve."""
