/* Cases of the C client; see doc.go. Usage: client HOSTS PROXY RESTART-HOSTS SUPER-PASSWORD CASE */
#define THREADED
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

/* How long anything may take on a loaded machine; only a failure waits this long. */
#define PATIENCE_SECONDS 20

static const char *hosts, *proxy, *restart_hosts, *super_password;

#define CHECK(condition) \
    do { \
        if (!(condition)) fail(__LINE__, "%s", #condition); \
    } while (0)
#define EQUAL(got, want) \
    do { \
        long g_ = (long)(got), w_ = (long)(want); \
        if (g_ != w_) fail(__LINE__, "%s is %ld, want %s = %ld", #got, g_, #want, w_); \
    } while (0)
#define SAME(got, want) \
    do { \
        if (strcmp((got), (want)) != 0) fail(__LINE__, "%s is \"%s\", want \"%s\"", #got, (got), (want)); \
    } while (0)

static void fail(int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "client.c:%d: ", line);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* Asks the Go test for an action of package compat/control; returns when it is done. */
static void control(const char *action) {
    char answer[16];
    printf("%s\n", action);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "done\n") != 0) fail(__LINE__, "control %s", action);
}

/* One lock for all that callbacks share with the cases. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* What a watcher was told, oldest first. */
struct events {
    int count;
    char told[4096][96];
};

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    struct events *e = context;
    const char *what = type == ZOO_CREATED_EVENT ? "created" : type == ZOO_DELETED_EVENT ? "deleted"
        : type == ZOO_CHANGED_EVENT ? "changed" : type == ZOO_CHILD_EVENT ? "child"
        : type == ZOO_NOTWATCHING_EVENT ? "notwatching" : "state";
    if (type == ZOO_SESSION_EVENT) {
        path = state == ZOO_CONNECTED_STATE ? "connected" : state == ZOO_EXPIRED_SESSION_STATE ? "expired"
            : state == ZOO_AUTH_FAILED_STATE ? "authfailed" : "connecting";
    }
    pthread_mutex_lock(&mutex);
    if (e->count < (int)(sizeof e->told / sizeof e->told[0])) {
        snprintf(e->told[e->count++], sizeof e->told[0], "%s %s", what, path);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static struct timespec deadline(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += PATIENCE_SECONDS;
    return t;
}

/* Waits until *counter, guarded by the lock, is at least n. */
static void await_count(int line, const int *counter, int n) {
    struct timespec end = deadline();
    pthread_mutex_lock(&mutex);
    while (*counter < n) {
        if (pthread_cond_timedwait(&changed, &mutex, &end) != 0) fail(line, "%d of %d came in time", *counter, n);
    }
    pthread_mutex_unlock(&mutex);
}

/* Waits for an event that comes at index from or later; returns the index after it. */
static int await_event(int line, struct events *e, int from, const char *want) {
    struct timespec end = deadline();
    pthread_mutex_lock(&mutex);
    for (int i = from;; i++) {
        while (i >= e->count) {
            if (pthread_cond_timedwait(&changed, &mutex, &end) != 0) {
                for (int k = from; k < e->count; k++) fprintf(stderr, "  event %s\n", e->told[k]);
                fail(line, "no event \"%s\"", want);
            }
        }
        if (strcmp(e->told[i], want) == 0) {
            pthread_mutex_unlock(&mutex);
            return i + 1;
        }
    }
}
#define AWAIT(e, from, want) await_event(__LINE__, e, from, want)

static struct events *new_events(void) { return calloc(1, sizeof(struct events)); }

static zhandle_t *connect_to(const char *to, int timeout_millis, struct events *e) {
    zhandle_t *zh = zookeeper_init(to, watcher, timeout_millis, NULL, e, 0);
    CHECK(zh != NULL);
    AWAIT(e, 0, "state connected");
    return zh;
}

static zhandle_t *zk; /* of the case */
static char root[64]; /* a znode of the case's own */

static char *under(const char *name) {
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s%s", root, name);
    return path;
}

static int create(zhandle_t *zh, const char *path, const char *data, int mode, char *made, int made_length) {
    return zoo_create(zh, path, data, data ? (int)strlen(data) : -1, &ZOO_OPEN_ACL_UNSAFE, mode, made, made_length);
}

/* Repeats a call that fails while the connection is away. */
#define RETRY(rc, call) \
    do { \
        for (int tries_ = 0; tries_ < PATIENCE_SECONDS * 100; tries_++) { \
            rc = (call); \
            if (rc != ZCONNECTIONLOSS && rc != ZOPERATIONTIMEOUT) break; \
            usleep(10000); \
        } \
    } while (0)

static void case_synchronous(void) {
    char path[128], buffer[64];
    int length = sizeof buffer;
    struct Stat stat, made;
    EQUAL(zoo_create2(zk, under("/a"), "value", 5, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path, &made), ZOK);
    SAME(path, under("/a"));
    EQUAL(zoo_get(zk, under("/a"), 0, buffer, &length, &stat), ZOK);
    EQUAL(length, 5);
    CHECK(memcmp(buffer, "value", 5) == 0);
    CHECK(stat.czxid == made.czxid && stat.mzxid == stat.czxid && stat.version == 0 && stat.dataLength == 5);
    EQUAL(zoo_set2(zk, under("/a"), "longer", 6, 0, &stat), ZOK);
    CHECK(stat.version == 1 && stat.mzxid > made.mzxid);
    EQUAL(zoo_set(zk, under("/a"), "x", 1, 0), ZBADVERSION);
    EQUAL(zoo_set(zk, under("/none"), "x", 1, -1), ZNONODE);
    EQUAL(create(zk, under("/a"), "", ZOO_PERSISTENT, NULL, 0), ZNODEEXISTS);
    EQUAL(create(zk, under("/a/b"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    EQUAL(zoo_delete(zk, under("/a"), -1), ZNOTEMPTY);
    EQUAL(create(zk, under("/null"), NULL, ZOO_PERSISTENT, NULL, 0), ZOK);
    length = sizeof buffer;
    EQUAL(zoo_get(zk, under("/null"), 0, buffer, &length, &stat), ZOK);
    EQUAL(length, -1);
    for (int i = 0; i < 3; i++) {
        char want[128];
        EQUAL(create(zk, under("/s-"), "", ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path), ZOK);
        snprintf(want, sizeof want, "%s%010d", under("/s-"), i + 2);
        SAME(path, want);
    }
    EQUAL(create(zk, under("/e"), "", ZOO_EPHEMERAL, NULL, 0), ZOK);
    EQUAL(zoo_exists(zk, under("/e"), 0, &stat), ZOK);
    CHECK(stat.ephemeralOwner == zoo_client_id(zk)->client_id);
    EQUAL(create(zk, under("/e/c"), "", ZOO_PERSISTENT, NULL, 0), ZNOCHILDRENFOREPHEMERALS);
    struct String_vector names;
    EQUAL(zoo_get_children2(zk, root, 0, &names, &stat), ZOK);
    EQUAL(names.count, 6);
    EQUAL(stat.numChildren, 6);
    deallocate_String_vector(&names);
    EQUAL(create(zk, under("/container"), "", ZOO_CONTAINER, NULL, 0), ZOK);
    EQUAL(zoo_create_ttl(zk, under("/ttl"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 600, NULL, 0), ZOK);
    EQUAL(create(zk, under("/container/c"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    EQUAL(zoo_delete(zk, under("/container/c"), -1), ZOK);
    int rc = ZOK;
    for (int i = 0; i < PATIENCE_SECONDS * 100 && rc == ZOK; i++, usleep(10000)) {
        rc = zoo_exists(zk, under("/container"), 0, &stat);
        if (rc == ZNONODE) rc = zoo_exists(zk, under("/ttl"), 0, &stat);
    }
    EQUAL(rc, ZNONODE);
    static char large[900000];
    memset(large, 'x', sizeof large);
    EQUAL(zoo_set(zk, under("/a"), large, sizeof large, -1), ZOK);
    static char back[sizeof large];
    length = sizeof back;
    EQUAL(zoo_get(zk, under("/a"), 0, back, &length, &stat), ZOK);
    CHECK(length == sizeof large && memcmp(large, back, length) == 0);
}

static int done;       /* completions that have run; guarded by the lock */
static int order[600]; /* what they were told, in order; guarded by the lock */

static void complete(int value) {
    pthread_mutex_lock(&mutex);
    if (done < (int)(sizeof order / sizeof order[0])) order[done] = value;
    done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}
static void on_void(int rc, const void *data) { complete(rc); }
static void on_string(int rc, const char *value, const void *data) { complete(rc); }
static void on_stat(int rc, const struct Stat *stat, const void *data) { complete(rc == ZOK ? stat->version : rc); }
static void on_data(int rc, const char *value, int length, const struct Stat *stat, const void *data) {
    complete(rc == ZOK ? stat->version : rc);
}
static void on_strings(int rc, const struct String_vector *names, const struct Stat *stat, const void *data) {
    complete(rc == ZOK ? names->count : rc);
}
static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) { complete(rc == ZOK ? acl->count : rc); }

static void case_asynchronous(void) {
    EQUAL(zoo_acreate(zk, under("/a"), "v", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, on_string, NULL), ZOK);
    EQUAL(zoo_acreate(zk, under("/a"), "v", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, on_string, NULL), ZOK);
    EQUAL(zoo_aexists(zk, under("/a"), 0, on_stat, NULL), ZOK);
    EQUAL(zoo_aget_children2(zk, root, 0, on_strings, NULL), ZOK);
    EQUAL(zoo_aget_acl(zk, root, on_acl, NULL), ZOK);
    EQUAL(zoo_async(zk, root, on_string, NULL), ZOK);
    EQUAL(zoo_adelete(zk, under("/none"), -1, on_void, NULL), ZOK);
    await_count(__LINE__, &done, 7);
    const int want[] = {ZOK, ZNODEEXISTS, 0, 1, 1, ZOK, ZNONODE};
    for (int i = 0; i < 7; i++) EQUAL(order[i], want[i]);
    done = 0;
    for (int i = 0; i < 300; i++) { /* pipelined; each read sees the write before it */
        EQUAL(zoo_aset(zk, under("/a"), "w", 1, -1, on_stat, NULL), ZOK);
        EQUAL(zoo_aget(zk, under("/a"), 0, on_data, NULL), ZOK);
    }
    await_count(__LINE__, &done, 600);
    for (int i = 0; i < 600; i++) EQUAL(order[i], i / 2 + 1);
}

static void case_multi(void) {
    char path[128], sequence[128];
    struct Stat stat;
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    zoo_create_op_init(&ops[0], under("/a"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path);
    zoo_check_op_init(&ops[1], under("/a"), 0);
    zoo_set_op_init(&ops[2], under("/a"), "2", 1, 0, &stat);
    zoo_create_op_init(&ops[3], under("/a/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, sequence, sizeof sequence);
    zoo_delete_op_init(&ops[4], sequence, -1);
    snprintf(sequence, sizeof sequence, "%s", under("/a/s-0000000000"));
    EQUAL(zoo_multi(zk, 4, ops, results), ZOK);
    SAME(path, under("/a"));
    SAME(sequence, under("/a/s-0000000000"));
    EQUAL(stat.version, 1);
    zoo_create_op_init(&ops[0], under("/b"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path);
    zoo_check_op_init(&ops[1], under("/a"), 7);
    zoo_delete_op_init(&ops[2], under("/a"), -1);
    EQUAL(zoo_multi(zk, 3, ops, results), ZBADVERSION);
    EQUAL(results[0].err, ZOK);
    EQUAL(results[1].err, ZBADVERSION);
    EQUAL(results[2].err, ZRUNTIMEINCONSISTENCY);
    EQUAL(zoo_exists(zk, under("/b"), 0, &stat), ZNONODE);
}

static void case_watches(void) {
    struct events *e = new_events(), *other = new_events();
    zhandle_t *changing = connect_to(hosts, 10000, other);
    char buffer[8], want[128];
    int length = sizeof buffer;
    struct Stat stat;
    struct String_vector names;
    EQUAL(zoo_wexists(zk, under("/a"), watcher, e, &stat), ZNONODE);
    EQUAL(create(changing, under("/a"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    snprintf(want, sizeof want, "created %s", under("/a"));
    AWAIT(e, 0, want);
    EQUAL(zoo_wget(zk, under("/a"), watcher, e, buffer, &length, &stat), ZOK);
    EQUAL(zoo_wget_children(zk, under("/a"), watcher, e, &names), ZOK);
    EQUAL(create(changing, under("/a/b"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    snprintf(want, sizeof want, "child %s", under("/a"));
    AWAIT(e, 1, want);
    EQUAL(zoo_set(changing, under("/a"), "1", 1, -1), ZOK);
    snprintf(want, sizeof want, "changed %s", under("/a"));
    AWAIT(e, 2, want);
    EQUAL(zoo_set(changing, under("/a"), "2", 1, -1), ZOK); /* once is enough */
    length = sizeof buffer;
    EQUAL(zoo_wget(zk, under("/a/b"), watcher, e, buffer, &length, &stat), ZOK);
    EQUAL(zoo_delete(changing, under("/a/b"), -1), ZOK);
    snprintf(want, sizeof want, "deleted %s", under("/a/b"));
    AWAIT(e, 3, want);
    EQUAL(e->count, 4);
    length = sizeof buffer;
    EQUAL(zoo_wget(zk, under("/a"), watcher, e, buffer, &length, &stat), ZOK);
    EQUAL(zoo_remove_watches(zk, under("/a"), ZWATCHTYPE_DATA, watcher, e, 0), ZOK);
    EQUAL(zoo_remove_watches(zk, under("/a"), ZWATCHTYPE_DATA, watcher, e, 0), ZNOWATCHER);
    EQUAL(zoo_set(changing, under("/a"), "3", 1, -1), ZOK);
    EQUAL(zoo_exists(zk, root, 0, &stat), ZOK);
    EQUAL(zookeeper_close(changing), ZOK);
    pthread_mutex_lock(&mutex);
    for (int i = 4; i < e->count; i++) CHECK(strncmp(e->told[i], "changed", 7) != 0);
    pthread_mutex_unlock(&mutex);
}

static void authenticate(zhandle_t *zh, const char *identity, int want) {
    done = 0;
    EQUAL(zoo_add_auth(zh, "digest", identity, strlen(identity), on_void, NULL), ZOK);
    await_count(__LINE__, &done, 1);
    EQUAL(order[0], want);
}

static void case_auth(void) {
    struct events *e = new_events(), *others = new_events();
    zhandle_t *joe = connect_to(hosts, 10000, e), *other = connect_to(hosts, 10000, others);
    char buffer[8], path[128];
    int length = sizeof buffer;
    struct Stat stat;
    struct ACL_vector acl;
    EQUAL(zoo_create(joe, under("/n"), "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0), ZINVALIDACL);
    authenticate(joe, "joe:secret", ZOK);
    EQUAL(zoo_create(joe, under("/p"), "v", 1, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, path, sizeof path), ZOK);
    EQUAL(zoo_get_acl(joe, path, &acl, &stat), ZOK);
    EQUAL(acl.count, 1);
    SAME(acl.data[0].id.scheme, "digest");
    CHECK(strncmp(acl.data[0].id.id, "joe:", 4) == 0);
    EQUAL(acl.data[0].perms, ZOO_PERM_ALL);
    EQUAL(zoo_get(other, path, 0, buffer, &length, &stat), ZNOAUTH);
    EQUAL(zoo_set_acl(other, path, -1, &ZOO_OPEN_ACL_UNSAFE), ZNOAUTH);
    authenticate(other, "joe:guess", ZOK);
    EQUAL(zoo_set(other, path, "w", 1, -1), ZNOAUTH);
    snprintf(buffer, sizeof buffer, "%s", "");
    char boss[64];
    snprintf(boss, sizeof boss, "super:%s", super_password);
    authenticate(other, boss, ZOK);
    EQUAL(zoo_set(other, path, "w", 1, -1), ZOK);
    EQUAL(zoo_set_acl(joe, path, 0, &ZOO_READ_ACL_UNSAFE), ZOK);
    EQUAL(zoo_set(joe, path, "x", 1, -1), ZNOAUTH);
    EQUAL(zoo_set_acl(other, path, 1, &ZOO_OPEN_ACL_UNSAFE), ZOK);
    done = 0;
    EQUAL(zoo_add_auth(joe, "nonsense", "x", 1, on_void, NULL), ZOK);
    await_count(__LINE__, &done, 1);
    EQUAL(order[0], ZAUTHFAILED);
    EQUAL(zoo_state(joe), ZOO_AUTH_FAILED_STATE);
    zookeeper_close(joe);
    zookeeper_close(other);
}

static void case_reconnect(void) {
    struct events *states = new_events(), *away = new_events(), *later = new_events();
    char buffer[8], want[128];
    int length = sizeof buffer, rc;
    struct Stat stat;
    EQUAL(create(zk, under("/a"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    EQUAL(create(zk, under("/same"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    zhandle_t *zh = connect_to(proxy, 10000, states);
    int64_t session = zoo_client_id(zh)->client_id;
    authenticate(zh, "joe:secret", ZOK);
    EQUAL(zoo_create(zh, under("/e"), "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0), ZOK);
    EQUAL(zoo_wget(zh, under("/a"), watcher, away, buffer, &length, &stat), ZOK);
    EQUAL(zoo_wexists(zh, under("/new"), watcher, away, &stat), ZNONODE);
    length = sizeof buffer;
    EQUAL(zoo_wget(zh, under("/same"), watcher, later, buffer, &length, &stat), ZOK);
    control("partition");
    int seen = AWAIT(states, 1, "state connecting");
    EQUAL(zoo_set(zk, under("/a"), "1", 1, -1), ZOK);
    EQUAL(create(zk, under("/new"), "", ZOO_PERSISTENT, NULL, 0), ZOK);
    control("heal");
    AWAIT(states, seen, "state connected");
    snprintf(want, sizeof want, "changed %s", under("/a"));
    AWAIT(away, 0, want);
    snprintf(want, sizeof want, "created %s", under("/new"));
    AWAIT(away, 0, want);
    EQUAL(zoo_set(zk, under("/same"), "1", 1, -1), ZOK);
    snprintf(want, sizeof want, "changed %s", under("/same"));
    AWAIT(later, 0, want);
    CHECK(zoo_client_id(zh)->client_id == session);
    RETRY(rc, zoo_set(zh, under("/e"), "1", 1, -1)); /* with its identity again */
    EQUAL(rc, ZOK);
    EQUAL(zookeeper_close(zh), ZOK);
    EQUAL(zoo_exists(zk, under("/e"), 0, &stat), ZNONODE);
}

static void restarted(const char *how) {
    struct events *states = new_events(), *e = new_events();
    char buffer[8], path[128], want[128];
    int length = sizeof buffer, rc;
    struct Stat stat;
    zhandle_t *zh = connect_to(restart_hosts, 30000, states);
    int64_t session = zoo_client_id(zh)->client_id;
    EQUAL(create(zh, under("/e"), "mine", ZOO_EPHEMERAL, NULL, 0), ZOK);
    EQUAL(create(zh, under("/s-"), "", ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path), ZOK);
    EQUAL(zoo_set(zh, root, "kept", 4, -1), ZOK);
    EQUAL(zoo_wget(zh, root, watcher, e, buffer, &length, &stat), ZOK);
    control(how);
    int seen = AWAIT(states, 1, "state connecting");
    AWAIT(states, seen, "state connected");
    CHECK(zoo_client_id(zh)->client_id == session);
    RETRY(rc, zoo_exists(zh, under("/e"), 0, &stat));
    EQUAL(rc, ZOK);
    CHECK(stat.ephemeralOwner == session);
    EQUAL(create(zh, under("/s-"), "", ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path), ZOK);
    SAME(path, under("/s-0000000002"));
    EQUAL(zoo_set(zh, root, "1", 1, 1), ZOK);
    snprintf(want, sizeof want, "changed %s", root);
    AWAIT(e, 0, want);
    EQUAL(zookeeper_close(zh), ZOK);
}
static void case_restart(void) { restarted("restart"); }
static void case_crash(void) { restarted("crash"); }

static void case_expiry(void) {
    struct events *states = new_events(), *e = new_events();
    char want[128];
    struct Stat stat;
    zhandle_t *zh = connect_to(proxy, 1000, states);
    EQUAL(create(zh, under("/e"), "", ZOO_EPHEMERAL, NULL, 0), ZOK);
    EQUAL(zoo_wexists(zk, under("/e"), watcher, e, &stat), ZOK);
    control("partition");
    snprintf(want, sizeof want, "deleted %s", under("/e"));
    AWAIT(e, 0, want);
    control("heal");
    AWAIT(states, 1, "state expired");
    CHECK(is_unrecoverable(zh));
    CHECK(zoo_exists(zh, root, 0, &stat) != ZOK);
    zookeeper_close(zh);
}

/* A second handle takes the session over with id and password. */
static void case_session_moves(void) {
    struct events *states = new_events(), *e = new_events();
    struct Stat stat;
    zhandle_t *zh = connect_to(proxy, 10000, states);
    clientid_t id = *zoo_client_id(zh);
    EQUAL(create(zh, under("/e"), "", ZOO_EPHEMERAL, NULL, 0), ZOK);
    control("partition");
    AWAIT(states, 1, "state connecting");
    zhandle_t *other = zookeeper_init(hosts, watcher, 10000, &id, e, 0);
    AWAIT(e, 0, "state connected");
    CHECK(zoo_client_id(other)->client_id == id.client_id);
    EQUAL(zookeeper_close(other), ZOK);
    EQUAL(zoo_exists(zk, under("/e"), 0, &stat), ZNONODE);
    control("heal");
    AWAIT(states, 1, "state expired");
    zookeeper_close(zh);
    id.passwd[0] ^= 1;
    struct events *wrong = new_events();
    zhandle_t *thief = zookeeper_init(hosts, watcher, 10000, &id, wrong, 0);
    AWAIT(wrong, 0, "state expired");
    zookeeper_close(thief);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"synchronous", case_synchronous}, {"asynchronous", case_asynchronous}, {"multi", case_multi},
    {"watches", case_watches}, {"auth", case_auth}, {"reconnect", case_reconnect},
    {"restart", case_restart}, {"crash", case_crash}, {"expiry", case_expiry}, {"session-moves", case_session_moves},
};

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    hosts = argv[1];
    proxy = argv[2];
    restart_hosts = argv[3];
    super_password = argv[4];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, argv[5]) != 0) continue;
        zk = connect_to(hosts, 10000, new_events());
        char prefix[64];
        snprintf(prefix, sizeof prefix, "/c-%s-", argv[5]);
        EQUAL(create(zk, prefix, "", ZOO_PERSISTENT_SEQUENTIAL, root, sizeof root), ZOK);
        cases[i].run();
        return 0;
    }
    fprintf(stderr, "no case %s\n", argv[5]);
    return 2;
}
