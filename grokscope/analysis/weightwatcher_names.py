"""The columns of WeightWatcher's table that are kept, under its own names."""

COLUMNS = (
    "alpha",
    "sigma",
    "xmin",
    "xmax",
    "D",
    "num_pl_spikes",
    "num_spikes",
    "sigma_mp",
    "rand_sigma_mp",
    "rand_num_spikes",
    "num_traps",
    "rand_distance",
    "stable_rank",
)
