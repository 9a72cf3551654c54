from billing.lines import gross_line_total


def invoice_total(lines):
    return sum(gross_line_total(line["price"], line["quantity"], line["category"]) for line in lines)
