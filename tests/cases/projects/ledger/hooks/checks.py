import treaty


@treaty.hook("vat_check(vat: string) -> boolean", pure=True)
def vat_check(vat):
    return vat
