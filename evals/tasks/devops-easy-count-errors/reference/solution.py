def count_errors(lines):
    return sum(line.startswith("ERROR") for line in lines)
