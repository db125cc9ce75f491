"""The one place that opens DuckDB and PostgreSQL."""

from treaty.sessions.session import Session, open_session

__all__ = ["Session", "open_session"]
