// SPDX-License-Identifier: GPL-3.0-or-later
// Drizzle: typed schema, migrations made and pulled by drizzle-kit.
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { drizzle } = require('drizzle-orm/node-postgres');
const { migrate } = require('drizzle-orm/node-postgres/migrator');
const { relations, sql, eq, gt, desc, count, inArray } = require('drizzle-orm');
const p = require('drizzle-orm/pg-core');
const { Pool } = require('pg');
const { equal, feature, options, raises, run, sleep } = require('./report');

const SCHEMA = `
const p = require('drizzle-orm/pg-core');
exports.mood = p.pgEnum('mood', ['sad', 'ok']);
exports.author = p.pgTable('author', { id: p.serial('id').primaryKey(), name: p.varchar('name', { length: 50 }).notNull().unique(), born: p.date('born'), mood: exports.mood('mood') });
exports.book = p.pgTable('book', {
  id: p.bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(), authorId: p.integer('author_id').references(() => exports.author.id, { onDelete: 'cascade' }),
  title: p.text('title').notNull().default('none'), price: p.numeric('price', { precision: 8, scale: 2 }), made: p.timestamp('made', { withTimezone: true }).defaultNow(),
  data: p.jsonb('data'), tags: p.text('tags').array(), key: p.uuid('key').defaultRandom(), flag: p.boolean('flag').default(false), real: p.doublePrecision('real'),
}, (t) => [p.index('book_title').on(t.title, t.price.desc()), p.check('dear', require('drizzle-orm').sql\`\${t.price} > 0\`)]);
`;
const pool = new Pool({ ...options(), max: 4 });
const folder = fs.mkdtempSync(path.join(process.env.ISOPOD_NODE_FOLDER ?? os.tmpdir(), 'isopod-it-drizzle-'));
fs.symlinkSync(path.join(path.dirname(require.resolve('pg/package.json')), '..'), path.join(folder, 'node_modules'));
fs.writeFileSync(path.join(folder, 'schema.js'), SCHEMA);
fs.writeFileSync(path.join(folder, 'drizzle.config.json'), JSON.stringify({ dialect: 'postgresql', schema: './schema.js', out: './out',
  dbCredentials: { ...options() } }));
const kit = (...words) => execFileSync(process.execPath, [path.join(folder, 'node_modules/drizzle-kit/bin.cjs'), ...words], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
const { author, book } = require(path.join(folder, 'schema.js'));
const db = drizzle(pool, { schema: { author, book, authorRelations: relations(author, ({ many }) => ({ books: many(book) })),
  bookRelations: relations(book, ({ one }) => ({ author: one(author, { fields: [book.authorId], references: [author.id] }) })) } });

feature('connect', async () => {
  equal((await db.execute(sql`SELECT 1 AS one`)).rows, [{ one: 1 }]);
});

feature('migrations', async () => {
  kit('generate', '--name', 'first');
  await migrate(db, { migrationsFolder: path.join(folder, 'out') });
  await migrate(db, { migrationsFolder: path.join(folder, 'out') });
  fs.writeFileSync(path.join(folder, 'schema.js'), SCHEMA.replace("born: p.date('born')", "born: p.date('born'), motto: p.text('motto').default('x')"));
  kit('generate', '--name', 'second');
  await migrate(db, { migrationsFolder: path.join(folder, 'out') });
  equal((await db.execute(sql`SELECT column_default FROM information_schema.columns WHERE table_name = 'author' AND column_name = 'motto'`)).rows,
    [{ column_default: "'x'::text" }]);
});

feature('types', async () => {
  equal(await db.insert(author).values([{ name: 'Ann', born: '1980-01-01', mood: 'ok' }, { name: 'Bob' }]).returning({ id: author.id }), [{ id: 1 }, { id: 2 }]);
  const moment = new Date('2024-02-29T01:02:03Z');
  const row = { authorId: 1, title: 'one', price: '1.50', made: moment, data: { a: [1, null] }, tags: ['a,b', 'c"d'], key: '12345678-1234-5678-1234-567812345678', flag: true, real: 0.1 };
  await db.insert(book).values([row, { authorId: 1, price: '7' }]);
  const [got] = await db.select().from(book).where(eq(book.key, row.key));
  equal(got, { id: 1, ...row });
  equal(await db.select({ name: author.name, n: count(book.id) }).from(author).leftJoin(book, eq(book.authorId, author.id)).groupBy(author.name).orderBy(author.name),
    [{ name: 'Ann', n: 2 }, { name: 'Bob', n: 0 }]);
  const nested = await db.query.author.findMany({ with: { books: { columns: { title: true }, orderBy: desc(book.id) } }, orderBy: author.id });
  equal(nested.map((a) => [a.name, a.books.map((b) => b.title)]), [['Ann', ['none', 'one']], ['Bob', []]]);
  equal((await db.insert(author).values({ name: 'Bob' }).onConflictDoUpdate({ target: author.name, set: { born: '1999-09-09' } }).returning())[0].born, '1999-09-09');
  equal((await db.update(book).set({ price: sql`${book.price} + 1` }).where(gt(book.price, '5')).returning({ price: book.price })), [{ price: '8.00' }]);
  equal((await db.delete(book).where(inArray(book.title, ['none']))).rowCount, 1);
});

feature('transactions', async () => {
  await raises('23505', () => db.transaction(async (t) => {
    await t.insert(author).values({ name: 'Eve' });
    await t.insert(author).values({ name: 'Eve' });
  }));
  await db.transaction((t) => t.insert(author).values({ name: 'Fay' }), { isolationLevel: 'read committed', accessMode: 'read write' });
  equal((await db.select({ name: author.name }).from(author).where(inArray(author.name, ['Eve', 'Fay']))), [{ name: 'Fay' }]);
});

feature('savepoints', async () => {
  await db.transaction(async (t) => {
    await t.insert(author).values({ name: 'Cid' });
    await raises('23505', () => t.transaction((s) => s.insert(author).values({ name: 'Cid' })));
    await t.select().from(author).for('update', { skipLocked: true });
  }, { isolationLevel: 'serializable' });
  equal(await db.$count(author, eq(author.name, 'Cid')), 1);
});

feature('prepared statements', async () => {
  const prepared = db.select().from(author).where(eq(author.id, sql.placeholder('id'))).prepare('by_id');
  equal((await prepared.execute({ id: 2 }))[0].name, 'Bob');
  equal((await prepared.execute({ id: 1 }))[0].name, 'Ann');
});

feature('cancel', async () => {
  const { Client } = require('pg');
  const other = new Client(options());
  await other.connect();
  const sleeping = raises('57014', () => db.execute(sql`SELECT pg_sleep(60)`));
  const find = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
  let found;
  while (!(found = await other.query(find)).rowCount) await sleep(5);
  await other.query('SELECT pg_cancel_backend($1)', [found.rows[0].pid]);
  await sleeping;
  await other.end();
});

feature('bulk load', async () => {
  equal((await db.insert(author).values([...Array(2000).keys()].map((i) => ({ name: `bulk ${i}` })))).rowCount, 2000);
  equal((await db.delete(author).where(sql`name LIKE 'bulk%'`)).rowCount, 2000);
});

feature('errors', async () => {
  await raises('23505', () => db.insert(author).values({ name: 'Ann' }));
  await raises('42P01', () => db.execute(sql`SELECT * FROM gone`));
});

feature('introspection', async () => {
  kit('pull');
  const text = fs.readFileSync(path.join(folder, 'out/schema.ts'), 'utf8');
  for (const line of ['export const mood = pgEnum("mood", [\'sad\', \'ok\'])', 'name: varchar({ length: 50 }).notNull()', 'numeric({ precision: 8, scale:  2 })',
    'title: text().default(\'none\').notNull()', 'index("book_title").using("btree"', 'check("dear"', '.onDelete("cascade")', 'unique("author_name_unique")',
    'generatedAlwaysAsIdentity', 'tags: text().array()', 'uuid().defaultRandom()'])
    if (!text.includes(line)) throw new Error(`${line} is not in ${text}`);
});

run(async () => {
  fs.rmSync(folder, { recursive: true });
  await pool.end();
});
