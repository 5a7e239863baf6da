"""All tables in one place, so that features never import one another to join.

`entities` change only inside a command, `operational` rows through `keep`, `telemetry` through
`append`: `core.db` reads the group of a table from its metadata and refuses the wrong verb.
"""

from core.tables import access, decisions, entities, operational, telemetry
from core.tables.base import Table

__all__ = ["Table", "access", "decisions", "entities", "operational", "telemetry"]
