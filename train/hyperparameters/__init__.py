"""Hyperparameters of PPO for each market, and the same in the terms of rl_zoo3. They may import all of `train`."""
