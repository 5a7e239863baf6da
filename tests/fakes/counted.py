"""What the log counts of the answers that it takes, for tests that add answers by themselves."""

from collections import Counter

from core.tables.telemetry import HourlyCount


def count(session, rows):
    """Add predictions to the hourly counters."""
    keys = Counter((row.model, row.version, row.variant, row.hour) for row in rows)
    for key, n in keys.items():
        counter = session.get(HourlyCount, key)
        if counter is None:
            model, version, variant, hour = key
            counter = HourlyCount(
                model=model, version=version, variant=variant, hour=hour, requests=0, errors=0,
                positives=0, latency_ms_sum=0.0, latency_buckets={},
            )  # fmt: skip
            session.add(counter)
        counter.requests += n
        counter.latency_ms_sum += sum(row.latency_ms for row in rows) * n / len(rows)
        bucket = counter.latency_buckets.get("5", 0) + n
        counter.latency_buckets = {**counter.latency_buckets, "5": bucket}
