"""The same secret by three ways into a build, and where it is afterwards."""

from bench.errors import BenchFault
from bench.trials.builders import Builder, Recipe
from bench.value import Value, fact

SECRET = "correct-horse-0123456789"  # noqa: S105 - made up, to be searched for
COUNT = "wc -c > /size"
WAYS = {
    "argument": Recipe(f"FROM {{base}}\nARG TOKEN\nRUN echo $TOKEN | {COUNT}\n", args={"TOKEN": SECRET}),
    "deleted file": Recipe(
        f"FROM {{base}}\nCOPY token /token\nRUN {COUNT} < /token; rm /token\n", files={"token": SECRET}
    ),
    "secret mount": Recipe(
        f"FROM {{base}}\nRUN --mount=type=secret,id=token {COUNT} < /run/secrets/token\n", secret=SECRET
    ),
}


def measure(builder: Builder, ways: tuple[str, ...] = tuple(WAYS)) -> list[Value]:
    """Return for each way whether any layer, the configuration or the history has the secret."""
    found = []
    for way in ways:
        builder.build(WAYS[way])
        contents = builder.contents()
        if int(contents.file("size")) not in {len(SECRET), len(SECRET) + 1}:
            raise BenchFault(f"the build by {way} has not seen the secret", hint="report this", kind="failed")
        found.append(fact("secret_stays", holds=bool(contents.where(SECRET.encode())), way=way))
    return found
