"""How a command runs: command line, devices, messages and progress, processes (ranks), batches.

Every wing uses it; it knows no step of the benchmark.
"""
