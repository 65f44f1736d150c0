"""SQLAlchemy: tables, constraints, the only commit, and queries that return domain records."""
