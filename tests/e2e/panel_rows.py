"""Rows of every kind as the product writes them, for installations that tests look at."""

import random
from datetime import datetime, timedelta

from core.clock import hour_of, utc_now
from core.ids import new_id
from core.recommendations import Basis
from core.tables.entities import ModelVersion, Run
from core.tables.operational import Delivery
from core.tables.telemetry import HourlyCount, MonitorReport, Prediction
from tests.serving_kit import HAM, SPAM, TEXT


def version_row(model: str, number: int, digest: str, now: datetime) -> ModelVersion:
    accuracy = round(min(0.99, 0.94 + number / 100), 4)
    return ModelVersion(
        model=model,
        version=f"{number}.0.0",
        number=number,
        state="candidate",
        run_id=f"{model}-{number}",
        algorithm="logistic_regression",
        artifact=digest,
        signature=TEXT,
        metrics={
            **{"accuracy": accuracy, "f1": 0.91, "precision": 0.93, "recall": 0.89, "n_test": 1115},
            "intervals": {"accuracy": [accuracy - 0.01, accuracy + 0.006]},
        },
        gate={
            "answer": "promote",
            "reasons": ["more answers are right than those of what serves"],
            "difference": {"value": 0.01, "low": 0.002, "high": 0.018},
            "n": 1115,
        },
        train_dataset_id="d1",
        test_dataset_id="d2",
        reference_dataset_id="d3",
        at=now,
    )


def prediction(model: str, seq: int, at: datetime, chance: random.Random, *, second: bool):
    spam = chance.random() < 0.2
    text = chance.choice(SPAM if spam else HAM)
    tabular = {"age": chance.randint(30, 70), "sex": chance.choice(["0", "1"])}
    labels = ("spam", "ham") if model == "sms_spam" else ("disease", "healthy")
    return Prediction(
        at=at,
        id=new_id(at),
        model=model,
        version="3.0.0" if second else "2.0.0",
        variant="treatment" if second else "control",
        release_seq=seq,
        is_shadow=False,
        hour=hour_of(at),
        sample_key=chance.getrandbits(40),
        input={"text": text} if model == "sms_spam" else {"features": tabular},
        label=labels[0] if spam else labels[1],
        probability=0.97 if spam else 0.04,
        latency_ms=chance.uniform(1, 9),
        entity_id=None,
        experiment=None,
        key_id="k",
    )


def other(label: str) -> str:
    return {"spam": "ham", "ham": "spam", "disease": "healthy", "healthy": "disease"}[label]


def hourly(model: str, an_hour: int, hours: int, now: datetime) -> list[HourlyCount]:
    return [
        HourlyCount(
            model=model,
            version="2.0.0",
            variant="control",
            hour=hour_of(now) - back,
            requests=an_hour + back % 7,
            errors=back % 5 == 0,
            positives=an_hour // 5,
            latency_ms_sum=3.1 * an_hour,
            latency_buckets={"5": an_hour - 2, "10": 2},
        )
        for back in range(hours)
    ]


def report_row(model: str, kind: str, state: str, end: datetime, **more) -> MonitorReport:
    key = new_id(end)
    return MonitorReport(
        id=key,
        model=model,
        version="2.0.0",
        kind=kind,
        state=state,
        window_start=end - timedelta(hours=2),
        window_end=end,
        window_last_id=key,
        follows=f"before {key}",
        n_current=300,
        n_reference=3000,
        at=end,
        **more,
    )


def text_report(hours: int) -> MonitorReport:
    bad = hours <= 6
    term = {"share_reference": 0.001, "share_current": 0.28, "p_value": 0.0004}
    terms = [
        {**term, "term": word, "example": f"![x](http://evil.example/x) {word} now"}
        for word in ("crypto", "wallet", "airdrop", "bitcoin")
    ]
    return report_row(
        "sms_spam",
        "drift",
        "fail" if bad else "pass",
        utc_now() - timedelta(hours=hours),
        p_value=0.001 if bad else 0.4,
        score=0.31 if bad else 0.04,
        method="classifier two-sample test with 200 permutations",
        sentence="Drift of size 0.31: the words crypto, wallet and airdrop are new in 300 messages."
        if bad
        else "No drift in 300 messages.",
        figures={"new_terms": terms if bad else [], "vanished_terms": [], "threshold": 0.15},
        assumptions="Windows do not overlap; messages are independent of each other.",
    )


def table_report(hours: int) -> MonitorReport:
    changed = ("age", "chol") if hours < 9 else ()
    names = ("age", "sex", "cp", "trestbps", "chol", "thalach", "oldpeak", "ca", "thal")
    columns = [
        {
            "name": name,
            "drifted": name in changed,
            "change": "larger" if name in changed else "none",
            "detail": "median 54.0, now 61.5" if name in changed else "median 54.0, now 54.5",
            "distance": 0.34 if name in changed else 0.05,
            "psi": 0.41 if name in changed else 0.02,
            "p_value": 0.00002 if name in changed else 0.6,
        }
        for name in names
    ]
    return report_row(
        "heart_disease",
        "drift",
        "warn" if hours < 9 else "pass",
        utc_now() - timedelta(hours=hours),
        p_value=0.002 if hours < 9 else 0.6,
        score=0.12 if hours < 9 else 0.03,
        method="per column, corrected for their number (Holm)",
        sentence="Two of nine columns have changed: age and chol are larger."
        if hours < 9
        else "No column has changed.",
        figures={"columns": columns, "threshold": 0.15},
        assumptions="Patients are independent of each other.",
    )


def performance_report() -> MonitorReport:
    return report_row(
        "sms_spam",
        "performance",
        "warn",
        utc_now() - timedelta(minutes=20),
        p_value=0.03,
        score=0.9,
        method="exact binomial test against the accuracy at registration",
        sentence="Accuracy is 0.9000 of 600 labels; 0.9600 was measured at registration.",
        figures={"accuracy": 0.9, "baseline": 0.96, "interval": [0.873, 0.921]},
        assumptions="Labelled messages are a fair sample.",
    )


def run_row(at: datetime, state: str, error: str | None, board: list) -> Run:
    return Run(
        id=new_id(at),
        model="sms_spam",
        kind="train",
        state=state,
        job_id=new_id(at),
        spec_version=1,
        candidates=[{"kind": "logistic_regression"}],
        parameters={},
        metrics={},
        leaderboard=board,
        trigger="panel",
        reason="fresh data",
        author="ana",
        at=at,
        started_at=at,
        finished_at=at + timedelta(seconds=41),
        version=None if error else "3.0.0",
        error=error,
    )


EVIDENCE = {
    "fact": "accuracy.current",
    "label": "accuracy now",
    "value": 0.9,
    "interval": [0.873, 0.921],
    "n": 600,
    "link": "/performance?model=sms_spam",
}


def basis(severity: str, incident_id: str | None = None) -> Basis:
    return Basis(
        severity=severity,
        confidence=0.9,
        reasoner="rules",
        evidence=[EVIDENCE],
        expected={"metric": "accuracy", "effect": 0.05, "low": 0.02, "high": 0.08, "n": 600},
        incident_id=incident_id,
    )


def delivery(state: str, subject: str, error: str | None, now: datetime) -> Delivery:
    return Delivery(
        id=new_id(now),
        channel="slack",
        subject=subject,
        payload={},
        state=state,
        attempts=8 if error else 1,
        next_at=now,
        last_error=error,
        created_at=now,
        sent_at=None if error else now,
    )
