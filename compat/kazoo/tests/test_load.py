"""Many clients at once."""

from concurrent.futures import ThreadPoolExecutor

from conftest import PATIENCE, eventually


def test_many_clients(clients, zk, root):
    """60 sessions write, read and leave; every ephemeral goes with its session."""

    def work(i):
        c = clients(timeout=30.0)
        c.create(f"{root}/e{i}", str(i).encode(), ephemeral=True)
        pending = [c.create_async(f"{root}/s-", str(i).encode(), sequence=True) for _ in range(10)]
        names = [p.get(timeout=PATIENCE) for p in pending]
        assert names == sorted(names), "one client's writes keep their order"
        for name in names:
            assert c.get(name)[0] == str(i).encode()
        return c

    with ThreadPoolExecutor(max_workers=20) as pool:
        all_clients = list(pool.map(work, range(60), timeout=120))
        assert len(zk.get_children(root)) == 60 + 600
        list(pool.map(lambda c: c.stop(), all_clients, timeout=120))
    # The counter of the parent has seen every create, plain ones too.
    names = zk.get_children(root)
    assert len(names) == 600
    assert len({n[-10:] for n in names}) == 600


def test_fan_out(clients, zk, root):
    """One change, 40 watching sessions, several rounds, nobody misses one."""
    zk.create(root + "/a", b"0")
    last = {}

    def watch(i):
        c = clients(timeout=30.0)
        c.DataWatch(root + "/a", lambda data, stat: last.__setitem__(i, data))

    with ThreadPoolExecutor(max_workers=10) as pool:
        list(pool.map(watch, range(40), timeout=120))
    for round_ in (b"1", b"2", b"3"):
        zk.set(root + "/a", round_)
        eventually(lambda: len(last) == 40 and set(last.values()) == {round_}, f"round {round_}")


def test_counter_under_contention(clients, root):
    """Compare-and-set by version: no update is lost."""
    from kazoo.exceptions import BadVersionError

    setup = clients()
    setup.create(root + "/n", b"0")

    def add(_):
        c = clients(timeout=30.0)
        done = 0
        while done < 10:
            data, stat = c.get(root + "/n")
            try:
                c.set(root + "/n", str(int(data) + 1).encode(), version=stat.version)
                done += 1
            except BadVersionError:
                pass

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(add, range(8), timeout=120))
    data, stat = setup.get(root + "/n")
    assert (data, stat.version) == (b"80", 80)
