"""The same work, done by each tool the way its manual recommends: ``python -m peers.NAME load FILE STORE`` from ``bench/``."""
