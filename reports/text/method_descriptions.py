"""What each removal method does, in a clause; irene's own are known by name."""

METHODS = {
    "codebook": "lets nothing but a finite code, cut along the task's classes, pass the bottleneck",
    "end": "pulls rows of one private class apart, and rows of one task class together across private classes",
    "gradient-reversal": "lets the encoder climb the loss of a head that learns to read the attribute",
    "irene": "minimises the mutual information between the attribute and what a head in the loop reads of it",
    "kernel": "minimises what a kernel regression, solved anew on every batch, explains of the attribute",
    "leace": "trains on the task alone, then projects out what a linear attacker could read, and no more than that",
    "learned-mixin": "trains the model beside a network that reads the bias, so that it need not learn that itself",
    "lff": "gives more weight to rows that are harder for a biased network than for the model",
    "plain": "trains on the task alone and removes nothing",
    "rebias": "makes the features independent of those of a network that can read little but the bias",
    "rich": "narrows the bottleneck to a map of low rank and removes what an exactly solved head reads there; "
    "attributes that are named stay",
    "rubi": "masks the model's scores in training by what the bias tells, so that it learns from the other rows",
}
OWN = "a method of the user's own"


def described(name: str) -> str:
    """Return what a method does; a record made from Python names it by its class, without hyphens."""
    known = {key.replace("-", ""): clause for key, clause in METHODS.items()}
    return known.get(name.replace("-", ""), OWN)
