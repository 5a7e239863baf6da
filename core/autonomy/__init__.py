"""Earned autonomy: what may be carried out without a person, and how that leave is lost.

A leave is given by two people, and counts only while the record of that kind of action on that
model is good enough; the first bad outcome ends it. An approved policy version allows one thing by
itself: the retraining in the middle of the drift ladder, which yields a candidate.
"""

from core.autonomy.acting import check_leave, consider
from core.autonomy.ladder import Rung, ladder, may_act, rung
from core.autonomy.leaves import grant_in, granted, propose, withdraw, withdraw_in

__all__ = [
    "Rung",
    "check_leave",
    "consider",
    "grant_in",
    "granted",
    "ladder",
    "may_act",
    "propose",
    "rung",
    "withdraw",
    "withdraw_in",
]
