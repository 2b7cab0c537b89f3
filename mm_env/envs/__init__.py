"""What an agent sees and does, and the four environments. They may import the market and the kernels."""
