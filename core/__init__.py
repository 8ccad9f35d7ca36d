"""The engine of simulee: no terminal code, no printing.

Stages import only to their left: corpus, retrieval, recall, dataset, adapters, training and twin, fidelity. Below them
lies the base: errors, dates, settings, workspace, store, runs, models, prompts, review and scoring.
"""
