class RateLimiter:
    def __init__(self, limit, window):
        self.limit = limit
        self.window = window
        self.times = {}

    def allow(self, client, now):
        self.times[client] = [time for time in self.times.get(client, []) if now - time < self.window]
        self.times[client].append(now)
        return len(self.times[client]) <= self.limit
