"""What a project folder may declare, loaded into one immutable Project."""
