"""The REST service: predictions, feedback and the operator's routes."""
