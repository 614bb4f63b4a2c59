// SPDX-License-Identifier: GPL-3.0-or-later
// TypeORM: entities, synchronise, migrations, query builder.
'use strict';
require('reflect-metadata');
const { DataSource, EntitySchema, In, Like, MigrationExecutor, Table, TableColumn, TableForeignKey, TableIndex } = require('typeorm');
const { equal, feature, options, raises, run, sleep } = require('./report');

const Author = new EntitySchema({
  name: 'author', columns: { id: { type: Number, primary: true, generated: 'increment' }, name: { type: String, length: 50, unique: true }, born: { type: 'date', nullable: true } },
  relations: { books: { type: 'one-to-many', target: 'book', inverseSide: 'author' } },
});
const Book = new EntitySchema({
  name: 'book',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'identity' }, title: { type: 'text', default: 'none', comment: 'its name' },
    price: { type: 'decimal', precision: 8, scale: 2, nullable: true }, made: { type: 'timestamptz', createDate: true }, version: { type: Number, version: true },
    key: { type: 'uuid', generated: 'uuid' },
  },
  relations: { author: { type: 'many-to-one', target: 'author', inverseSide: 'books', onDelete: 'CASCADE' }, tags: { type: 'many-to-many', target: 'tag', joinTable: true } },
  indices: [{ name: 'book_title', columns: ['title', 'price'] }], checks: [{ name: 'dear', expression: 'price > 0' }],
});
const Tag = new EntitySchema({ name: 'tag', columns: { id: { type: Number, primary: true, generated: 'increment' }, name: { type: String } } });
const Every = new EntitySchema({
  name: 'every',
  columns: {
    id: { type: Number, primary: true, generated: 'increment' }, a: { type: 'int' }, b: { type: 'bigint' }, c: { type: 'double precision' }, d: { type: 'numeric', precision: 20, scale: 5 },
    e: { type: 'boolean' }, f: { type: 'text' }, g: { type: 'bytea' }, h: { type: 'timestamptz' }, i: { type: 'date' }, j: { type: 'time' }, k: { type: 'json' }, l: { type: 'jsonb' },
    m: { type: 'uuid' }, n: { type: 'int', array: true }, o: { type: 'text', array: true }, p: { type: 'inet' }, q: { type: 'smallint' }, r: { type: 'interval' }, s: { type: 'char', length: 3 },
    t: { type: 'bit', length: 3 }, u: { type: 'varchar', length: 5, nullable: true },
  },
});
const o = options();
const db = new DataSource({ type: 'postgres', host: o.host, port: o.port, username: o.user, password: o.password, database: o.database, ssl: o.ssl,
  entities: [Author, Book, Tag, Every], logging: false, installExtensions: false, uuidExtension: 'pgcrypto' });

feature('connect', async () => {
  await db.initialize();
  equal((await db.query('SELECT 1 AS one'))[0].one, 1);
});

feature('ddl', async () => {
  await db.synchronize();
  // Nothing is left to do: what was made is read back as what was wanted.
  equal((await db.driver.createSchemaBuilder().log()).upQueries.map((q) => q.query), []);
});

feature('migrations', async () => {
  class first1700000000001 {
    name = 'first1700000000001';
    async up(q) {
      await q.createTable(new Table({ name: 'made', columns: [{ name: 'id', type: 'int', isPrimary: true, isGenerated: true }, { name: 'a', type: 'varchar(20)' }] }));
      await q.createIndex('made', new TableIndex({ name: 'made_a', columnNames: ['a'] }));
    }
    async down(q) { await q.dropTable('made'); }
  }
  class second1700000000002 {
    name = 'second1700000000002';
    async up(q) {
      await q.addColumn('made', new TableColumn({ name: 'author_id', type: 'int', isNullable: true }));
      await q.createForeignKey('made', new TableForeignKey({ columnNames: ['author_id'], referencedTableName: 'author', referencedColumnNames: ['id'] }));
      await q.changeColumn('made', 'a', new TableColumn({ name: 'b', type: 'text', isNullable: true }));
    }
    async down(q) {
      const table = await q.getTable('made');
      await q.dropForeignKey('made', table.foreignKeys[0]);
      await q.dropColumn('made', 'author_id');
    }
  }
  const other = new DataSource({ ...db.options, migrations: [first1700000000001, second1700000000002] });
  await other.initialize();
  equal((await other.runMigrations()).map((m) => m.name), ['first1700000000001', 'second1700000000002']);
  await other.undoLastMigration();
  equal(await other.showMigrations(), true);
  await other.undoLastMigration();
  await other.destroy();
});

feature('types', async () => {
  const row = { a: -5, b: '9223372036854775807', c: 0.1, d: '1.00001', e: true, f: 'täxt', g: Buffer.from([0, 255]), h: new Date('2024-02-29T01:02:03Z'), i: '2024-02-29', j: '01:02:03',
    k: { a: [1, null] }, l: { b: 1 }, m: '12345678-1234-5678-1234-567812345678', n: [1, 2], o: ['a,b', 'c"d'], p: '10.0.0.1', q: 7, s: 'ab ', t: '101', u: null };
  const every = db.getRepository('every');
  await every.save({ ...row, r: '1 day' });
  const got = await every.findOneBy({ m: row.m });
  for (const name of Object.keys(row)) equal(got[name], row[name], name);
});

feature('orm', async () => {
  const authors = db.getRepository('author'), books = db.getRepository('book'), tags = db.getRepository('tag');
  const red = await tags.save({ name: 'red' });
  const ann = await authors.save({ name: 'Ann', born: '1980-01-01' });
  await authors.save({ name: 'Bob' });
  await books.save([{ title: 'one', price: 1.5, author: ann, tags: [red] }, { price: 7, author: ann }]);
  const found = await authors.find({ relations: { books: { tags: true } }, order: { name: 'ASC', books: { id: 'ASC' } } });
  equal(found.map((a) => [a.name, a.books.map((b) => [b.title, b.price, b.tags.length])]), [['Ann', [['one', '1.50', 1], ['none', '7.00', 0]]], ['Bob', []]]);
  const counted = await authors.createQueryBuilder('a').leftJoin('a.books', 'b').select('a.name', 'name').addSelect('count(b.id)::int', 'n').groupBy('a.name').orderBy('name').getRawMany();
  equal(counted, [{ name: 'Ann', n: 2 }, { name: 'Bob', n: 0 }]);
  const [page, total] = await books.findAndCount({ where: { title: Like('o%') }, take: 1, relations: { author: true }, order: { id: 'ASC' } });
  equal([page[0].author.name, total], ['Ann', 1]);
  page[0].title = 'changed';
  equal((await books.save(page[0])).version, 2);
  await authors.upsert([{ name: 'Bob', born: '1999-09-09' }], ['name']);
  equal((await authors.findOneBy({ name: 'Bob' })).born, '1999-09-09');
  equal((await books.update({ title: In(['changed']) }, { price: 3 })).affected, 1);
  equal((await authors.delete({ name: 'Ann' })).affected, 1);
  equal(await books.count(), 0);
});

feature('transactions', async () => {
  await raises('23505', () => db.transaction(async (m) => {
    await m.insert('author', { name: 'Eve' });
    await m.insert('author', { name: 'Eve' });
  }));
  const q = db.createQueryRunner();
  await q.startTransaction('READ COMMITTED');
  await q.manager.insert('author', { name: 'Fay' });
  equal(await db.getRepository('author').countBy({ name: In(['Eve', 'Fay']) }), 0);
  await q.commitTransaction();
  await q.release();
  equal(await db.getRepository('author').countBy({ name: In(['Eve', 'Fay']) }), 1);
});

feature('savepoints', async () => {
  await db.transaction('SERIALIZABLE', async (m) => {
    await m.insert('author', { name: 'Cid' });
    await raises('23505', () => m.transaction((s) => s.insert('author', { name: 'Cid' })));
    await m.insert('author', { name: 'Dan' });
    await m.createQueryBuilder('author', 'a').setLock('pessimistic_write').setOnLocked('skip_locked').getMany();
  });
  equal(await db.getRepository('author').countBy({ name: In(['Cid', 'Dan']) }), 2);
});

feature('errors', async () => {
  const e = await raises('23505', () => db.getRepository('author').insert({ name: 'Dan' }));
  equal(e.driverError.table, 'author');
  await raises('23514', () => db.getRepository('book').insert({ price: -1 }));
  await raises('42P01', () => db.query('SELECT * FROM gone'));
});

feature('cancel', async () => {
  const { Client } = require('pg');
  const other = new Client(options());
  await other.connect();
  const sleeping = raises('57014', () => db.query('SELECT pg_sleep(60)'));
  const find = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
  let found;
  while (!(found = await other.query(find)).rowCount) await sleep(5);
  await other.query('SELECT pg_cancel_backend($1)', [found.rows[0].pid]);
  await sleeping;
  await other.end();
});

feature('bulk load', async () => {
  await db.getRepository('tag').insert([...Array(2000).keys()].map((i) => ({ name: `bulk ${i}` })));
  equal(await db.getRepository('tag').countBy({ name: Like('bulk%') }), 2000);
});

feature('streaming', async () => {
  let count = 0;
  for await (const row of await db.getRepository('tag').createQueryBuilder('t').where("t.name LIKE 'bulk%'").stream()) count += row.t_id > 0;
  equal(count, 2000);
});

feature('introspection', async () => {
  const q = db.createQueryRunner();
  const table = await q.getTable('book');
  equal([table.indices.map((i) => i.name).includes('book_title'), table.checks.map((c) => c.name), table.foreignKeys.map((k) => [k.columnNames, k.referencedTableName, k.onDelete])],
    [true, ['dear'], [[['authorId'], 'author', 'CASCADE']]]);
  equal(table.findColumnByName('title').default, "'none'");
  equal(await q.hasTable('tag'), true);
  await q.release();
  await db.dropDatabase();
});

run(() => db.destroy());
