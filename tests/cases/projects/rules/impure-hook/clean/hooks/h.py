import treaty


@treaty.hook("clean(text: string) -> string", pure=True)
def clean(text):
    return text
