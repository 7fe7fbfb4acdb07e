"""The chaos suite: what the service is made of is killed, stopped, filled up and misled while submissions come in.

servers.py    Redis, PostgreSQL and an engine of its own, which may be stopped without disturbing anybody
world.py      a whole service on these: API, workers, exercises; whatever ends is started again, as in production
plan.py       what is submitted, and the score that it must get
acts.py       the acts of chaos, one function each: does it, and undoes it
run.py        submissions and acts, in the order that a seed gives
claims.py     what must hold at the end
"""
