"""Prompts for the writer and the judge: files in pairs, ``NAME.system.j2`` and ``NAME.user.j2``.

What is the same for many asks stands in the first, so that a server computes it once. A workspace's own files of the
same names, in its ``prompts`` folder, come before the package's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import SettingsError
from core.models.generation import Said
from core.prompts.render import template_source


class AskingPrompt:
    """One pair of prompt files."""

    def __init__(self, name: str, overrides: Path | None = None) -> None:
        """Raises SettingsError for a file that is no template."""
        sources = {part: template_source(f"{name}.{part}.j2", overrides) for part in ("system", "user")}
        self.version = hashlib.sha256("\0".join(sources.values()).encode()).hexdigest()[:12]
        """Hash of the files: part of what a stage's results depend on."""
        self.fixed_characters = sum(map(len, sources.values()))
        """Length of the files: about what they add to each ask."""
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.DictLoader(sources), undefined=jinja2.StrictUndefined, autoescape=False
        )
        environment.filters["fenced"] = _fenced
        try:
            self._system = environment.get_template("system")
            self._user = environment.get_template("user")
        except jinja2.TemplateSyntaxError as error:
            raise SettingsError(
                f"prompts/{name}.{error.name}.j2, line {error.lineno}: {error.message}", "mend that line"
            ) from None

    def messages(self, **values: Any) -> tuple[Said, ...]:
        """The messages of one ask."""
        return (
            Said("system", self._system.render(values).strip()),
            Said("user", self._user.render(values).strip()),
        )


def _fenced(text: str) -> str:
    """Outside text between marks that it cannot close."""
    return f"<<<\n{text.replace('<<<', '< < <').replace('>>>', '> > >').strip()}\n>>>"
