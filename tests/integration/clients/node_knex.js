// SPDX-License-Identifier: GPL-3.0-or-later
// knex: query builder, schema builder, migrations.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const knex = require('knex');
const { equal, feature, options, raises, run } = require('./report');

const db = knex({ client: 'pg', connection: options(), pool: { min: 0, max: 4 } });

feature('connect', async () => {
  equal((await db.raw('SELECT current_user AS u')).rows[0].u, process.env.PGUSER);
});

feature('migrations', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'isopod-it-knex-'));
  fs.writeFileSync(path.join(folder, '1_create.js'), `
    exports.up = async (knex) => {
      await knex.schema.createTable('author', (t) => { t.increments(); t.string('name', 50).notNullable().unique(); t.timestamps(true, true); });
      await knex.schema.createTable('book', (t) => {
        t.bigIncrements('id'); t.integer('author_id').references('author.id').onDelete('CASCADE'); t.text('title').defaultTo('none').comment('its name');
        t.decimal('price', 8, 2); t.jsonb('data'); t.uuid('key').defaultTo(knex.fn.uuid()); t.enu('kind', ['a', 'b']); t.specificType('tags', 'text[]');
        t.index(['title', 'price'], 'book_title'); t.comment('what was written');
      });
    };
    exports.down = async (knex) => { await knex.schema.dropTable('book'); await knex.schema.dropTable('author'); };`);
  fs.writeFileSync(path.join(folder, '2_change.js'), `
    exports.up = (knex) => knex.schema.alterTable('book', (t) => {
      t.string('title', 200).notNullable().alter(); t.renameColumn('price', 'cost'); t.date('made'); t.dropIndex([], 'book_title'); t.check('cost > 0', {}, 'dear');
    });
    exports.down = (knex) => knex.schema.alterTable('book', (t) => {
      t.dropChecks('dear'); t.dropColumn('made'); t.renameColumn('cost', 'price'); t.index(['title', 'price'], 'book_title'); t.text('title').nullable().alter();
    });`);
  const config = { directory: folder };
  equal((await db.migrate.latest(config))[1], ['1_create.js', '2_change.js']);
  equal((await db.migrate.latest(config))[1], []);
  equal((await db.migrate.rollback(config, true))[1], ['2_change.js', '1_create.js']);
  await db.migrate.latest(config);
  equal(await db.migrate.currentVersion(config), '2');
  fs.rmSync(folder, { recursive: true });
});

feature('crud', async () => {
  const ids = await db('author').insert([{ name: 'Ann' }, { name: 'Bob' }]).returning('id');
  equal(ids, [{ id: 1 }, { id: 2 }]);
  await db('book').insert([{ author_id: 1, title: 'one', cost: 1.5, tags: ['a', 'b'], data: { x: 1 }, kind: 'a' }, { author_id: 1, title: 'two', cost: 7 }]);
  equal(await db('author').leftJoin('book', 'author.id', 'author_id').groupBy('name').orderBy('name').select('name').count('book.id as n'),
    [{ name: 'Ann', n: '2' }, { name: 'Bob', n: '0' }]);
  equal((await db('book').whereJsonSupersetOf('data', { x: 1 }).first()).tags, ['a', 'b']);
  equal(await db('author').insert({ name: 'Bob' }).onConflict('name').merge().returning('name'), [{ name: 'Bob' }]);
  equal(await db('book').where('cost', '>', 5).update({ title: 'dear' }), 1);
  equal(await db('book').increment('cost', 1).where({ title: 'dear' }).returning('cost'), [{ cost: '8.00' }]);
  equal((await db.with('w', db('book').select('title')).select().from('w').union(db('author').select('name')).orderBy('title')).map((r) => r.title),
    ['Ann', 'Bob', 'dear', 'one']);
  equal(await db('book').rowNumber('n', 'id').select('title').orderBy('id'), [{ title: 'one', n: '1' }, { title: 'dear', n: '2' }]);
  equal(await db('book').whereIn('title', ['one']).del(), 1);
  await db('author').forUpdate().skipLocked().where({ id: -1 }).catch(() => {});
});

feature('types', async () => {
  await db.schema.createTable('every', (t) => {
    t.increments(); t.smallint('a'); t.integer('b'); t.bigint('c'); t.float('d'); t.double('e'); t.decimal('f', 20, 5); t.boolean('g'); t.string('h', 5); t.text('i');
    t.binary('j'); t.date('k'); t.time('l'); t.timestamp('m'); t.datetime('n', { useTz: false, precision: 3 }); t.json('o'); t.jsonb('p'); t.uuid('q');
    t.specificType('r', 'int[]'); t.specificType('s', 'inet'); t.specificType('t', 'interval'); t.enu('u', ['sad', 'ok'], { useNative: true, enumName: 'mood' });
  });
  const row = { a: 7, b: -5, c: '9223372036854775807', d: 0.5, e: 0.1, f: '1.00001', g: true, h: 'short', i: 'täxt', j: Buffer.from([0, 255]), l: '01:02:03',
    m: new Date('2024-02-29T01:02:03Z'), n: new Date(2024, 1, 29, 1, 2, 3, 456), o: { a: [1, null] }, p: { b: { c: 'd' } }, q: '12345678-1234-5678-1234-567812345678',
    r: [1, 2], s: '10.0.0.1', u: 'ok' };
  await db('every').insert({ ...row, k: '2024-02-29', t: '1 day' });
  const got = await db('every').where(db.raw('p @> ?', [JSON.stringify({ b: { c: 'd' } })])).andWhere({ u: 'ok', q: row.q, f: row.f, j: row.j, m: row.m }).first();
  for (const name of Object.keys(row)) equal(got[name], row[name], name);
  equal([got.k, { ...got.t }], [new Date(2024, 1, 29), { days: 1 }]);
  equal(await db('every').where({ id: got.id }).update({ r: [3], p: null, u: 'sad' }), 1);
  equal(await db('every').whereNull('p').andWhere('u', 'sad').del(), 1);
});

feature('transactions', async () => {
  await raises('23505', () => db.transaction(async (t) => {
    await t('author').insert({ name: 'Cid' });
    await t('author').insert({ name: 'Cid' });
  }));
  equal((await db('author').where({ name: 'Cid' })).length, 0);
});

feature('savepoints', async () => {
  await db.transaction(async (t) => {
    await t('author').insert({ name: 'Dan' });
    await raises('23505', () => t.transaction((s) => s('author').insert({ name: 'Dan' })));
  }, { isolationLevel: 'serializable' });
  equal((await db('author').whereIn('name', ['Cid', 'Dan'])).map((r) => r.name), ['Dan']);
});

feature('errors', async () => {
  await raises('42P01', () => db('gone'));
  await raises('23502', () => db('author').insert({ name: null }));
  await raises('23503', () => db('book').insert({ author_id: 99, title: 'x' }));
});

feature('cancel', async () => {
  let error;
  await db.raw('SELECT pg_sleep(60)').timeout(100, { cancel: true }).catch((e) => (error = e));
  equal(error?.name, 'KnexTimeoutError');
});

feature('bulk load', async () => {
  await db.batchInsert('author', [...Array(2000).keys()].map((i) => ({ name: `bulk ${i}` })), 500);
  equal((await db('author').where('name', 'like', 'bulk%').count())[0].count, '2000');
});

feature('streaming', async () => {
  let count = 0;
  for await (const row of db('author').where('name', 'like', 'bulk%').stream()) count += row.id > 0;
  equal(count, 2000);
});

feature('introspection', async () => {
  equal(await db.schema.hasTable('book'), true);
  equal(await db.schema.hasColumn('book', 'cost'), true);
  const info = await db('book').columnInfo();
  equal([info.title.type, info.title.maxLength, info.title.nullable], ['character varying', 200, false]);
});

run(() => db.destroy());
