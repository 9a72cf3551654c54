class RateLimiter:
    def __init__(self, limit, window):
        self.limit = limit
        self.window = window
        self.times = {}

    def allow(self, client, now):
        recent = [time for time in self.times.get(client, []) if now - time < self.window]
        self.times[client] = recent
        if len(recent) >= self.limit:
            return False
        recent.append(now)
        return True
