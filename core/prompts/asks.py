"""Prompts of the writer and the judge: one file each, a ``system`` and a ``user`` block, overridable per workspace.

What is the same for every ask stands in the system block, so that a server's prefix cache hits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import SettingsError
from core.models.generation import Said
from core.prompts.render import template_source

BLOCKS = ("system", "user")


class AskPrompt:
    """One prompt file, the package's or a workspace's own."""

    def __init__(self, name: str, overrides: Path | None = None) -> None:
        """``name`` without its suffix; ``overrides`` is the workspace's folder of prompts. Raises SettingsError."""
        file = f"{name}.j2"
        source = template_source(file, overrides)
        self.fixed_characters = len(source)
        """Length of the file: about what it adds to each ask."""
        self.version = hashlib.sha256(source.encode()).hexdigest()[:12]
        """Hash of the file: part of every key of what was asked with it."""
        self._file = file
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        environment.filters["fenced"] = _fenced
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise SettingsError(f"prompts/{file}, line {error.lineno}: {error.message}", "mend that line") from None
        missing = [block for block in BLOCKS if block not in self._template.blocks]
        if missing:
            raise SettingsError(f"prompts/{file} has no block {missing[0]!r}", "take the packaged file as a pattern")

    def messages(self, **values: object) -> tuple[Said, ...]:
        """The system and the user message for these values. Raises SettingsError for a name that the file invents."""
        said = []
        for role in BLOCKS:
            try:
                content = "".join(self._template.blocks[role](self._template.new_context(values))).strip()
            except jinja2.TemplateError as error:
                raise SettingsError(f"prompts/{self._file}: {error}", "take the packaged file as a pattern") from None
            said.append(Said("system" if role == "system" else "user", content))
        return tuple(said)


def _fenced(text: str) -> str:
    """Outside text between marks that it cannot close."""
    return f"<<<\n{text.replace('<<<', '< < <').replace('>>>', '> > >').strip()}\n>>>"
