"""`plain_ppo.yml` in rl_zoo3's own terms, for its `--conf-file train.hyperparameters.plain_rl_zoo3`."""

from train.hyperparameters.rl_zoo3 import in_zoo_terms
from train.hyperparams import recipe_table

hyperparams = {market: in_zoo_terms(entry) for market, entry in recipe_table("plain_ppo").items()}
