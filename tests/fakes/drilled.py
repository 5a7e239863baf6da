"""A finished drill, as the record of one looks."""

from core.automation.drill.kinds import EXPECTED


def result(*, good=True):
    marks = [{"what": "noticed", "good": good, "sentence": "Noticed after 2 checks [now](x)."}]
    report = {"state": "fail", "score": 0.4, "p_value": 0.001, "n": 120, "sentence": "Changed."}
    one = {"hours": 0.25, "opened": [], "resolved": [], "reports": {"drift": report}}
    opened = [{"cause": "drift", "severity": "high", "title": "Drifted", "check": 2}]
    return {
        "score": {
            "detected": good, "checks": 2, "hours": 0.5, "false_alarms": 0,
            "marks": marks, "share": float(good), "sentence": "5 of 5: noticed after 2 checks.",
        },
        "incidents": opened,
        "diagnosis": {
            "decision": "retrain", "severity": "high", "rule": "drift ladder",
            "title": "Retrain it", "reasoning": "The inputs have changed.", "proposes": "retrain",
        },
        "expected": {**vars(EXPECTED["drift"])},
        "timeline": [
            {**one, "check": 1, "changed": False},
            {**one, "check": 2, "changed": True, "opened": opened},
        ],
        "rows": 120, "quiet": 1, "minutes": 15.0, "seconds": 3.2,
    }  # fmt: skip
