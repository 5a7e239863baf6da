"""Fact books for tests, written in one line each."""

from core.agent.facts import Fact, FactBook


def book(model="spam", release_seq=1, **groups):
    """`book(drift={"score": 0.3})`; a value may be a `Fact` option dict: {"value": .9, "n": 100}."""
    facts = []
    for group, values in groups.items():
        for name, value in ({None: values} if not isinstance(values, dict) else values).items():
            given = value if isinstance(value, dict) else {"value": value}
            fact_id = f"{group}.{name}" if name else group
            facts.append(Fact(id=fact_id, source="/x", at="2030-01-01T12:00:00+00:00", **given))
    return FactBook(model, facts, release_seq)


def drifting(score=0.3, **more):
    alarm = {"alarm": True, "score": score, "p_value": 0.001, "n_current": 200}
    return book(drift={**alarm, "windows_in_a_row": 1}, **more)


def losing_accuracy(current=0.85, n=400, baseline=0.97, half_width=0.03, **more):
    seen = {"value": current, "n": n, "interval": (current - half_width, current + half_width)}
    group = {
        "current": seen,
        "baseline": baseline,
        "drop": round(baseline - current, 6),
        "n_labelled": n,
    }
    return book(accuracy=group, **more)
