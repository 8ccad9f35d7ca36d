"""Training on what people preferred: pairs (DPO) and single judgements (KTO), with a guard against collapse."""
