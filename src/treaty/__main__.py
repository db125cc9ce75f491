"""``python -m treaty``."""

from treaty.cli.main import run

run()
