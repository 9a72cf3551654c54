# Wrong: counts the whitespace between words and adds one, also for an empty text.
def count_words(text):
    return sum(character.isspace() for character in text) + 1
