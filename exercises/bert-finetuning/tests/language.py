"""Sentences about who does something to whom. The class of a sentence is the kind of the one who acts."""

import random

KINDS = {
    "animal": "dog cat horse cow sheep goat wolf fox bear lion tiger rabbit monkey elephant donkey pig",
    "job": "baker doctor lawyer teacher farmer nurse pilot painter butcher tailor judge soldier plumber carpenter "
    "banker dentist",
    "vehicle": "truck car bus tractor train bicycle van taxi ambulance motorcycle tram helicopter boat ship scooter "
    "wagon",
    "bird": "eagle owl crow pigeon swan duck goose hawk parrot sparrow raven seagull robin falcon stork heron",
    "relative": "mother father uncle aunt brother sister grandmother grandfather cousin nephew niece daughter son "
    "husband wife stepfather",
    "ruler": "king queen prince princess duke emperor knight baron lord empress duchess monarch sultan count squire "
    "pharaoh",
}
VERBS = ["followed", "pushed", "passed", "found", "watched", "blocked", "surprised", "helped", "stopped", "ignored"]


class Language:
    """Two kinds in an order of the seed's own; one half of their words is for training, the other never seen there."""

    def __init__(self, seed, kinds=2):
        self.random = random.Random(seed)
        words = [KINDS[name].split() for name in self.random.sample(sorted(KINDS), kinds)]
        for those in words:
            self.random.shuffle(those)
        self.known, self.new = [w[: len(w) // 2] for w in words], [w[len(w) // 2 :] for w in words]

    def draw(self, count, words):
        """Texts, labels, and which of them are in the passive voice."""
        texts, labels, passive = [], [], []
        for number in range(count):
            label = number % len(words)
            other = self.random.choice([kind for kind in range(len(words)) if kind != label])
            actor, patient = self.random.choice(words[label]), self.random.choice(words[other])
            verb = self.random.choice(VERBS)
            turned = self.random.random() < 0.5
            said = f"the {patient} was {verb} by the {actor}" if turned else f"the {actor} {verb} the {patient}"
            texts.append(f"{said}.")
            labels.append(label)
            passive.append(turned)
        order = list(range(count))
        self.random.shuffle(order)
        return [[column[i] for i in order] for column in (texts, labels, passive)]
