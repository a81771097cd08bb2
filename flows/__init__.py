"""When, where, how often and by whose leave: the only room that knows Prefect."""
