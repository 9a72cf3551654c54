class RateLimiter:
    def __init__(self, limit, window):
        self.limit = limit
        self.window = window
        self.counts = {}

    def allow(self, client, now):
        start, count = self.counts.get(client, (now, 0))
        if now >= start + self.window:
            start, count = now, 0
        if count >= self.limit:
            return False
        self.counts[client] = (start, count + 1)
        return True
