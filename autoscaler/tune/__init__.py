"""Many replays, one ranked table: the best numbers for a policy on recorded load, found on earlier stretches, judged on later ones.

space: which numbers, and how far. folds: which stretch of time is tuned on and which is only judged on. session: what is asked
for. scoring: one policy on one stretch, on any machine. hands: who does the work (Dask). study: what is tried next (optuna).
keeping: what a crash leaves behind. choice: which trial wins. evidence, plot: what is told of it. The controller imports none.
"""
