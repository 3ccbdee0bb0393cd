"""Four-letter words through client.command, and server_version."""

import pytest


def test_ruok(zk):
    assert zk.command(b"ruok") == "imok"


def test_server_version(zk):
    version = zk.server_version()
    assert version >= (3, 9, 0)


@pytest.mark.parametrize("word", ["envi", "conf", "srvr", "stat", "cons", "dump", "wchs", "wchp", "wchc", "dirs"])
def test_words_answer(zk, root, word):
    zk.exists(root, watch=lambda event: None)
    assert zk.command(word.encode()).strip()


def test_mntr(zk, root):
    rows = dict(line.split("\t", 1) for line in zk.command(b"mntr").splitlines() if "\t" in line)
    assert rows["zk_server_state"] == "standalone"
    assert int(rows["zk_znode_count"]) >= 5
    assert int(rows["zk_num_alive_connections"]) >= 1
    for name in (
        "zk_version", "zk_avg_latency", "zk_max_latency", "zk_min_latency",
        "zk_packets_received", "zk_packets_sent", "zk_outstanding_requests",
        "zk_watch_count", "zk_ephemerals_count", "zk_approximate_data_size",
        "zk_open_file_descriptor_count", "zk_max_file_descriptor_count",
    ):
        assert name in rows, name


def test_counts_follow(zk, root):
    def gauge(name):
        for line in zk.command(b"mntr").splitlines():
            if line.startswith(name + "\t"):
                return int(float(line.split("\t")[1]))
        raise AssertionError(name)

    before = gauge("zk_znode_count"), gauge("zk_ephemerals_count"), gauge("zk_watch_count")
    zk.create(root + "/a")
    zk.create(root + "/e", ephemeral=True)
    zk.exists(root + "/x", watch=lambda event: None)
    assert gauge("zk_znode_count") == before[0] + 2
    assert gauge("zk_ephemerals_count") == before[1] + 1
    assert gauge("zk_watch_count") == before[2] + 1


def test_srvr_and_stat(zk):
    for word in (b"srvr", b"stat"):
        answer = zk.command(word)
        assert answer.startswith("Zookeeper version: 3.9")
        for line in ("Mode: standalone", "Node count: ", "Zxid: 0x", "Latency min/avg/max: ", "Outstanding: "):
            assert line in answer, (word, line)
    assert "Clients:" in zk.command(b"stat")


def test_conf(zk):
    rows = dict(line.split("=", 1) for line in zk.command(b"conf").splitlines())
    port = zk._connection._socket.getpeername()[1]
    assert rows["clientPort"] == str(port)
    for name in ("dataDir", "tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout", "serverId"):
        assert name in rows, name


def test_isro(zk):
    assert zk.command(b"isro").strip() == "rw"


def test_cons_shows_the_session(zk):
    assert f"sid=0x{zk.client_id[0] & (1 << 64) - 1:x}" in zk.command(b"cons")


def test_dump_shows_ephemerals(zk, root):
    zk.create(root + "/e", ephemeral=True)
    assert root + "/e" in zk.command(b"dump")


def test_srst_resets(zk):
    assert "reset" in zk.command(b"srst")


def test_several_words_beside_a_session(zk, root):
    """A word is a connection of its own and leaves the session alone."""
    for _ in range(20):
        assert zk.command(b"ruok") == "imok"
        zk.exists(root)
