"""Kills at fault points and at random moments."""
