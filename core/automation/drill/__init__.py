"""The fire drill: a change is injected into a copy of a model, and what is noticed is scored."""
