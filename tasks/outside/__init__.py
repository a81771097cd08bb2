"""The only code that speaks to another system, one system per file."""
