'use strict';
// What the tests share: clients that are closed in the end, calls as promises,
// a znode of the test's own, and the strings of the server (package
// compat/control).

const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const zookeeper = require('node-zookeeper-client');

// How long anything may take on a loaded machine; only a failure waits this long.
const PATIENCE_MS = 20_000;

async function control(action) {
  const response = await fetch(`${process.env.ZK_CONTROL}/${action}`, { method: 'POST' });
  assert.equal(response.status, 200, await response.text());
}

// Waits until the condition gives something true.
async function eventually(what, condition) {
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(10)) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `not in time: ${what}`);
  }
}

// Events keeps what a watcher was told, as "NAME path", or a client's states.
class Events {
  constructor() {
    this.told = [];
    this.watcher = (event) => this.told.push(`${event.getName()} ${event.getPath()}`);
  }

  // Waits for this event and drops all before it.
  async next(want) {
    await eventually(`${want} in ${this.told}`, () => this.told.includes(want));
    this.told.splice(0, this.told.indexOf(want) + 1);
  }
}

// promised gives a client whose calls return promises of what their callbacks get.
function promised(client) {
  const call = (name) => (...args) => new Promise((resolve, reject) => {
    client[name](...args, (error, ...results) => {
      if (error) reject(error);
      else resolve(results.length > 1 ? results : results[0]);
    });
  });
  const names = ['create', 'remove', 'exists', 'getData', 'setData', 'getChildren', 'getACL', 'setACL', 'mkdirp'];
  const z = Object.fromEntries(names.map((name) => [name, call(name)]));
  z.client = client;
  z.states = new Events();
  client.on('state', (state) => {
    z.states.told.push(state.getName());
    z.ended ||= state.getName() === 'EXPIRED';
  });
  z.close = () => {
    z.ended = true;
    client.close();
  };
  z.commit = (transaction) => new Promise((resolve, reject) => {
    transaction.commit((error, results) => {
      if (error) reject(Object.assign(error, { results }));
      else resolve(results);
    });
  });
  return z;
}

// use gives a test its clients: connect(hosts, options) and a root znode.
async function use(t, run) {
  const open = [];
  const connect = async (hosts = process.env.ZK_HOSTS, options = {}) => {
    const z = promised(zookeeper.createClient(hosts, { sessionTimeout: 10_000, spinDelay: 50, ...options }));
    open.push(z);
    z.client.connect();
    await z.states.next('SYNC_CONNECTED');
    return z;
  };
  try {
    const zk = await connect();
    const root = await zk.create(`/node-${t.name.replace(/\W+/g, '-')}-`, null, zookeeper.CreateMode.PERSISTENT_SEQUENTIAL);
    await run({ zk, root, connect });
  } finally {
    await control('up');
    await control('heal');
    // A client closed while it has no connection would try to get one for ever.
    for (const z of open) {
      await eventually('connected or ended', () => z.ended || z.client.getState().getName() === 'SYNC_CONNECTED');
      if (!z.ended) z.close();
    }
  }
}

// fails checks that a call gives an error of this code.
async function fails(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, `${error}`);
    return true;
  });
}

// retried repeats a call that fails while the connection is away.
function retried(call) {
  return eventually('an answer', async () => {
    try {
      return { value: await call() };
    } catch (error) {
      if (error.code === zookeeper.Exception.CONNECTION_LOSS) return null;
      throw error;
    }
  }).then((answer) => answer.value);
}

module.exports = { assert, zookeeper, control, eventually, Events, use, fails, retried };
