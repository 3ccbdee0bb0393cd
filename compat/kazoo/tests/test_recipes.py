"""All of Kazoo's recipes, with several clients each."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PATIENCE, eventually
from kazoo.exceptions import LockTimeout


@pytest.fixture
def pool():
    with ThreadPoolExecutor(max_workers=16) as p:
        yield p


def test_Lock_excludes(clients, root, pool):
    inside, most, total = [], [], []

    def work(client):
        for _ in range(5):
            with client.Lock(root + "/lock", str(client.client_id)):
                inside.append(1)
                most.append(len(inside))
                total.append(1)
                inside.pop()

    list(pool.map(work, [clients() for _ in range(5)], timeout=60))
    assert (len(total), max(most)) == (25, 1)


def test_Lock_without_waiting(clients, root):
    first, second = clients().Lock(root + "/lock", "one"), clients().Lock(root + "/lock", "two")
    assert first.acquire()
    assert not second.acquire(blocking=False)
    with pytest.raises(LockTimeout):
        second.acquire(timeout=0.1)
    assert first.contenders() == ["one"]
    first.release()
    assert second.acquire(timeout=PATIENCE)
    second.release()


def test_Lock_is_handed_on_in_order(clients, zk, root, pool):
    holder = zk.Lock(root + "/lock", "holder")
    holder.acquire()
    order, waiting = [], []

    def wait(name, client):
        lock = client.Lock(root + "/lock", name)
        lock.acquire(timeout=PATIENCE)
        order.append(name)
        lock.release()

    for name in ("a", "b", "c"):
        waiting.append(pool.submit(wait, name, clients()))
        eventually(lambda: len(zk.get_children(root + "/lock")) == len(waiting) + 1)
    assert holder.contenders() == ["holder", "a", "b", "c"]
    holder.release()
    for w in waiting:
        w.result(PATIENCE)
    assert order == ["a", "b", "c"]


def test_Lock_passes_on_when_the_holder_goes(clients, root, pool):
    holder = clients()
    holder.Lock(root + "/lock").acquire()
    waiter = clients().Lock(root + "/lock")
    acquired = pool.submit(waiter.acquire, timeout=PATIENCE)
    holder.stop()
    assert acquired.result(PATIENCE)
    waiter.release()


def test_Lock_cancel(clients, root, pool):
    from kazoo.exceptions import CancelledError

    holder = clients().Lock(root + "/lock")
    holder.acquire()
    client = clients()
    waiter = client.Lock(root + "/lock")
    acquired = pool.submit(waiter.acquire, timeout=PATIENCE)
    eventually(lambda: len(client.get_children(root + "/lock")) == 2)
    waiter.cancel()
    with pytest.raises(CancelledError):
        acquired.result(PATIENCE)
    holder.release()


def test_ReadLock_WriteLock(clients, root, pool):
    path = root + "/rw"
    r1, r2, writer = clients().ReadLock(path, "r1"), clients().ReadLock(path, "r2"), clients().WriteLock(path, "w")
    assert r1.acquire() and r2.acquire(timeout=PATIENCE)
    assert not writer.acquire(blocking=False)
    wrote = pool.submit(writer.acquire, timeout=PATIENCE)
    observer = clients()
    eventually(lambda: len(observer.get_children(path)) == 3)
    # A reader behind a writer waits.
    late = clients().ReadLock(path, "late")
    assert not late.acquire(blocking=False)
    r1.release()
    assert not wrote.done()
    r2.release()
    assert wrote.result(PATIENCE)
    writer.release()
    assert late.acquire(timeout=PATIENCE)
    late.release()


def test_Semaphore(clients, root, pool):
    semaphores = [clients().Semaphore(root + "/sem", identifier=str(i), max_leases=2) for i in range(3)]
    assert semaphores[0].acquire() and semaphores[1].acquire()
    assert not semaphores[2].acquire(blocking=False)
    assert sorted(semaphores[0].lease_holders()) == ["0", "1"]
    third = pool.submit(semaphores[2].acquire, timeout=PATIENCE)
    semaphores[0].release()
    assert third.result(PATIENCE)
    assert sorted(semaphores[1].lease_holders()) == ["1", "2"]
    semaphores[1].release(), semaphores[2].release()


def test_Election(clients, zk, root, pool):
    leaders, release = [], threading.Event()
    elections = {}

    def run(name, client):
        election = elections[name] = client.Election(root + "/el", name)

        def lead():
            leaders.append(name)
            if len(leaders) == 1:
                assert release.wait(PATIENCE)

        election.run(lead)

    first = pool.submit(run, "a", clients())
    eventually(lambda: leaders == ["a"])
    second = pool.submit(run, "b", clients())
    eventually(lambda: elections.get("b") and elections["a"].contenders() == ["a", "b"])
    release.set()
    first.result(PATIENCE), second.result(PATIENCE)
    assert leaders == ["a", "b"]


def test_Election_goes_on_without_a_leader_that_died(clients, root, pool):
    leader_client, forever, led = clients(), threading.Event(), threading.Event()
    leading = threading.Event()

    def lead():
        leading.set()
        forever.wait(PATIENCE)

    first = pool.submit(leader_client.Election(root + "/el", "a").run, lead)
    assert leading.wait(PATIENCE)
    second = pool.submit(clients().Election(root + "/el", "b").run, led.set)
    leader_client.stop()
    assert led.wait(PATIENCE)
    second.result(PATIENCE)
    forever.set()
    first.exception(PATIENCE)


def test_Barrier(clients, zk, root, pool):
    barrier = zk.Barrier(root + "/barrier")
    barrier.create()
    others = [clients().Barrier(root + "/barrier") for _ in range(3)]
    assert others[0].wait(0.05) is False
    waiting = [pool.submit(b.wait, PATIENCE) for b in others]
    barrier.remove()
    assert all(w.result(PATIENCE) for w in waiting)
    assert others[0].wait(0)


def test_DoubleBarrier(clients, zk, root, pool):
    barriers = [clients().DoubleBarrier(root + "/double", 3, str(i)) for i in range(3)]
    entered = [pool.submit(b.enter) for b in barriers[:2]]
    eventually(lambda: zk.exists(root + "/double") and len(zk.get_children(root + "/double")) == 2)
    assert not any(e.done() for e in entered)
    entered.append(pool.submit(barriers[2].enter))
    for e in entered:
        e.result(PATIENCE)
    assert all(b.participating for b in barriers)
    left = [pool.submit(b.leave) for b in barriers]
    for each in left:
        each.result(PATIENCE)
    assert zk.get_children(root + "/double") == []


def test_Counter(clients, root, pool):
    def count(client):
        counter = client.Counter(root + "/counter")
        for _ in range(10):
            counter += 2
            counter -= 1

    # Kazoo's retry gives up only after many lost races.
    retry = {"max_tries": -1, "delay": 0.001, "max_delay": 0.05}
    list(pool.map(count, [clients(command_retry=retry) for _ in range(4)], timeout=60))
    client = clients()
    assert client.Counter(root + "/counter").value == 40
    f = client.Counter(root + "/float", default=0.5)
    f += 1.25
    assert f.value == 1.75 and (f.pre_value, f.post_value) == (0.5, 1.75)
    c = client.Counter(root + "/curator", support_curator=True)
    c += 258
    assert client.get(root + "/curator")[0] == b"\x00\x00\x01\x02"


def test_Queue(clients, zk, root):
    queue = zk.Queue(root + "/queue")
    assert queue.get() is None
    queue.put(b"late", priority=200)
    queue.put(b"first")
    queue.put(b"second")
    queue.put(b"urgent", priority=1)
    assert len(queue) == 4
    other = clients().Queue(root + "/queue")
    assert [q.get() for q in (other, queue, other, queue, other)] == [
        b"urgent", b"first", b"second", b"late", None,
    ]


def test_Queue_gives_each_entry_once(clients, root, pool):
    producer = clients().Queue(root + "/queue")
    for i in range(60):
        producer.put(str(i).encode())

    def drain(client):
        queue, got = client.Queue(root + "/queue"), []
        while (entry := queue.get()) is not None:
            got.append(int(entry))
        return got

    got = list(pool.map(drain, [clients() for _ in range(3)], timeout=60))
    assert sorted(sum(got, [])) == list(range(60))


def test_LockingQueue(clients, zk, root, pool):
    queue = zk.LockingQueue(root + "/lq")
    assert queue.get(timeout=0.05) is None
    queue.put(b"one")
    queue.put_all([b"two", b"three"])
    queue.put(b"zero", priority=1)
    assert len(queue) == 4
    a, b = clients().LockingQueue(root + "/lq"), clients().LockingQueue(root + "/lq")
    assert a.get(PATIENCE) == b"zero" and b.get(PATIENCE) == b"one"
    assert a.holds_lock() and a.consume()
    assert b.release()
    assert a.get(PATIENCE) == b"one" and a.consume()
    assert b.get(PATIENCE) == b"two" and b.consume()
    assert b.get(PATIENCE) == b"three" and b.consume()
    waiting = pool.submit(a.get, PATIENCE)
    queue.put(b"last")
    assert waiting.result(PATIENCE) == b"last" and a.consume()
    assert len(queue) == 0


def test_LockingQueue_gives_back_what_a_dead_client_held(clients, zk, root, pool):
    queue = zk.LockingQueue(root + "/lq")
    queue.put(b"job")
    dying = clients()
    assert dying.LockingQueue(root + "/lq").get(PATIENCE) == b"job"
    waiting = pool.submit(queue.get, PATIENCE)
    dying.stop()
    assert waiting.result(PATIENCE) == b"job"
    assert queue.consume()


@pytest.mark.parametrize("kind", ["Party", "ShallowParty"])
def test_Party(clients, root, kind):
    a, b = clients(), clients()
    one, two = getattr(a, kind)(root + "/party", "one"), getattr(b, kind)(root + "/party", "two")
    one.join()
    assert list(two) == ["one"] and len(two) == 1
    two.join()
    assert sorted(one) == ["one", "two"]
    two.leave()
    assert list(one) == ["one"]
    a.stop()
    assert list(two) == []


def test_NonBlockingLease(clients, root):
    now = [datetime.datetime(2020, 1, 1)]
    span, clock = datetime.timedelta(seconds=10), lambda: now[0]
    a, b = clients(), clients()
    assert a.NonBlockingLease(root + "/lease", span, identifier="a", utcnow=clock)
    assert not b.NonBlockingLease(root + "/lease", span, identifier="b", utcnow=clock)
    assert a.NonBlockingLease(root + "/lease", span, identifier="a", utcnow=clock)
    now[0] += span
    assert b.NonBlockingLease(root + "/lease", span, identifier="b", utcnow=clock)
    assert not a.NonBlockingLease(root + "/lease", span, identifier="a", utcnow=clock)


def test_MultiNonBlockingLease(clients, root):
    span = datetime.timedelta(hours=1)
    got = [
        bool(clients().MultiNonBlockingLease(2, root + "/leases", span, identifier=str(i)))
        for i in range(3)
    ]
    assert got == [True, True, False]


def test_SetPartitioner(clients, root, pool):
    items, stop = tuple(range(1, 8)), threading.Event()
    owned = {}

    def member(name, client, leave):
        p = client.SetPartitioner(root + "/part", items, identifier=name, time_boundary=0.1)
        while not (stop.is_set() or leave.is_set()):
            assert not p.failed
            if p.release:
                owned.pop(name, None)
                p.release_set()
            elif p.acquired:
                owned[name] = sorted(p)
                p.state_change_event.wait(0.05)
            elif p.allocating:
                p.wait_for_acquire(0.1)
        owned.pop(name, None)
        p.finish()

    def shared_by(*names):
        def check():
            now = dict(owned)
            return sorted(now) == sorted(names) and sorted(sum(now.values(), [])) == list(items)

        eventually(check, f"the set is shared by {names}")

    leaves = {n: threading.Event() for n in "abc"}
    members = [pool.submit(member, "a", clients(), leaves["a"])]
    try:
        shared_by("a")
        members += [pool.submit(member, n, clients(), leaves[n]) for n in "bc"]
        shared_by("a", "b", "c")
        leaves["b"].set()
        shared_by("a", "c")
    finally:
        stop.set()
    for m in members:
        m.result(PATIENCE)


def test_recipes_in_a_chroot(clients, zk, root):
    a, b = clients(chroot=root), clients(chroot=root)
    lock = a.Lock("/deep/lock", "me")
    with lock:
        assert not b.Lock("/deep/lock").acquire(blocking=False)
        assert zk.get_children(root + "/deep/lock")
    q = a.Queue("/q")
    q.put(b"v")
    assert b.Queue("/q").get() == b"v"
