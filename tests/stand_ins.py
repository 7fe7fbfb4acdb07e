"""Small parts that stand in for large ones where a test is about something else."""


class Engine:
    """The part of a backend that says which image there is."""

    def __init__(self, image="image"):
        self.image = image

    def identity(self, runtime):
        return self.image
