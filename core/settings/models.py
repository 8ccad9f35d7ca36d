"""The four roles and their engines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.settings.places import placed
from core.settings.section import BASE_URL_FORM, Section, is_base_url

EngineName = Literal["sentence-transformers", "extractive", "llama.cpp", "transformers", "endpoint"]
CALLS_AT_ONCE: Mapping[str, int] = {"endpoint": 32, "llama.cpp": 4, "transformers": 16}
"""Calls that an engine is given at once where ``concurrency`` says nothing. For ``transformers`` it is the batch."""


class PriceSettings(Section):
    """What a server charges for a million tokens, in any currency; 0 is free."""

    prompt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    answer: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class RoleSettings(Section):
    """One role's engine. ``model`` is a packaged name, a hub name, a path, or a name that the endpoint knows."""

    engine: EngineName
    model: str = ""
    base: str = ""
    """For a persona behind an endpoint: the base model whose tokenizer and chat template render its prompts, where
    ``model`` is only what the endpoint calls it. Empty: ``model``."""
    base_url: str = ""
    """Where an endpoint answers, up to what stands before ``/chat/completions``."""
    api_key_env: str = ""
    """The name of the variable that holds the key, never the key; empty for a server that asks for none."""
    concurrency: Annotated[int | None, Field(ge=1, le=1024)] = None
    """Calls at once, at the most; None takes ``CALLS_AT_ONCE``."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    """Seconds for one whole call."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often one thing is asked before it is parked."""
    max_calls: Annotated[int | None, Field(ge=0)] = None
    """Calls of one run; None is no cap, here and below."""
    max_tokens: Annotated[int | None, Field(ge=0)] = None
    """Tokens of one run's prompts and answers together."""
    max_cost: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    """What one run may cost, in the currency of ``price``."""
    price: PriceSettings = PriceSettings()
    batch: bool = False
    """Many asks go as one file to the server's batch interface: cheaper, and answered within a day."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.engine == "endpoint":
            if not self.base_url or not self.model:
                raise ValueError("the engine endpoint needs base_url and model")
            if not is_base_url(self.base_url):
                raise ValueError(f"base_url must read like http://127.0.0.1:8000/v1, {BASE_URL_FORM}")
        if not self.model and self.engine != "extractive":
            raise ValueError(f"the engine {self.engine} needs a model")
        if self.batch and self.engine != "endpoint":
            raise ValueError("batch needs the engine endpoint")
        if self.max_cost is not None and not (self.price.prompt or self.price.answer):
            raise ValueError(
                "max_cost needs a price: [models.<role>.price] prompt = ..., answer = ... per million tokens"
            )
        return self

    def placed(self, folder: Path) -> Self:
        """The same with the models that are paths found from ``folder`` on; what an endpoint calls its own stays."""
        own = {"base": placed_model(self.base, folder)}
        if self.engine != "endpoint":
            own["model"] = placed_model(self.model, folder)
        return self.model_copy(update=own)

    @property
    def slots(self) -> int:
        """Calls at once, at the most."""
        return self.concurrency or CALLS_AT_ONCE.get(self.engine, 1)


NOT_OF_PERSONAS: Mapping[str, str] = {
    "attempts": "an answer that fails is not asked for again by itself",
    "batch": "an answer is spoken as it comes",
}
"""What guards the calls of other roles only."""
CAPS = ("max_calls", "max_tokens", "max_cost")
"""What one run may use of a server."""


class PersonaSettings(RoleSettings):
    """What speaks as the target."""

    api: Literal["completions", "chat"] = "completions"
    """How a persona behind an endpoint is asked. ``completions``: its prompt goes rendered, as vLLM continues one for a
    base and its adapters. ``chat``: the messages go, and the server renders them; any chat model can be the persona,
    and it may call functions. ``base`` then only counts tokens and breaks what spells their marks."""

    @model_validator(mode="after")
    def _asked_somewhere(self) -> Self:
        if self.api == "chat" and self.engine != "endpoint":
            raise ValueError('api = "chat" needs the engine endpoint')
        return self

    @property
    def idle(self) -> dict[str, str]:
        """What is set and does nothing for this persona, and why; harmless, so no workspace is closed for it."""
        fields = type(self).model_fields
        idle = {name: why for name, why in NOT_OF_PERSONAS.items() if getattr(self, name) != fields[name].default}
        if self.engine != "endpoint":
            why = f"the engine {self.engine} speaks on this machine, where nothing is counted"
            idle |= {name: why for name in CAPS if getattr(self, name) is not None}
        return idle


DEFAULTS: Mapping[str, dict[str, str]] = {
    "embedder": {"engine": "sentence-transformers", "model": "all-MiniLM-L6-v2"},
    "writer": {"engine": "extractive"},
    "judge": {"engine": "transformers", "model": "SmolLM2-135M-Instruct"},
    "persona": {"engine": "llama.cpp", "model": "SmolLM2-135M-Instruct"},
}
"""Each role's engine and model where the settings say nothing."""
OF_ENDPOINTS = frozenset({"base_url", "api_key_env", "price", "batch", "api"})
"""What only an endpoint has."""


def placed_model(name: str, folder: Path) -> str:
    """A model's name; one that is a path relative to ``folder`` as a whole path. The defaults are never taken for one.

    A path from the root or from ~ on is the same from anywhere as it is.
    """
    if not name or name.startswith(("/", "~")) or any(name == default.get("model") for default in DEFAULTS.values()):
        return name
    whole = placed(name, folder)
    try:
        return whole if name.startswith(".") or Path(whole).exists() else name
    except OSError:  # No file can go by this name.
        return name


def _names_its_own(own: Mapping[str, object], default: Mapping[str, str]) -> bool:
    """Whether what is given of a role means an engine that is not the default one, named or forgotten."""
    if "engine" in own:
        return own["engine"] == "endpoint"
    return bool(own.keys() & OF_ENDPOINTS) or ("model" in own and "model" not in default)


class ModelSettings(Section):
    """The four roles."""

    embedder: RoleSettings = RoleSettings.model_validate(DEFAULTS["embedder"])
    writer: RoleSettings = RoleSettings.model_validate(DEFAULTS["writer"])
    judge: RoleSettings = RoleSettings.model_validate(DEFAULTS["judge"])
    persona: PersonaSettings = PersonaSettings.model_validate(DEFAULTS["persona"])

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, given: object) -> object:
        """A role of which only a part is given has the rest of its default."""
        if not isinstance(given, dict):
            return given
        roles = {role: (default, given.get(role)) for role, default in DEFAULTS.items()}
        return given | {
            role: default | own
            for role, (default, own) in roles.items()
            if isinstance(own, dict) and not _names_its_own(own, default)
        }

    def placed(self, folder: Path) -> Self:
        """The same with the models that are paths found from ``folder`` on."""
        return self.model_copy(update={name: role.placed(folder) for name, role in self})

    @property
    def base(self) -> str:
        """The base model of training, rendering and talking: the persona's, by its name on this machine."""
        return self.persona.base or self.persona.model
