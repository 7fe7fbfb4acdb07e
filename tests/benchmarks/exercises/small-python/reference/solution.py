def merged(intervals):
    found = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


class Coverage:
    def __init__(self, intervals):
        self.intervals = merged(intervals)

    def length(self):
        return sum(high - low for low, high in self.intervals)

    def covers(self, point):
        return any(low <= point <= high for low, high in self.intervals)
