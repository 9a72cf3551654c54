# Wrong: splits at single spaces, so runs of spaces and line breaks are counted wrongly.
def count_words(text):
    return len(text.split(" "))
