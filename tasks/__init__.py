"""What is done once, from files to files: plain functions, one file per step; no Prefect here."""
