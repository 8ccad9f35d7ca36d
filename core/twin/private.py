"""From a workspace to what its twin must not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from core.corpus.written_dates import read_date
from core.models.embedder import Embedder
from core.store.texts import cleared_texts, private_texts, recall_only_texts, told_of_target
from core.twin.guard import Withheld
from core.twin.secrets import Secrets
from core.workspace import Workspace


def withheld_of(workspace: Workspace, embedder: Callable[[], Embedder], phrases: Sequence[str] = ()) -> Withheld:
    """The guard over all recall-only texts; ``phrases`` are never said. The embedder is loaded where there are such
    texts: its vocabulary says which words are ordinary."""
    database, settings = workspace.database, workspace.settings
    private = private_texts(database)
    # A journal names its entries by their day, which tells nothing and would make every such day a secret.
    titles = {title for title, _ in private if title and not read_date(title).known}
    secrets = None
    sayable = cleared_texts(database)
    if private:
        vocabulary = embedder()

        @cache
        def is_ordinary(word: str) -> bool:
            return len(vocabulary.token_spans(word)) == 1

        known = (workspace.target, settings.about, *settings.aliases, *settings.speakers)
        secrets = Secrets(
            [*(text for _, text in private), *titles], [*sayable, *told_of_target(database), *known], is_ordinary
        )
    return Withheld(recall_only_texts(database), settings.privacy.verbatim_words, phrases, secrets, sayable)
