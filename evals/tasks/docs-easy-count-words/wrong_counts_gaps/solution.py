def count_words(text):
    return sum(character.isspace() for character in text) + 1
