"""Formats of files, one module each; the table of them is ``treaty.project.formats``."""
