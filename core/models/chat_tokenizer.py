"""Tokens and the chat template of a base model, without importing torch.

Every stage that counts tokens or writes a prompt uses this, so a prompt costs the same to import everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from core.errors import ModelError
from core.models.hub import fetch
from core.models.packaged import resolve_persona

_TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"]


class ChatTokenizer:
    """A tokenizer and its chat template, read from a model's folder."""

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception for every cause.
            raise ModelError(
                f"{folder} has no readable tokenizer.json: {error}", "name a model folder that transformers can load"
            ) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        config = _json(folder / "tokenizer_config.json")
        self._special = {
            name: _token_text(config[name]) for name in ("bos_token", "eos_token", "pad_token") if config.get(name)
        }
        self._control = _control_tokens(folder / "tokenizer.json")
        self.control_ids = tuple(
            int(token["id"])
            for token in _json(folder / "tokenizer.json").get("added_tokens", [])
            if token.get("special")
        )
        """Ids of the tokens that are marks, not text: ends, beginnings, padding."""
        template = folder / "chat_template.jinja"
        self.template = template.read_text("utf-8") if template.is_file() else config.get("chat_template")
        if not isinstance(self.template, str) or not self.template.strip():
            raise ModelError(
                f"the base model at {folder} has no chat template",
                "use its instruct version, or put a chat_template.jinja beside its tokenizer",
            )
        self.fingerprint = hashlib.sha256(
            (folder / "tokenizer.json").read_bytes() + self.template.encode()
        ).hexdigest()[:12]

    def plain(self, text: str) -> str:
        """Outside text with the spelling of control tokens broken, so that it cannot end a turn or forge one."""
        if self._control is None:
            return text
        return self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def encode(self, text: str) -> list[int]:
        """Token ids of exactly this text, nothing added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def count(self, text: str) -> int:
        return len(self.encode(text))

    def render(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool) -> str:
        """The messages through the model's chat template. Raises ModelError when the template refuses them."""
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            rendered, _ = render_jinja_template(
                conversations=[list(messages)],
                chat_template=self.template,
                add_generation_prompt=add_generation_prompt,
                **self._special,
            )
        except Exception as error:  # A template is code of the model's author; it may raise anything.
            raise ModelError(f"the chat template refused the messages: {error}", "try another base model") from None
        text: str = rendered[0]
        return text


def model_folder(name: str, weights: bool = True) -> Path:
    """A folder with the model's files: packaged, a path, or fetched from the model hub.

    Raises ModelError when it is in none of these places.
    """
    found = resolve_persona(name, "transformers")
    if isinstance(found, Path):
        if found.is_file() and not weights and (found.parent / "tokenizer.json").is_file():
            return found.parent
        if not found.is_dir():
            raise ModelError(
                f"{found} is not a model folder",
                "name a folder that transformers can load; beside a GGUF file, put the model's tokenizer files",
            )
        return found
    patterns = [*_TOKENIZER_FILES, "config.json", "generation_config.json"]
    if weights:
        patterns += ["*.safetensors", "*.safetensors.index.json"]
    return fetch(found, patterns)


def load_tokenizer(name: str) -> ChatTokenizer:
    """The tokenizer of a model by its name, without its weights."""
    return ChatTokenizer(model_folder(name, weights=False))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def _control_tokens(path: Path) -> re.Pattern[str] | None:
    """What spells a special token of two characters or more in this tokenizer."""
    added = _json(path).get("added_tokens", [])
    spelled = sorted((token["content"] for token in added if token.get("special")), key=len, reverse=True)
    long = [re.escape(text) for text in spelled if len(text) > 1]
    return re.compile("|".join(long)) if long else None


def _token_text(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else str(token["content"])
