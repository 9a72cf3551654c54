"""What the club calls its members."""


def salutation(profile):
    return f"Dear {profile['nickname'] or profile['name']}"


def has_birthday(profile, today):
    """Whether `today`, an ISO date, is the member's birthday."""
    return profile["birthday"] is not None and profile["birthday"][5:] == today[5:]
