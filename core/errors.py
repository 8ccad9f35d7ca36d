"""One hierarchy of errors: each says what happened, where, and what to do about it.

A face prints ``str(error)`` as one line and ``error.hint`` as the next, and leaves with ``error.exit_code``.
"""

from __future__ import annotations


class SimuleeError(Exception):
    """Base of every error that a user can act on.

    ``message`` says what happened and where, ``hint`` what to do; ``exit_code`` is 1 (failed) unless a subclass
    says otherwise.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[SimuleeError], tuple[str, str]]:
        return (type(self), (self.message, self.hint))


class UsageError(SimuleeError):
    """The request itself is off: a bad argument, an unknown id, a missing target."""

    exit_code = 2


class WorkspaceError(SimuleeError):
    """No workspace here, not a workspace, or one that this version cannot open."""


class NoWorkspaceError(WorkspaceError):
    """Nothing that is a workspace was found, where none was named."""


class StoreError(SimuleeError):
    """The database refused: newer schema, damaged file, full disk, unsafe file system."""


class SettingsError(SimuleeError):
    """``persona.toml`` holds something that is not a setting."""

    exit_code = 2


class ImportFailed(SimuleeError):
    """A source as a whole cannot be read; single bad records are ``Issue`` values instead."""


class ModelError(SimuleeError):
    """A model is not installed, cannot be loaded, or answered with something that is not an answer."""


class ConsentError(SimuleeError):
    """Words would leave for a host that no person has allowed to receive them."""


class BudgetError(SimuleeError):
    """A cap on calls, tokens or money is reached; finished work is kept."""


class RunError(SimuleeError):
    """A run cannot start, attach or resume."""


class DatasetError(SimuleeError):
    """A dataset cannot be built, or its guard found a leak."""


class TrainingError(SimuleeError):
    """Training cannot start or go on; the last verified checkpoint is kept."""


class TransferError(SimuleeError):
    """A pack cannot be made, is damaged or hostile, or does not belong to this workspace."""


class Interrupted(SimuleeError):
    """The user asked to stop; finished work is kept."""

    exit_code = 130
