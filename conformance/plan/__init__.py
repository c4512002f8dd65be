"""What to ask: cells, groups of cells that share a baseline, shards. Pure."""
