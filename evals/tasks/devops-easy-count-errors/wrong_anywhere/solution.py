def count_errors(lines):
    return sum("ERROR" in line for line in lines)
