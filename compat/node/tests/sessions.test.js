'use strict';
const { test } = require('node:test');
const { assert, zookeeper, control, eventually, Events, use, retried } = require('./base.js');
const { CreateMode, ACL } = zookeeper;

// This client can't set null.
const EMPTY = Buffer.alloc(0);

test('a cut connection', (t) => use(t, async ({ zk, root, connect }) => {
  await zk.create(`${root}/data`, null);
  await zk.create(`${root}/same`, null);
  const cut = await connect(process.env.ZK_PROXY);
  const session = Buffer.from(cut.client.getSessionId());
  cut.client.addAuthInfo('digest', Buffer.from('joe:secret'));
  await cut.create(`${root}/e`, null, ACL.CREATOR_ALL_ACL, CreateMode.EPHEMERAL);
  const away = new Events();
  const later = new Events();
  await cut.getData(`${root}/data`, away.watcher);
  await cut.exists(`${root}/new`, away.watcher);
  await cut.getChildren(root, away.watcher);
  await cut.getData(`${root}/same`, later.watcher);
  await control('partition');
  await cut.states.next('DISCONNECTED');
  await zk.setData(`${root}/data`, EMPTY, -1);
  await zk.create(`${root}/new`, null);
  await control('heal');
  await cut.states.next('SYNC_CONNECTED');
  await eventually('three events', () => away.told.length >= 3);
  assert.deepEqual(away.told.sort(), [
    `NODE_CHILDREN_CHANGED ${root}`, `NODE_CREATED ${root}/new`, `NODE_DATA_CHANGED ${root}/data`]);
  await zk.setData(`${root}/same`, EMPTY, -1);
  await later.next(`NODE_DATA_CHANGED ${root}/same`);
  assert.deepEqual(Buffer.from(cut.client.getSessionId()), session);
  await retried(() => cut.setData(`${root}/e`, EMPTY, -1)); // with its identity again
}));

for (const how of ['restart', 'crash']) {
  test(`the server's ${how}`, (t) => use(t, async ({ root, connect }) => {
    const lasting = await connect(process.env.ZK_RESTART_HOSTS, { sessionTimeout: 30_000 });
    const session = Buffer.from(lasting.client.getSessionId());
    await lasting.create(`${root}/e`, null, CreateMode.EPHEMERAL);
    await lasting.create(`${root}/s-`, null, CreateMode.PERSISTENT_SEQUENTIAL);
    await lasting.setData(root, Buffer.from('kept'), -1);
    const events = new Events();
    await lasting.getData(root, events.watcher);
    await control(how);
    await lasting.states.next('DISCONNECTED');
    await lasting.states.next('SYNC_CONNECTED');
    const [data] = await retried(() => lasting.getData(root));
    assert.equal(data.toString(), 'kept');
    assert.deepEqual((await lasting.exists(`${root}/e`)).ephemeralOwner, session);
    assert.equal(await lasting.create(`${root}/s-`, null, CreateMode.PERSISTENT_SEQUENTIAL), `${root}/s-0000000002`);
    await lasting.setData(root, EMPTY, 1);
    await events.next(`NODE_DATA_CHANGED ${root}`);
  }));
}

test('expiry', (t) => use(t, async ({ zk, root, connect }) => {
  const cut = await connect(process.env.ZK_PROXY, { sessionTimeout: 1_000 });
  await cut.create(`${root}/e`, null, CreateMode.EPHEMERAL);
  const events = new Events();
  await zk.exists(`${root}/e`, events.watcher);
  await control('partition');
  await cut.states.next('DISCONNECTED');
  await events.next(`NODE_DELETED ${root}/e`);
  await control('heal');
  await cut.states.next('EXPIRED');
}));

test('an idle session lives', (t) => use(t, async ({ zk, root, connect }) => {
  const idle = await connect(process.env.ZK_HOSTS, { sessionTimeout: 800 });
  await idle.create(`${root}/e`, null, CreateMode.EPHEMERAL);
  // Meanwhile the longer session of a client that was cut off ends.
  const silent = await connect(process.env.ZK_PROXY, { sessionTimeout: 1_600 });
  await silent.create(`${root}/clock`, null, CreateMode.EPHEMERAL);
  await control('partition');
  await eventually('the end of the silent session', async () => !(await zk.exists(`${root}/clock`)));
  assert.ok(await zk.exists(`${root}/e`));
  assert.deepEqual(idle.states.told, []);
}));
