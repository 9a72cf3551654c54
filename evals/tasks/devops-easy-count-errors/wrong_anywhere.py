# Wrong: counts the word wherever it stands in a line.
def count_errors(lines):
    return sum("ERROR" in line for line in lines)
