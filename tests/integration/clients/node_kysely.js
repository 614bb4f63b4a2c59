// SPDX-License-Identifier: GPL-3.0-or-later
// Kysely: typed query builder, schema, migrations, introspection.
'use strict';
const { Kysely, Migrator, PostgresDialect, sql } = require('kysely');
const { Pool } = require('pg');
const Cursor = require('pg-cursor');
const { equal, feature, options, raises, run, sleep } = require('./report');

const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ ...options(), max: 4 }), cursor: Cursor }) });

feature('connect', async () => {
  equal((await sql`SELECT 1 AS one`.execute(db)).rows, [{ one: 1 }]);
});

feature('migrations', async () => {
  const migrations = {
    '1_create': {
      up: async (k) => {
        await k.schema.createTable('author').addColumn('id', 'serial', (c) => c.primaryKey()).addColumn('name', 'varchar(50)', (c) => c.notNull().unique()).execute();
        await k.schema.createTable('book').addColumn('id', 'bigint', (c) => c.primaryKey().generatedAlwaysAsIdentity())
          .addColumn('author_id', 'integer', (c) => c.references('author.id').onDelete('cascade')).addColumn('title', 'text', (c) => c.defaultTo('none'))
          .addColumn('price', 'numeric(8, 2)').addColumn('data', 'jsonb').addCheckConstraint('dear', sql`price > 0`).execute();
        await k.schema.createIndex('book_title').on('book').columns(['title', 'price desc']).execute();
      },
      down: async (k) => {
        await k.schema.dropTable('book').execute();
        await k.schema.dropTable('author').execute();
      },
    },
    '2_change': {
      up: async (k) => {
        await k.schema.alterTable('book').addColumn('made', 'timestamptz', (c) => c.defaultTo(sql`now()`).notNull()).execute();
        await k.schema.alterTable('book').alterColumn('title', (c) => c.setDataType('varchar(200)')).execute();
        await k.schema.alterTable('book').renameColumn('price', 'cost').execute();
        await k.schema.createView('cheap').as(k.selectFrom('book').select('title').where('cost', '<', 5)).execute();
      },
      down: async (k) => {
        await k.schema.dropView('cheap').execute();
        await k.schema.alterTable('book').renameColumn('cost', 'price').execute();
        await k.schema.alterTable('book').dropColumn('made').execute();
      },
    },
  };
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const up = async () => {
    const { error, results } = await migrator.migrateToLatest();
    if (error) throw error;
    return results.map((r) => r.status);
  };
  equal(await up(), ['Success', 'Success']);
  const down = await migrator.migrateDown();
  if (down.error) throw down.error;
  await migrator.migrateTo('1_create');
  await up();
});

feature('crud', async () => {
  equal(await db.insertInto('author').values([{ name: 'Ann' }, { name: 'Bob' }]).returning(['id']).execute(), [{ id: 1 }, { id: 2 }]);
  await db.insertInto('book').values([{ author_id: 1, title: 'one', cost: 1.5, data: JSON.stringify({ x: [1] }) }, { author_id: 1, title: 'two', cost: 7 }]).execute();
  equal(await db.selectFrom('author').leftJoin('book', 'author_id', 'author.id').select((e) => ['name', e.fn.count('book.id').as('n')]).groupBy('name').orderBy('name').execute(),
    [{ name: 'Ann', n: '2' }, { name: 'Bob', n: '0' }]);
  equal((await db.insertInto('author').values({ name: 'Bob' }).onConflict((c) => c.column('name').doUpdateSet({ name: 'Rob' })).returningAll().execute())[0].name, 'Rob');
  const { jsonArrayFrom } = require('kysely/helpers/postgres');
  equal(await db.selectFrom('author').select((e) => ['name', jsonArrayFrom(e.selectFrom('book').select('title').whereRef('author_id', '=', 'author.id').orderBy('title')).as('books')])
    .orderBy('name').execute(), [{ name: 'Ann', books: [{ title: 'one' }, { title: 'two' }] }, { name: 'Rob', books: [] }]);
  equal(Number((await db.updateTable('book').set((e) => ({ cost: e('cost', '+', 1) })).where('title', '=', 'two').executeTakeFirst()).numUpdatedRows), 1);
  equal(await db.with('w', (k) => k.deleteFrom('book').where('title', '=', 'two').returning('cost')).selectFrom('w').selectAll().execute(), [{ cost: '8.00' }]);
  equal(await db.selectFrom('cheap').selectAll().execute(), [{ title: 'one' }]);
  equal(await db.selectFrom('book').select(sql`data -> 'x' ->> 0`.as('x')).executeTakeFirst(), { x: '1' });
});

feature('types', async () => {
  await db.schema.createType('mood').asEnum(['sad', 'ok']).execute();
  await db.schema.createTable('every').addColumn('id', 'serial', (c) => c.primaryKey()).addColumn('a', 'smallint').addColumn('b', 'integer').addColumn('c', 'int8')
    .addColumn('d', 'real').addColumn('e', 'double precision').addColumn('f', 'numeric(20, 5)').addColumn('g', 'boolean').addColumn('h', 'char(3)').addColumn('i', 'text')
    .addColumn('j', 'bytea').addColumn('k', 'date').addColumn('l', 'time').addColumn('m', 'timestamptz').addColumn('n', 'timestamp(3)').addColumn('o', 'json')
    .addColumn('p', 'jsonb').addColumn('q', 'uuid').addColumn('r', sql`int[]`).addColumn('s', sql`inet`).addColumn('t', sql`mood`).execute();
  const row = { a: 7, b: -5, c: '9223372036854775807', d: 0.5, e: 0.1, f: '1.00001', g: true, h: 'ab ', i: 'täxt', j: Buffer.from([0, 255]), k: new Date(2024, 1, 29), l: '01:02:03',
    m: new Date('2024-02-29T01:02:03Z'), n: new Date(2024, 1, 29, 1, 2, 3, 456), o: { a: [1, null] }, p: { b: 'c' }, q: '12345678-1234-5678-1234-567812345678', r: [1, 2],
    s: '10.0.0.1', t: 'ok' };
  await db.insertInto('every').values(row).execute();
  const got = await db.selectFrom('every').selectAll().where('q', '=', row.q).where('m', '=', row.m).where('t', '=', 'ok').where('c', '=', row.c).executeTakeFirstOrThrow();
  for (const name of Object.keys(row)) equal(got[name], row[name], name);
  equal((await db.updateTable('every').set({ r: [3], t: 'sad', j: null }).where('f', '=', row.f).returning(['r', 't', 'j']).execute()), [{ r: [3], t: 'sad', j: null }]);
  equal(Number((await db.deleteFrom('every').where('t', '=', 'sad').executeTakeFirst()).numDeletedRows), 1);
  await db.schema.dropTable('every').execute();
});

feature('transactions', async () => {
  await raises('23505', () => db.transaction().execute(async (t) => {
    await t.insertInto('author').values({ name: 'Cid' }).execute();
    await t.insertInto('author').values({ name: 'Cid' }).execute();
  }));
  equal(await db.selectFrom('author').select('name').where('name', '=', 'Cid').execute(), []);
});

feature('savepoints', async () => {
  const t = await db.startTransaction().setIsolationLevel('serializable').execute();
  await t.insertInto('author').values({ name: 'Dan' }).execute();
  const s = await t.savepoint('s').execute();
  await raises('23505', () => s.insertInto('author').values({ name: 'Dan' }).execute());
  await s.rollbackToSavepoint('s').execute();
  await t.commit().execute();
  equal(await db.selectFrom('author').select('name').where('name', 'in', ['Cid', 'Dan']).execute(), [{ name: 'Dan' }]);
});

feature('errors', async () => {
  await raises('42P01', () => db.selectFrom('gone').selectAll().execute());
  await raises('23514', () => db.insertInto('book').values({ cost: -1 }).execute());
  await raises('23503', () => db.insertInto('book').values({ author_id: 99 }).execute());
});

feature('cancel', async () => {
  const { Client } = require('pg');
  const other = new Client(options());
  await other.connect();
  const sleeping = raises('57014', () => sql`SELECT pg_sleep(60)`.execute(db));
  const find = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
  let found;
  while (!(found = await other.query(find)).rowCount) await sleep(5);
  await other.query('SELECT pg_cancel_backend($1)', [found.rows[0].pid]);
  await sleeping;
  await other.end();
});

feature('bulk load', async () => {
  const rows = [...Array(2000).keys()].map((i) => ({ name: `bulk ${i}` }));
  equal(Number((await db.insertInto('author').values(rows).executeTakeFirst()).numInsertedOrUpdatedRows), 2000);
  equal((await db.deleteFrom('author').where('name', 'like', 'bulk%').executeTakeFirst()).numDeletedRows, 2000n);
});

feature('streaming', async () => {
  let sum = 0;
  for await (const row of db.selectFrom(sql`generate_series(1, 5000)`.as('i')).select(sql`i`.as('i')).stream(200)) sum += row.i;
  equal(sum, 12502500);
});

feature('introspection', async () => {
  const tables = await db.introspection.getTables();
  equal(tables.map((t) => [t.name, t.isView]), [['author', false], ['book', false], ['cheap', true]]);
  const book = tables[1];
  equal(book.columns.map((c) => [c.name, c.dataType, c.isNullable, c.isAutoIncrementing, c.hasDefaultValue]), [['id', 'int8', false, true, false], ['author_id', 'int4', true, false, false],
    ['title', 'varchar', true, false, true], ['cost', 'numeric', true, false, false], ['data', 'jsonb', true, false, false], ['made', 'timestamptz', false, false, true]]);
  equal((await db.introspection.getSchemas()).some((s) => s.name === 'public'), true);
});

run(() => db.destroy());
