"""Sections with some of their values overruled, as a command line does."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from core.errors import SettingsError
from core.settings.hosted import HostedSettings
from core.settings.models import RoleSettings
from core.settings.section import first_problem
from core.settings.training import DatasetSettings, DpoSettings, RetrieverSettings, TrainingSettings
from core.settings.twin import RoomSettings


def training_settings(base: TrainingSettings, overrides: Mapping[str, object]) -> TrainingSettings:
    """The settings with some overruled. Raises SettingsError for a value that cannot be."""
    try:
        return TrainingSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        raise SettingsError(first_problem(error), "`simulee train sft -h` shows what it takes") from None


def dataset_settings(base: DatasetSettings, overrides: Mapping[str, object]) -> DatasetSettings:
    """The settings with some overruled where they are not None. Raises SettingsError for a value that cannot be."""
    named = {key: value for key, value in overrides.items() if value is not None}
    try:
        return DatasetSettings.model_validate(base.model_dump() | named)
    except ValidationError as error:
        raise SettingsError(first_problem(error), "`simulee dataset build -h` shows what it takes") from None


def retriever_settings(base: RetrieverSettings, overrides: Mapping[str, object]) -> RetrieverSettings:
    """The settings with some overruled. Raises SettingsError for a value that cannot be."""
    try:
        return RetrieverSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        problem = first_problem(error).removeprefix(": ")
        raise SettingsError(problem, "`simulee train retriever -h` shows what it takes") from None


def room_settings(base: RoomSettings, overrides: Mapping[str, object]) -> RoomSettings:
    """The settings with some overruled where they are not None. Raises SettingsError for a value that cannot be."""
    named = {key: value for key, value in overrides.items() if value is not None}
    try:
        return RoomSettings.model_validate(base.model_dump() | named)
    except ValidationError as error:
        raise SettingsError(first_problem(error), "`simulee join irc -h` shows what it takes") from None


def dpo_settings(base: DpoSettings, overrides: Mapping[str, object]) -> DpoSettings:
    """The same for training on preferences. Raises SettingsError for a value that cannot be."""
    try:
        return DpoSettings.model_validate(base.model_dump() | dict(overrides))
    except ValidationError as error:
        raise SettingsError(first_problem(error), "`simulee train dpo -h` shows what it takes") from None


def role_settings(role: str, values: Mapping[str, object]) -> RoleSettings:
    """One role's settings from bare values. Raises SettingsError for values that cannot be."""
    try:
        return RoleSettings.model_validate(values)
    except ValidationError as error:
        # A problem of the role as a whole is at no key of it, and begins with the colon that would follow one.
        problem = first_problem(error).removeprefix(": ")
        raise SettingsError(f"{role}: {problem}", f"see [models.{role}] in persona.toml") from None


def hosted_settings(values: Mapping[str, object]) -> HostedSettings:
    """Settings of hosted fine-tuning from bare values. Raises SettingsError for values that cannot be."""
    try:
        return HostedSettings.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error).removeprefix(": ")
        raise SettingsError(f"hosted: {problem}", "see [training.hosted] in persona.toml") from None
