"""Hyperparameters of every algorithm in each market, and of PPO for rl_zoo3. They may import all of `train`."""
