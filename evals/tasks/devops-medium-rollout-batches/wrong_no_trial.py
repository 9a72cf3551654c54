# Wrong: forgets that the first server goes alone.
def rollout_batches(servers, size):
    return [servers[start : start + size] for start in range(0, len(servers), size)]
