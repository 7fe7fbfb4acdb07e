"""Paragraphs about what made-up people did, and questions about them. Names, places and things for scoring are new."""

import random

NAMES = (
    "Alan Beatrice Carlos Diana Edward Fiona Gregory Hannah Ivan Julia Kevin Laura Martin Nora Oscar Paula Quentin "
    "Rosa Simon Teresa Ursula Victor Wendy Xavier Yvonne Albert Bridget Cecil Doris Eric Frances George Helen Irene "
    "Jacob Karen Leonard Monica Nathan Olga Peter Ruth Stefan Tina Vera Walter Agnes Boris Clara Dominic"
)
PLACES = (
    "Paris Rome Berlin Madrid Vienna Oslo Dublin Lisbon Prague Athens Warsaw Budapest Moscow Tokyo Cairo Delhi London "
    "Chicago Boston Toronto Sydney Beijing Havana Lima Nairobi Hamburg Geneva Milan Seoul Istanbul"
)
LOOKS = "red small broken heavy silver wooden blue cheap round yellow green tiny"
THINGS = "lamp violin bicycle carpet clock mirror table boat camera hat piano kettle bottle chair drum wagon"
# What is said, and how it is asked for.
RELATIONS = {
    "place": ("Where has {} {}?", "{} in {}", ["lived", "worked", "studied", "danced", "taught", "painted"]),
    "thing": ("What has {} {}?", "{} a {}", ["bought", "lost", "sold", "found", "repaired", "broken"]),
    "name": ("Whom has {} {}?", "{} {}", ["met", "called", "helped", "married", "thanked", "hired"]),
}
ASIDES = [
    "It rained all day.",
    "The shop was closed.",
    "Nobody knew why.",
    "The streets were quiet.",
    "Summer came early.",
    "The letter arrived late.",
    "The train was on time.",
    "Dinner was served at seven.",
    "The old bridge is gone.",
    "Most windows were dark.",
    "The news spread quickly.",
    "Winter was hard that year.",
    "Children played outside.",
    "The museum has reopened.",
    "Prices went up again.",
    "The garden needs water.",
]


class World:
    """Relations of the seed's own; one half of all words is for training, the other for scoring."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        things = [f"{look} {thing}" for look in LOOKS.split() for thing in THINGS.split()]
        pools = {"name": NAMES.split(), "place": PLACES.split(), "thing": things, "aside": list(ASIDES)}
        for pool in pools.values():
            self.random.shuffle(pool)
        self.known = {kind: pool[: len(pool) // 2] for kind, pool in pools.items()}
        self.new = {kind: pool[len(pool) // 2 :] for kind, pool in pools.items()}
        self.verbs = {kind: self.random.sample(verbs, 3) for kind, (_, _, verbs) in RELATIONS.items()}

    def facts(self, words):
        """A sentence of three facts, two of one kind, and the questions about it: (question, answer or None).

        The first two questions ask for the two of one kind.
        """
        name = self.random.choice(words["name"])
        said, asked = [], []
        for kind, number in zip(self.random.sample(sorted(self.verbs), 2), (2, 1), strict=True):
            question, fact, _ = RELATIONS[kind]
            values = self.random.sample([value for value in words[kind] if value != name], number)
            verbs = self.random.sample(self.verbs[kind], number + 1)
            said += [fact.format(verb, value) for verb, value in zip(verbs, values, strict=False)]
            asked += [(question.format(name, verb), value) for verb, value in zip(verbs, [*values, None], strict=True)]
        self.random.shuffle(said)
        return f"{name} has {said[0]}, {said[1]} and {said[2]}.", asked

    def aside(self, words):
        return self.random.choice(words["aside"])

    def paragraph(self, words):
        """Facts, some with asides before or after, and the questions about them."""
        text, asked = self.facts(words)
        before, after = ([self.aside(words) for _ in range(self.random.choice((0, 0, 0, 1, 3)))] for _ in range(2))
        return " ".join([*before, text, *after]), asked

    def examples(self, count, words):
        """Tuples (question, context, answer): the answer is a span of characters, or None for one in four."""
        found = []
        for number in range(count):
            context, asked = self.paragraph(words)
            question, answer = self.random.choice([pair for pair in asked if (pair[1] is None) == (number % 4 == 0)])
            if number % 16 == 0:
                context = " ".join(self.random.sample(words["aside"], 2))
            found.append((question, context, span(context, answer)))
        self.random.shuffle(found)
        return found

    def among_asides(self, words, place, asides):
        """(question, context, answer) with the facts among so many asides, at a place between 0 (first) and 1 (last).

        At place 1 the question asks for what the context ends with. 160 asides have some 800 pieces, 40 some 200.
        """
        text, asked = self.facts(words)
        known = [(question, answer) for question, answer in asked if answer is not None]
        if place == 1:
            known = [pair for pair in known if text.endswith(f"{pair[1]}.")]
        question, answer = self.random.choice(known)
        sentences = [self.aside(words) for _ in range(asides)]
        sentences.insert(round(place * asides), text)
        return question, " ".join(sentences), answer


def span(context, answer):
    """Where the answer stands in its context. Every value is said once."""
    return None if answer is None else (context.index(answer), context.index(answer) + len(answer))
