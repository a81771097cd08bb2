"""Errors with a meaning for whoever called: each has its exit code and says one clear line."""

from __future__ import annotations


class MiarError(Exception):
    """What must hold, what came, where, and what to do, in one line."""

    code = 1


class BadRequest(MiarError):
    """A name, a parameter or a file of settings is wrong."""

    code = 2


class BadData(MiarError):
    """The data is not what it must be."""

    code = 3


class Refused(MiarError):
    """Something would be unsafe to do."""

    code = 4


class Unavailable(MiarError):
    """A service, a port, a disk or an address that is needed is not there."""

    code = 5
