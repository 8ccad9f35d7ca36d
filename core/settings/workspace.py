"""``persona.toml`` as a whole: read, checked, and told with what it says itself."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from core.errors import SettingsError
from core.settings.hosted import HostedSettings
from core.settings.memory import RecallSettings, RetrievalSettings
from core.settings.models import NOT_OF_PERSONAS, ModelSettings, PersonaSettings, PriceSettings, RoleSettings
from core.settings.places import placed
from core.settings.section import Section, first_problem
from core.settings.training import DatasetSettings, DpoSettings, RetrieverSettings, TrainingSettings
from core.settings.twin import JournalSettings, PrivacySettings, RoomSettings, SpeakerSettings, TwinSettings

_TABLE = re.compile(r"\s*\[+([^\]]+)\]")
_KEY = re.compile(r"\s*([^=#]+?)\s*=")


class Settings(Section):
    """All of ``persona.toml``."""

    name: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""
    """One or two timeless sentences for every prompt; empty by default, since facts change with the date."""
    models: ModelSettings = ModelSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    recall: RecallSettings = RecallSettings()
    dataset: DatasetSettings = DatasetSettings()
    training: TrainingSettings = TrainingSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    privacy: PrivacySettings = PrivacySettings()
    twin: TwinSettings = TwinSettings()
    room: RoomSettings = RoomSettings()
    journal: JournalSettings = JournalSettings()
    speakers: dict[str, SpeakerSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _begun_by_the_twin(self) -> Self:
        if self.models.persona.api == "chat" and self.dataset.memory_form == "thinking":
            raise ValueError(
                'messages cannot begin an answer with its thinking: set [dataset] memory_form = "question",'
                ' or [models.persona] api = "completions"'
            )
        return self

    def placed(self, folder: Path) -> Self:
        """The same with every model and file that a path names found from ``folder`` on."""
        text = self.training.general_text
        return self.model_copy(
            update={
                "models": self.models.placed(folder),
                "training": self.training.model_copy(update={"general_text": placed(text, folder) if text else ""}),
            }
        )

    @property
    def judges_by_likelihood(self) -> bool:
        """Whether the judge compares likelihoods, rather than being asked."""
        method = self.recall.judgement
        return method == "likelihood" or (method == "auto" and self.models.judge.engine == "transformers")

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.name, *self.aliases) if name)


def load_settings(path: Path) -> Settings:
    """Read ``persona.toml``, whose paths are from its own folder on.

    Raises SettingsError with the line or the key that is off.
    """
    return parse_settings(_read(path), str(path)).placed(path.parent)


def parse_settings(text: str, name: str) -> Settings:
    """Settings from the text of a ``persona.toml``. Raises SettingsError with the line and the key that are off."""
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name} is not valid TOML: {error}", "mend that line") from None
    except ValidationError as error:
        number = _line_of(text, [str(part) for part in error.errors()[0]["loc"]])
        where = f"{name}, line {number}" if number else name
        # A problem of the file as a whole is at no key of it, and begins with the colon that would follow one.
        problem = first_problem(error).removeprefix(": ")
        raise SettingsError(f"{where}: {problem}", "see the settings in the README") from None


class SettingsNow:
    """Settings as a file has them at the moment it is asked, whoever has changed it, and its paths as ``load_settings``
    finds them; for any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[str, Settings] | None = None

    def __call__(self) -> Settings:
        """Raises SettingsError."""
        text = _read(self._path)
        known = self._known
        if known is None or known[0] != text:
            known = self._known = text, parse_settings(text, str(self._path))
        # Placed anew each time: whether a name is a folder's hangs on what is on the disk.
        return known[1].placed(self._path.parent)


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting as it holds here."""

    section: str
    """``models``, ``retrieval``, …; empty for the target's own keys."""
    key: str
    value: str
    """As TOML would write it; empty for what a preset or nothing decides."""
    said: bool
    """Whether ``persona.toml`` says so; otherwise it is the default."""


def effective_settings(path: Path) -> list[EffectiveSetting]:
    """Every setting with its value and whether the file says it, section by section. Raises SettingsError.

    What guards the calls of a role is told for an endpoint, and elsewhere where the file says it.
    """
    text = _read(path)
    settings, said = parse_settings(text, str(path)), tomllib.loads(text)
    rows = []
    for name, value in settings:
        if not isinstance(value, Section):
            parts = {f"{name}.{each}": value[each].relation for each in value} if name == "speakers" else {name: value}
            section = "speakers" if name == "speakers" else ""
            rows += [
                EffectiveSetting(section, key.removeprefix("speakers."), _written(part), name in said)
                for key, part in parts.items()
            ]
            continue
        for key, part in value:
            told = said.get(name, {}).get(key)
            if isinstance(part, RoleSettings):
                rows += _role_rows(name, key, part, told or {})
            elif isinstance(part, HostedSettings):
                # Of nothing but the host that somebody named: without one it has nothing to say.
                rows += [
                    EffectiveSetting(name, f"{key}.{field}", _written(each), field in told)
                    for field, each in (part if told else ())
                ]
            elif isinstance(part, DpoSettings):
                rows += [
                    EffectiveSetting(name, f"{key}.{field}", _written(each), field in (told or {}))
                    for field, each in part
                ]
            else:
                rows.append(EffectiveSetting(name, key, _written(part), told is not None))
    return rows


def _role_rows(section: str, role: str, settings: RoleSettings, said: Mapping[str, object]) -> list[EffectiveSetting]:
    rows = []
    for field, value in settings:
        if isinstance(settings, PersonaSettings) and field in NOT_OF_PERSONAS:
            continue
        if not (settings.engine == "endpoint" or field in ("engine", "model") or field in said):
            continue
        if isinstance(value, PriceSettings):
            told = said.get(field)
            within: Mapping[str, object] = told if isinstance(told, dict) else {}
            rows += [
                EffectiveSetting(section, f"{role}.{field}.{name}", _written(each), name in within)
                for name, each in value
            ]
        else:
            rows.append(EffectiveSetting(section, f"{role}.{field}", _written(value), field in said))
    return rows


def _written(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", "check that you may read it") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "mend that line") from None


def _line_of(text: str, names: list[str]) -> int:
    """The line on which a key, or else the nearest table around it, is written; 0 when neither is found."""
    table: list[str] = []
    nearest = 0
    for number, line in enumerate(text.splitlines(), start=1):
        head = _TABLE.match(line)
        key = _KEY.match(line)
        if head:
            table = [part.strip(" \"'") for part in head[1].split(".")]
            nearest = number if table == names[: len(table)] else nearest
        elif key:
            written = table + [part.strip(" \"'") for part in key[1].split(".")]
            if written == names[: len(written)]:
                return number
    return nearest
