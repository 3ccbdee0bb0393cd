'use strict';
const { test } = require('node:test');
const { assert, zookeeper, Events, use, fails } = require('./base.js');
const { CreateMode, Exception, ACL, Id, Permission } = zookeeper;

// This client can't set null.
const EMPTY = Buffer.alloc(0);

test('create, get, set, remove', (t) => use(t, async ({ zk, root }) => {
  assert.equal(await zk.create(`${root}/a`, Buffer.from('v')), `${root}/a`);
  const [data, stat] = await zk.getData(`${root}/a`);
  assert.equal(data.toString(), 'v');
  assert.equal(stat.version, 0);
  assert.equal(stat.dataLength, 1);
  assert.deepEqual(stat.czxid, stat.mzxid);
  const set = await zk.setData(`${root}/a`, Buffer.from('longer'), 0);
  assert.equal(set.version, 1);
  await fails(Exception.BAD_VERSION, zk.setData(`${root}/a`, EMPTY, 0));
  await fails(Exception.NODE_EXISTS, zk.create(`${root}/a`, null));
  await fails(Exception.NO_NODE, zk.create(`${root}/x/y`, null));
  await zk.create(`${root}/a/b`, null);
  assert.equal((await zk.getData(`${root}/a/b`))[0], undefined);
  await fails(Exception.NOT_EMPTY, zk.remove(`${root}/a`, -1));
  await zk.remove(`${root}/a/b`, 0);
  await zk.remove(`${root}/a`, 1);
  assert.equal(await zk.exists(`${root}/a`), null);
  await fails(Exception.NO_NODE, zk.getData(`${root}/a`));
}));

test('children', (t) => use(t, async ({ zk, root }) => {
  await zk.mkdirp(`${root}/a/b/c`, Buffer.from('deep'));
  await zk.mkdirp(`${root}/a/d`);
  const [names, stat] = await zk.getChildren(`${root}/a`);
  assert.deepEqual(names.sort(), ['b', 'd']);
  assert.equal(stat.numChildren, 2);
  assert.equal((await zk.getData(`${root}/a/b/c`))[0].toString(), 'deep');
}));

test('sequences and ephemerals', (t) => use(t, async ({ zk, root, connect }) => {
  const owner = await connect();
  for (let i = 0; i < 3; i++) {
    const want = `${root}/s-${String(i).padStart(10, '0')}`;
    assert.equal(await owner.create(`${root}/s-`, null, CreateMode.EPHEMERAL_SEQUENTIAL), want);
  }
  const stat = await zk.exists(`${root}/s-0000000001`);
  assert.deepEqual(stat.ephemeralOwner, owner.client.getSessionId());
  await fails(Exception.NO_CHILDREN_FOR_EPHEMERALS, zk.create(`${root}/s-0000000001/c`, null));
  const gone = new Events();
  await zk.exists(`${root}/s-0000000002`, gone.watcher);
  owner.close();
  await gone.next(`NODE_DELETED ${root}/s-0000000002`);
}));

test('pipelined calls keep their order', (t) => use(t, async ({ zk, root }) => {
  await zk.create(`${root}/a`, null);
  const calls = [];
  for (let i = 0; i < 300; i++) {
    calls.push(zk.setData(`${root}/a`, Buffer.from(`${i}`), -1).then((stat) => stat.version));
    calls.push(zk.getData(`${root}/a`).then(([data, stat]) => [data.toString(), stat.version]));
  }
  const results = await Promise.all(calls);
  for (let i = 0; i < 300; i++) {
    assert.equal(results[2 * i], i + 1);
    assert.deepEqual(results[2 * i + 1], [`${i}`, i + 1]);
  }
}));

test('transactions', (t) => use(t, async ({ zk, root }) => {
  await zk.create(`${root}/a`, Buffer.from('1'));
  const results = await zk.commit(zk.client.transaction()
    .check(`${root}/a`, 0)
    .create(`${root}/s-`, Buffer.from('x'), CreateMode.EPHEMERAL_SEQUENTIAL)
    .setData(`${root}/a`, Buffer.from('2'), 0)
    .create(`${root}/gone`)
    .remove(`${root}/gone`, 0));
  assert.equal(results.length, 5);
  assert.equal(results[1].path, `${root}/s-0000000001`);
  assert.equal(results[2].stat.version, 1);
  const before = await zk.exists(root);
  await fails(Exception.BAD_VERSION, zk.commit(zk.client.transaction()
    .create(`${root}/b`).remove(`${root}/a`, 7).setData(`${root}/a`, EMPTY, -1)));
  assert.deepEqual(await zk.exists(root), before);
}));

test('one-shot watches', (t) => use(t, async ({ zk, root, connect }) => {
  const events = new Events();
  const watching = await connect();
  assert.equal(await watching.exists(`${root}/a`, events.watcher), null);
  await zk.create(`${root}/a`, null);
  await events.next(`NODE_CREATED ${root}/a`);
  await watching.getData(`${root}/a`, events.watcher);
  await watching.getChildren(`${root}/a`, events.watcher);
  await zk.create(`${root}/a/b`, null);
  await events.next(`NODE_CHILDREN_CHANGED ${root}/a`);
  await zk.setData(`${root}/a`, EMPTY, -1);
  await events.next(`NODE_DATA_CHANGED ${root}/a`);
  await zk.setData(`${root}/a`, EMPTY, -1);
  await watching.getData(`${root}/a/b`, events.watcher);
  await zk.remove(`${root}/a/b`, -1);
  await events.next(`NODE_DELETED ${root}/a/b`);
  await watching.exists(root); // after it, all events before it are here
  assert.deepEqual(events.told, []);
}));

test('identities and ACLs', (t) => use(t, async ({ zk, root, connect }) => {
  const joe = await connect();
  await fails(Exception.INVALID_ACL, joe.create(`${root}/p`, null, ACL.CREATOR_ALL_ACL));
  joe.client.addAuthInfo('digest', Buffer.from('joe:secret'));
  await joe.create(`${root}/p`, Buffer.from('v'), ACL.CREATOR_ALL_ACL);
  const [acls] = await joe.getACL(`${root}/p`);
  assert.equal(acls.length, 1);
  assert.equal(acls[0].id.scheme, 'digest');
  await fails(Exception.NO_AUTH, zk.getData(`${root}/p`));
  await fails(Exception.NO_AUTH, zk.setACL(`${root}/p`, ACL.OPEN_ACL_UNSAFE, -1));
  const open = [new ACL(Permission.READ, Id.ANYONE_ID_UNSAFE), new ACL(Permission.WRITE, new Id('ip', '127.0.0.1'))];
  const stat = await joe.setACL(`${root}/p`, open, 0);
  assert.equal(stat.aversion, 1);
  await zk.setData(`${root}/p`, EMPTY, -1);
  const boss = await connect();
  boss.client.addAuthInfo('digest', Buffer.from(`super:${process.env.ZK_SUPER}`));
  await boss.setACL(`${root}/p`, ACL.OPEN_ACL_UNSAFE, -1);
}));

test('a chroot', (t) => use(t, async ({ zk, root, connect }) => {
  const inside = await connect(process.env.ZK_HOSTS + root);
  const events = new Events();
  await inside.getChildren('/', events.watcher);
  assert.equal(await inside.create('/a', null), '/a');
  await events.next('NODE_CHILDREN_CHANGED /');
  assert.ok(await zk.exists(`${root}/a`));
}));

test('large values', (t) => use(t, async ({ zk, root }) => {
  const value = Buffer.alloc(900_000, 'x');
  await zk.create(`${root}/big`, value);
  assert.deepEqual((await zk.getData(`${root}/big`))[0], value);
}));
