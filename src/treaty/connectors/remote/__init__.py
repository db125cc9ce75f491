"""Folders that are elsewhere, for the connector ``files``: a prefix of S3 or a directory of SFTP, reached through fsspec and the egress gate.

Other protocols of fsspec are refused: their clients resolve names and find credentials by themselves.
"""
