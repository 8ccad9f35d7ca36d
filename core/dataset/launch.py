"""Names of the dataset's runs, for those who start them without importing tokenizers and templates."""

BUILD_KIND = "dataset"
BUILD_ENTRY = "core.dataset.run:build_run"
VERIFY_KIND = "verify"
VERIFY_ENTRY = "core.dataset.run:verify_run"
