"""What the alarms are worth: how often they are wrong, what they find and how soon, what they cost.

One file per section, each with `run(asked) -> Iterable[Figure]`; `SECTIONS` in `__main__` lists
them.
"""
