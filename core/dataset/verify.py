"""Check a frozen dataset against the store: what was trained on is what the twin would be asked today."""

from __future__ import annotations

from core.dataset.build import renderer_of
from core.dataset.scenes import conversation_scene
from core.prompts.render import Message
from core.store.conversations import ExchangeRow, exchanges_of, list_conversations
from core.store.datasets import DatasetRow, ExampleRow, examples_of
from core.workspace import Workspace


def parity_problems(workspace: Workspace, dataset: DatasetRow) -> list[str]:
    """What differs, for each sample whose conversation is still there, between its text and a prompt made afresh.

    The prompt for every answer is rendered from the stored exchange, as the twin's would be, and must be exactly the
    sample's text before that answer.
    """
    renderer = renderer_of(workspace, dataset.settings["base"])
    problems = []
    if renderer.version != dataset.settings["prompts"]:
        problems.append("the prompt files have changed since this dataset was frozen")
    if renderer.tokenizer.fingerprint != dataset.settings["tokenizer"]:
        problems.append("the base model's tokenizer or template has changed since this dataset was frozen")
    conversations = {}
    for row in list_conversations(workspace.database):
        exchanges = [exchange for exchange in exchanges_of(workspace.database, row.id) if exchange.question]
        scene = conversation_scene(workspace.settings, workspace.target, row, exchanges)
        conversations[row.uid] = (scene, {exchange.uid: exchange for exchange in exchanges})
    for example in examples_of(workspace.database, dataset.id):
        known = conversations.get(example.conversation_uid)
        if known is None or any(part.exchange_uid not in known[1] for part in example.parts):
            problems.append(f"sample {example.position + 1}: its conversation has changed or is gone")
            continue
        scene, exchanges_by_uid = known
        fresh = renderer.messages(scene, [])[0].content
        if example.messages[0]["content"] != fresh:
            problems.append(f"sample {example.position + 1}: its scene would be written otherwise today")
        problems += _answer_problems(example, exchanges_by_uid)
        text = "".join(segment.text for segment in renderer.segments(_messages(example)))
        for index, message in enumerate(example.messages):
            if message["role"] == "assistant" and not text.startswith(renderer.prompt(_messages(example)[:index])):
                problems.append(
                    f"sample {example.position + 1}: the prompt for turn {index // 2} differs from its text"
                )
    return problems


def _answer_problems(example: ExampleRow, exchanges: dict[str, ExchangeRow]) -> list[str]:
    answers = [message["content"] for message in example.messages if message["role"] == "assistant"]
    wanted = [exchanges[part.exchange_uid].answer.strip() for part in example.parts]
    if answers != wanted:
        return [f"sample {example.position + 1}: its answers are not those of the corpus"]
    questions = [message["content"] for message in example.messages if message["role"] == "user"]
    off = [
        question
        for question, part in zip(questions, example.parts, strict=True)
        if not question.startswith(exchanges[part.exchange_uid].question.strip())
    ]
    return [f"sample {example.position + 1}: a question is not that of the corpus"] if off else []


def _messages(example: ExampleRow) -> list[Message]:
    return [Message(message["role"], message["content"], message["trained"]) for message in example.messages]
