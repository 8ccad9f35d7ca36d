"""Roles and engines: where a model's files are, and how each engine runs them.

``packaged`` finds the models that come as packages; ``llamacpp`` and ``lora_gguf`` run a persona and its adapter in
llama.cpp. Nothing here imports torch or transformers at import time: the workbench must open before they could.
"""
