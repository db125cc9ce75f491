"""What the connectors of databases share: settings, pages of rows, positions, and how a batch is written. Each adds its dialect."""
