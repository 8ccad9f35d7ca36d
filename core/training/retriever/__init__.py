"""Training the query's side of retrieval (RA-DIT, Lin et al. 2023).

What a person accepted, and what makes the real answers likelier, draws the query toward it, while the stored vectors of
passages stay as they are.
"""
