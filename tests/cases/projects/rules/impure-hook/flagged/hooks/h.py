import treaty


@treaty.hook("clean(text: string) -> string")
def clean(text):
    return text
