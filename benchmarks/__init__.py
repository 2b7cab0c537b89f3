"""What is measured: speed beside peers, memory, and learning over seeds."""
