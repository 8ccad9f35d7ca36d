"""Fine-tuning at a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.settings.section import BASE_URL_FORM, Section, is_base_url

PROVIDERS: Mapping[str, tuple[str, str]] = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "nebius": ("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
}
"""Hosts that fine-tune by OpenAI's interface (platform.openai.com/docs/guides/supervised-fine-tuning,
docs.tokenfactory.nebius.com/post-training): where, and the variable that their own examples keep the key in."""


class HostedSettings(Section):
    """Fine-tuning at a host that speaks OpenAI's interface: ``/files`` and ``/fine_tuning/jobs``."""

    provider: Literal["", "openai", "nebius"] = ""
    """Whose address and key variable are taken (``PROVIDERS``); empty where ``base_url`` names the host."""
    base_url: str = ""
    """Where another host answers, up to what stands before ``/files``."""
    api_key_env: str = ""
    """The name of the variable that holds the key, never the key; empty takes the provider's, or none."""
    model: str = ""
    """What is fine-tuned, by the host's name for it."""
    suffix: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """Part of the new model's name at the host (OpenAI: up to 64 characters); empty leaves it to the host."""
    epochs: Annotated[int, Field(ge=1, le=50)] = 3
    """Times through the file; hosts charge for each."""
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """What the host charges for a million trained tokens, in any currency; 0 is not known, or free."""
    max_cost: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    """A job that would cost more is not started; in the currency of ``price``. None is no cap."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    """Seconds for one whole request, the upload among them; the job itself may take days."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often one request is made before the run stops; it can be resumed."""
    poll: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """Seconds between two looks at the job."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.provider and self.base_url:
            raise ValueError("name a provider or a base_url, not both")
        if self.base_url and not is_base_url(self.base_url):
            raise ValueError(f"base_url must read like https://host.example/v1, {BASE_URL_FORM}")
        if self.max_cost is not None and not self.price:
            raise ValueError("max_cost needs a price per million trained tokens")
        return self

    @property
    def address(self) -> str:
        """Where the host answers; empty where none is named."""
        return self.base_url or PROVIDERS.get(self.provider, ("", ""))[0]

    @property
    def key_variable(self) -> str:
        """The variable that holds the key; empty for a host that asks for none."""
        return self.api_key_env or PROVIDERS.get(self.provider, ("", ""))[1]
