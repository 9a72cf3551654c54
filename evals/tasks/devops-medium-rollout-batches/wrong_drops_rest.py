# Wrong: drops a last batch that is not full.
def rollout_batches(servers, size):
    if not servers:
        return []
    rest = servers[1:]
    return [servers[:1]] + [rest[i * size : (i + 1) * size] for i in range(len(rest) // size)]
