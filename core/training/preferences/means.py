"""By what means a run on preferences trains, and how many judgements a step of it reads. Imports no torch."""

from __future__ import annotations

from core.errors import TrainingError
from core.settings import TrainingSettings
from core.training.means import Hardware, Means, Shape, chosen
from core.training.preferences.gathering import Method


def means_for(
    method: Method, shape: Shape, hardware: Hardware, settings: TrainingSettings, longest: int, processes: int = 1
) -> tuple[Means, int, TrainingSettings]:
    """The means, how many judgements are in memory together, and the settings with the batch that comes of it.

    ``longest`` is the tokens of a prompt with its longer answer; the settings leave nothing open. Of ``processes``,
    each reads as many judgements of a step as the others, a multiple of those that it has in memory together. Raises
    TrainingError.
    """
    assert settings.batch is not None
    share = max(1, round(settings.batch / processes))
    # A pair is two rows: the prompt with the one answer, and with the other.
    means = chosen(shape, hardware, settings, 2 * longest, settings.batch, share)
    if means.method == "full":
        raise TrainingError("training on preferences makes an adapter", 'method = "lora" under [training]')
    # KTO tells how far it is from the reference by exchanging the answers of rows that are read together.
    at_once = means.micro_batch if method == "dpo" else max(2, means.micro_batch)
    batch = max(1, share // at_once) * at_once * processes
    return means, at_once, settings.model_copy(update={"batch": batch})
