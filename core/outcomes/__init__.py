"""What came of executed proposals: expected beside measured, a grade, and the record of a kind."""

from core.outcomes.due import MEASURED, grade_due
from core.outcomes.record import Record, needed, of, record, records

__all__ = ["MEASURED", "Record", "grade_due", "needed", "of", "record", "records"]
