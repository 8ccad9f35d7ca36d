"""Typed settings of a workspace: ``persona.toml``, every default with its source.

Everything is optional; the defaults are the embedded engines, which need no account, no key and no hub.
"""

from __future__ import annotations

from core.settings.hosted import PROVIDERS, HostedSettings
from core.settings.memory import RecallSettings, RetrievalSettings
from core.settings.models import CALLS_AT_ONCE, EngineName, ModelSettings, PersonaSettings, PriceSettings, RoleSettings
from core.settings.overrides import (
    dataset_settings,
    dpo_settings,
    hosted_settings,
    retriever_settings,
    role_settings,
    room_settings,
    training_settings,
)
from core.settings.section import Use
from core.settings.training import DPO_LOSSES, DatasetSettings, DpoSettings, RetrieverSettings, TrainingSettings
from core.settings.twin import JournalSettings, PrivacySettings, RoomSettings, SpeakerSettings, TwinSettings
from core.settings.workspace import (
    EffectiveSetting,
    Settings,
    SettingsNow,
    effective_settings,
    load_settings,
    parse_settings,
)

__all__ = [
    "CALLS_AT_ONCE",
    "DPO_LOSSES",
    "PROVIDERS",
    "DatasetSettings",
    "DpoSettings",
    "EffectiveSetting",
    "EngineName",
    "HostedSettings",
    "JournalSettings",
    "ModelSettings",
    "PersonaSettings",
    "PriceSettings",
    "PrivacySettings",
    "RecallSettings",
    "RetrievalSettings",
    "RetrieverSettings",
    "RoleSettings",
    "RoomSettings",
    "Settings",
    "SettingsNow",
    "SpeakerSettings",
    "TrainingSettings",
    "TwinSettings",
    "Use",
    "dataset_settings",
    "dpo_settings",
    "effective_settings",
    "hosted_settings",
    "load_settings",
    "parse_settings",
    "retriever_settings",
    "role_settings",
    "room_settings",
    "training_settings",
]
