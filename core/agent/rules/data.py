"""Rules about data: what is broken or bent must neither be trained on nor decide anything."""

from collections.abc import Iterator

from core.agent.facts import FactBook
from core.agent.rules.reading import count, drift_alarm, names, present
from core.agent.verdict import Verdict
from core.specs.thresholds import Policy

RULE = "data quality"
_SHARES = (
    ("missing_more", "missing_critical", "of the values of a column are missing, beyond usual"),
    ("missing_rate_max", "missing_critical", "of the values of a column are missing"),
    ("feature_null_rate", "missing_critical", "of all values are missing"),
    ("new_category_share", "missing_critical", "of a column's values are no known category"),
    ("duplicate_share", "duplicates_critical", "of the inputs repeat another"),
)


def broken(book: FactBook, policy: Policy) -> Verdict | None:
    """Inputs that fail their checks, or labels that somebody may have bent."""
    found = list(_inputs(book, policy))
    if found:
        cites = present(book, "data_quality.status", *(name for name, _ in found))
        said = (*(words for _, words in found[:3]), "A model must not be trained on that.")
        return _escalate(f"{book.model} receives broken data", said, cites)
    return _labels(book, policy)


def _escalate(title: str, said: tuple[str, ...], cites: tuple[str, ...]) -> Verdict:
    return Verdict(
        rule=RULE,
        decision="escalate",
        severity="medium",
        title=title,
        sentences=said,
        cites=cites,
    )


def _inputs(book: FactBook, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield (fact, sentence) for everything that is broken."""
    if count(book, "data_quality.mostly_missing"):
        lost = names(book, "data_quality.mostly_missing")
        yield "data_quality.mostly_missing", f"Most values of {lost} are missing."
    if book.get("data_quality.status") == "fail":
        yield "data_quality.status", "The data fails its checks."
    elif book.get("data_quality.status") != "pass":
        yield from _by_figures(book, policy)
    if book.get("data_quality.schema_ok") is False and book.get("data_quality.status") != "warn":
        yield "data_quality.schema_ok", "Columns or types are not those that are expected."
    if "data_quality.unit_change" in book:
        yield "data_quality.unit_change", "A column seems to be in another unit."
    if book.get("data_quality.raw_feed_ok") is False:
        yield "data_quality.raw_feed_ok", "The feed of a feature is lost."


def _by_figures(book: FactBook, policy: Policy) -> Iterator[tuple[str, str]]:
    """Judge the bare figures, where no check did or one only warned."""
    relative = "data_quality.missing_more" in book  # some columns were never full
    for name, threshold, words in _SHARES:
        share = book.number(f"data_quality.{name}")
        absolute = name in ("missing_rate_max", "feature_null_rate")
        if share >= getattr(policy, threshold) and not (absolute and relative):
            yield f"data_quality.{name}", f"{share:.0%} {words}."
    if book.number("data_quality.freshness_min") >= policy.stale_minutes:
        hours = book.number("data_quality.freshness_min") / 60
        yield "data_quality.freshness_min", f"Nothing new has come for {hours:.0f} hours."


_LABELS = (
    "data_quality.label_concentration_top_source",
    "data_quality.label_concentration_top_source_before",
    "data_quality.label_positive_rate",
    "data_quality.label_positive_rate_before",
)


def _labels(book: FactBook, policy: Policy) -> Verdict | None:
    """Labels of which most suddenly come from one source, or that suddenly say something else."""
    top, top_before, positive, before = (book.number(name) for name in _LABELS)
    crowded = top >= policy.label_concentration and not top < top_before + policy.label_shift
    elsewhere = not top < top_before + policy.label_shift / 2  # from other sources than before
    shifted = abs(positive - before) >= policy.label_shift and not drift_alarm(book)
    if not (crowded or (shifted and elsewhere)):
        return None
    said = [f"{top:.0%} of the newest labels come from one source."] if crowded else []
    if positive == positive and before == before:
        said.append(f"{positive:.0%} of them say positive, {before:.0%} of those before.")
    said.append("Until people have looked at them, labels decide nothing and train nothing.")
    return _escalate(
        f"The labels of {book.model} may have been bent", tuple(said), present(book, *_LABELS)
    )


def warned(book: FactBook, _policy: Policy) -> Verdict | None:
    """Checks that warn: people should know, and nothing has to happen."""
    if book.get("data_quality.status") != "warn":
        return None
    return Verdict(
        rule="data warning",
        decision="log_only",
        severity="medium",
        title=f"The data of {book.model} is not quite what it should be",
        sentences=("A check of the data warns; nothing of it is broken.",),
        cites=("data_quality.status",),
    )
