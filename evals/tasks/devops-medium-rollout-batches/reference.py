def rollout_batches(servers, size):
    if not servers:
        return []
    batches = [servers[:1]]
    for start in range(1, len(servers), size):
        batches.append(servers[start : start + size])
    return batches
