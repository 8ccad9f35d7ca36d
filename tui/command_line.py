"""The commands by name: each is imported only when it is called, and every error becomes one clear line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core.errors import SimuleeError, UsageError
from tui.face import detach_stdout, fail
from tui.safe_text import safe

ClickException: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of usage errors; Typer carries its own copy of click and exports it only through its subclasses."""

PHASES: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "The whole journey on the sample target, offline.",
        "go": "The whole journey on your own words.",
        "new": "Make a workspace for one target.",
    },
    "Corpus": {
        "import": "Bring in writings and conversations.",
        "journal": "Write an entry, dated now; out and in.",
        "formats": "What can be imported, and how it is told.",
        "corpus": "Look at what is there.",
        "embed": "Cut new text into passages and embed them.",
        "search": "Find passages, as every stage finds them.",
    },
    "Memories": {
        "recall": "Recall memories for every question that was asked.",
        "review": "Accept or reject them.",
    },
    "Twin": {
        "dataset": "Freeze, inspect and export training data.",
        "train": "Fine-tune on a frozen dataset.",
        "adapters": "What was trained, and which the twin uses.",
        "evaluate": "Measure the twin on interviews it never saw.",
        "chat": "Talk with the twin.",
        "feedback": "Rate, correct, compare; say what is so.",
        "sessions": "What was said: find, export, bring back.",
        "pairs": "Which of two answers is better: list, in, out.",
        "serve": "The twin for other programs, over loopback.",
        "join": "The twin as a co-host in a chat.",
    },
    "Workshop": {
        "web": "The workbench in a browser on this machine.",
        "models": "Roles, engines, and what each needs.",
        "consent": "Which hosts may receive your words.",
        "ledger": "What was sent to a model, where, and what came.",
        "runs": "Long work: list, follow, cancel, resume.",
        "keys": "The workbench's keys, and how to change them.",
        "pack": "The workspace as one file, for another machine.",
        "unpack": "A workspace from such a file.",
        "merge": "Bring back what was done on another machine.",
        "trace": "Walk from anything to where it came from.",
        "doctor": "Check the workspace, the models, the machine.",
    },
}
COMMANDS = {name: text for phase in PHASES.values() for name, text in phase.items()}


class LazyGroup(TyperGroup):
    """Knows the names and one line of every command, and imports none of them to say so."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tui.commands.{cmd_name.replace('import', 'import_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("simulee", "COMMAND [OPTIONS]")
        formatter.write_paragraph()
        formatter.write_text("A workbench that turns a person's own words into a faithful, inspectable model of them.")
        width = max(len(name) for name in COMMANDS)
        for phase, commands in PHASES.items():
            with formatter.section(phase):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])
        formatter.write_paragraph()
        formatter.write_text("Every command: -w DIR, --json, -q, -v, and -h with an example.")
        formatter.write_text("First: simulee demo. Which one this is: simulee --version")


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    ctx: typer.Context,
    workspace: Annotated[Path | None, typer.Option("--workspace", "-w", metavar="DIR")] = None,
    screen: Annotated[str, typer.Option("--screen", help="Which screen to open.")] = "",
    theme: Annotated[str, typer.Option("--theme", help="simulee-dark, simulee-light, or one of Textual's.")] = "",
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which simulee this is.")] = False,
) -> None:
    """Without a command: the workbench; off a terminal, where the workspace here stands."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"simulee {version_of('simulee')}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        if workspace or screen or theme or no_mouse:
            raise UsageError(
                f"these options are for the workbench, not for `{ctx.invoked_subcommand}`",
                f"put -w after the command: simulee {ctx.invoked_subcommand} -w DIR",
            )
    else:
        # On a terminal `tui.cli` has opened it already; these options are here for -h, and for what is not a terminal.
        from tui.overview import show_overview

        show_overview(workspace)


def run(arguments: list[str]) -> int:
    """Run one command. Every error a user can act on becomes one line, a hint and its exit code."""
    as_json = "--json" in arguments
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="simulee", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SimuleeError as error:
        return fail(error, as_json)
    except ClickException as error:
        told: Any = error
        hint = told.ctx.command_path + " -h shows what it takes" if getattr(told, "ctx", None) else "simulee -h"
        problem = SimuleeError(told.format_message(), hint)
        problem.exit_code = told.exit_code
        return fail(problem, as_json)
    except typer.Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nsimulee: interrupted\n")
        return 130
    except BrokenPipeError:
        detach_stdout()
        return 0
    except OSError as error:
        return fail(SimuleeError(_refusal(error), "check the path, its permissions and the space on the disk"), as_json)
    except Exception as error:
        # Tokenizers say TypeError of text that is none. What else cannot be encoded may be a secret: it is not quoted.
        odd = next((each for each in arguments if not _is_text(each)), None)
        if odd is not None and isinstance(error, UnicodeEncodeError | TypeError):
            return fail(UsageError(f"{odd!r} is not text: some of its bytes are no UTF-8", "simulee -h"), as_json)
        # A defect: its traceback is for whoever mends it, and can quote outside text.
        import traceback

        sys.stderr.write(safe(traceback.format_exc()))
        return 1


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)


def _refusal(error: OSError) -> str:
    """What the system refused, and for which file where it says so; a name too long to read is cut."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{str(error.filename)[:200]}: {reason}"
