"""One gate for text: nothing reaches the terminal but through ``tui.widgets.text`` and ``tui.widgets.inputs``.

Textual's and Rich's own widgets for words let escape sequences pass and take ``[brackets]`` for markup. So:

- ``textual.widgets``, ``rich`` and markup are imported by the gate alone;
- a ``Content`` is named elsewhere only as a type: it is made, and markup is read, in the gate alone;
- no ``notify``, ``tooltip`` or ``border_title`` carries words, and no widget renders a bare string.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TUI = Path(__file__).parents[2] / "tui"
GATE = {"widgets/text.py", "widgets/inputs.py"}
OWN_WIDGETS = ("textual.widgets", "rich", "textual.markup", "textual.visual")
NOT_WORDS = {"textual.visual": {"Visual"}}
"""What the gate's neighbours may take: it lays out what was cleaned."""
MAKERS = {"from_markup", "from_ansi", "from_rich_text", "visualize"}
ATTRIBUTES = {"border_title", "border_subtitle", "tooltip"}


def breaches(source: str) -> list[str]:
    """Where a module goes around the gate, as ``line: what``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: import {each.name}" for each in node.names if _own(each.name)]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {each.name for each in node.names} - NOT_WORDS.get(module, set())
            if names and (_own(module) or (module == "textual" and "widgets" in names)):
                found.append(f"{node.lineno}: from {module} import {', '.join(sorted(names))}")
        elif isinstance(node, ast.Call):
            called = node.func
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name == "Content" or name in MAKERS:
                found.append(f"{node.lineno}: {name}(…)")
            if name == "notify" and not any(
                each.arg == "markup" and isinstance(each.value, ast.Constant) and each.value.value is False
                for each in node.keywords
            ):
                found.append(f"{node.lineno}: notify without markup=False")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Content":
            found.append(f"{node.lineno}: Content.{node.attr}")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in ATTRIBUTES and not _empty(node.value):
                    found.append(f"{node.lineno}: {target.attr} = …")
        elif isinstance(node, ast.FunctionDef) and node.name == "render" and not _returns_content(node):
            found.append(f"{node.lineno}: render returns what Textual may read as markup")
    return found


def _own(module: str) -> bool:
    return any(module == each or module.startswith(each + ".") for each in OWN_WIDGETS)


def _empty(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in ("", None)


def _returns_content(function: ast.FunctionDef) -> bool:
    return function.returns is not None and ast.unparse(function.returns) == "Content"


@pytest.mark.parametrize("path", sorted(TUI.rglob("*.py")), ids=lambda path: str(path.relative_to(TUI)))
def test_no_module_goes_around_the_gate(path: Path) -> None:
    if str(path.relative_to(TUI)) not in GATE:
        assert breaches(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from textual.widgets import Label",
        "from textual import widgets",
        "import rich.text",
        "from rich.markup import escape",
        "from textual.visual import visualize",
        "line = Content('x')",
        "line = Content.from_markup(name)",
        "self.notify(text)",
        "self.notify(text, markup=True)",
        "box.border_title = name",
        "self.tooltip = name",
        "class W:\n    def render(self) -> str:\n        return name",
    ],
)
def test_ways_around_the_gate_are_seen(source: str) -> None:
    assert breaches(source)


@pytest.mark.parametrize(
    "source",
    [
        "from textual.content import Content\ndef lines() -> list[Content]: ...",
        "self.notify(text, markup=False)",
        "box.border_title = ''",
        "from textual.visual import Visual",
        "class W:\n    def render(self) -> Content:\n        return words(name)",
    ],
)
def test_the_gate_itself_is_open(source: str) -> None:
    assert not breaches(source)
