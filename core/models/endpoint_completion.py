"""A rendered prompt continued by an OpenAI-compatible server (``/completions``), piece by piece, on any thread.

For a persona behind vLLM: the prompt goes as it is, because ``core.prompts`` alone applies a chat template, and an
adapter is asked for by its name (vLLM's ``--lora-modules NAME=PATH``). Heavy, as ``endpoint_stream`` is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from core.errors import ModelError
from core.models.endpoint_stream import StreamingEndpoint, finish_of, request_body, words_of
from core.models.generation import Finish


class CompletionEndpoint(StreamingEndpoint):
    """One server that goes on with a text."""

    path = "/completions"
    missing = "serve the adapter under its name, as with vllm serve --enable-lora --lora-modules {model}=FOLDER"

    def stream(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        stop: Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        within: float,
    ) -> Generator[str, None, Finish]:
        """Yield the continuation in pieces and return how it ended; closing it closes the connection, which stops
        the server. Raises ModelError."""
        body = request_body(model, max_tokens, temperature, seed, stop, logit_bias) | {
            "prompt": prompt,
            # vLLM's own: the chat template has written every token that a prompt begins with.
            "add_special_tokens": False,
        }
        finish: Finish | None = None
        with self.choices(body, within) as choices:
            for choice in choices:
                if text := words_of(choice["text"]):
                    yield text
                finish = finish_of(choice.get("finish_reason")) or finish
        if finish is None:
            raise ModelError(f"{self.host} ended its answer without a reason", "ask again")
        return finish
