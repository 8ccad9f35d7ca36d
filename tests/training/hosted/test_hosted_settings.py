"""``[training.hosted]``: what it takes, what it refuses, and where it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import TrainingSettings, effective_settings, parse_settings


def hosted(*lines: str) -> str:
    return "\n".join(("[training]", "rank = 8", "[training.hosted]", *lines))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('base_url = "http://a@b/v1"', "base_url must read like"),
        ("max_cost = 5.0", "max_cost needs a price"),
        ('provider = "openai"\nbase_url = "https://api.example.org/v1"', "not both"),
        ('provider = "elsewhere"', "provider"),
        ('suffix = "two words"', "suffix"),
        ("epochs = 0", "epochs"),
        ("price = -1", "price"),
        ("poll = 0", "poll"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(line: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        parse_settings(hosted(line), "persona.toml")
    assert "persona.toml, line" in str(refused.value)


def test_a_provider_stands_for_its_address_and_key_variable() -> None:
    chosen = parse_settings(hosted('provider = "nebius"'), "persona.toml").training.hosted
    assert chosen.address.startswith("https://api.tokenfactory.nebius.com/")
    assert chosen.key_variable == "NEBIUS_API_KEY"
    other = parse_settings(hosted('base_url = "https://api.example.org/v1"'), "persona.toml").training.hosted
    assert (other.address, other.key_variable) == ("https://api.example.org/v1", "")


def test_it_is_no_part_of_what_a_run_on_this_machine_writes_down() -> None:
    chosen = parse_settings(hosted('provider = "openai"'), "persona.toml").training
    assert "hosted" not in chosen.model_dump(mode="json")
    assert TrainingSettings(**chosen.model_dump(mode="json")).rank == 8


@pytest.mark.parametrize("said", [True, False])
def test_it_is_told_where_the_file_names_a_host(tmp_path: Path, said: bool) -> None:
    path = tmp_path / "persona.toml"
    path.write_text(hosted('model = "small-1"') if said else "[training]\nrank = 8\n", "utf-8")
    rows = {row.key: row for row in effective_settings(path) if row.section == "training"}
    assert rows["rank"].said
    assert {key for key in rows if key.startswith("hosted")} == (
        {f"hosted.{field}" for field in type(parse_settings("", "").training.hosted).model_fields} if said else set()
    )
    if said:
        assert (rows["hosted.model"].value, rows["hosted.model"].said) == ('"small-1"', True)
        assert (rows["hosted.epochs"].value, rows["hosted.epochs"].said) == ("3", False)
