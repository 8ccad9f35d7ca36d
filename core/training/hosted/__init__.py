"""Fine-tuning at a host: what may go there, one upload, one job, and the new model's name."""
