"""What a load process is told."""

from hypothesis import given
from hypothesis import strategies as st

from rallyflow.bench.load.plan import Shard


@st.composite
def shards(draw):
    concurrency = draw(st.integers(1, 12))
    lanes = tuple(draw(st.sets(st.integers(0, concurrency - 1), min_size=1)))
    return Shard(0, lanes, concurrency, ((0, draw(st.integers(0, 60))),))


@given(shards(), st.integers(1, 9))
def test_the_users_of_a_shard_are_those_that_have_a_turn_in_it(shard, users):
    assert shard.turns(users) == sorted({number % users for number in shard.numbers()})


def test_a_load_without_an_end_has_as_many_users_as_ever_get_a_turn():
    assert Shard(0, (0, 1), 4, ((0, None),)).turns(240) == [n for n in range(240) if n % 4 < 2]
    assert Shard(0, (1,), 2, ((0, None),)).turns(3) == [0, 1, 2]
