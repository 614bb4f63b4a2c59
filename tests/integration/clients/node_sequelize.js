// SPDX-License-Identifier: GPL-3.0-or-later
// Sequelize: models, sync with alter, associations, queryInterface.
'use strict';
const { DataTypes, Op, Sequelize, Transaction, fn, col, literal } = require('sequelize');
const { equal, feature, options, raises, run, sleep } = require('./report');

const o = options();
const db = new Sequelize(o.database, o.user, o.password,
  { dialect: 'postgres', host: o.host, port: o.port, logging: false, dialectOptions: { ssl: o.ssl }, pool: { max: 3 } });

const Author = db.define('Author', { name: { type: DataTypes.STRING(50), allowNull: false, unique: true }, born: DataTypes.DATEONLY });
const Book = db.define('Book', {
  title: { type: DataTypes.TEXT, defaultValue: 'none', comment: 'its name' },
  price: DataTypes.DECIMAL(8, 2),
}, { indexes: [{ fields: ['title'] }, { unique: true, fields: ['title', 'price'], where: { price: { [Op.gt]: 5 } } }], version: true });
const Tag = db.define('Tag', { name: DataTypes.STRING }, { timestamps: false });
Author.hasMany(Book, { as: 'books', onDelete: 'CASCADE' });
Book.belongsTo(Author);
Book.belongsToMany(Tag, { through: 'BookTag' });
Tag.belongsToMany(Book, { through: 'BookTag' });

feature('connect', async () => {
  await db.authenticate();
  equal((await db.databaseVersion()).split('.')[0], '15');
});

feature('ddl', async () => {
  await db.sync();
  await db.sync({ alter: true });
  const q = db.getQueryInterface();
  await q.addColumn('Tags', 'colour', { type: DataTypes.STRING(10), allowNull: true });
  await q.changeColumn('Tags', 'colour', { type: DataTypes.TEXT, allowNull: false, defaultValue: 'red' });
  await q.renameColumn('Tags', 'colour', 'paint');
  await q.addIndex('Tags', ['paint'], { concurrently: false });
  await q.addConstraint('Tags', { type: 'check', fields: ['paint'], where: { paint: { [Op.ne]: '' } }, name: 'painted' });
  await q.removeConstraint('Tags', 'painted');
  await q.removeColumn('Tags', 'paint');
});

feature('types', async () => {
  const Every = db.define('Every', {
    a: DataTypes.INTEGER, b: DataTypes.BIGINT, c: DataTypes.DOUBLE, d: DataTypes.DECIMAL(20, 5), e: DataTypes.BOOLEAN, f: DataTypes.TEXT, g: DataTypes.BLOB,
    h: DataTypes.DATE, i: DataTypes.DATEONLY, j: DataTypes.TIME, k: DataTypes.JSON, l: DataTypes.JSONB, m: DataTypes.UUID, n: DataTypes.ARRAY(DataTypes.INTEGER),
    o: DataTypes.ARRAY(DataTypes.TEXT), p: DataTypes.INET, q: DataTypes.SMALLINT, r: DataTypes.REAL, s: DataTypes.CHAR(3),
  }, { timestamps: false });
  await Every.sync();
  const row = { a: -5, b: '9223372036854775807', c: 0.1, d: '1.00001', e: true, f: 'täxt', g: Buffer.from([0, 255]), h: new Date('2024-02-29T01:02:03Z'),
    i: '2024-02-29', j: '01:02:03', k: { a: [1, null] }, l: { b: { c: 'd' } }, m: '12345678-1234-5678-1234-567812345678', n: [1, 2], o: ['a,b', 'c"d'],
    p: '10.0.0.1', q: 7, r: 0.5, s: 'ab ' };
  await Every.create(row);
  const got = (await Every.findOne({ where: { l: { b: { c: 'd' } }, n: { [Op.contains]: [2] }, o: { [Op.overlap]: ['a,b'] }, f: { [Op.iLike]: 'T%' }, m: row.m } })).get();
  delete got.id;
  equal(got, row);
});

feature('enums', async () => {
  const Mood = db.define('Mood', { mood: DataTypes.ENUM('sad', 'ok') }, { timestamps: false });
  await Mood.sync();
  await Mood.create({ mood: 'ok' });
  equal((await Mood.findOne()).mood, 'ok');
  await Mood.sync({ alter: true });
});

feature('orm', async () => {
  const ann = await Author.create({ name: 'Ann', born: '1980-01-01', books: [{ title: 'one', price: 1.5 }, { title: 'two', price: 7 }] }, { include: 'books' });
  await Author.create({ name: 'Bob' });
  await ann.books[0].addTag(await Tag.create({ name: 'red' }));
  // Not by id: the books were added side by side.
  const found = await Author.findAll({ include: [{ model: Book, as: 'books', include: Tag }], order: ['name', [{ model: Book, as: 'books' }, 'title', 'ASC']] });
  equal(found.map((a) => [a.name, a.books.map((b) => [b.title, b.price, b.Tags.length])]), [['Ann', [['one', '1.50', 1], ['two', '7.00', 0]]], ['Bob', []]]);
  equal(await Book.sum('price'), 8.5);
  const counted = await Author.findAll({ attributes: ['name', [fn('COUNT', col('books.id')), 'n']], include: [{ model: Book, as: 'books', attributes: [] }],
    group: ['Author.id'], having: literal('COUNT("books"."id") > 0'), raw: true });
  equal(counted, [{ name: 'Ann', n: '2' }]);
  const { rows, count } = await Book.findAndCountAll({ limit: 1, where: { [Op.or]: [{ price: { [Op.between]: [1, 2] } }, { title: { [Op.in]: ['two'] } }] }, order: ['id'] });
  equal([rows.length, count], [1, 2]);
  await Author.create({ name: 'Cid' });
  await Author.upsert({ name: 'Cid', born: '1999-09-09' });
  equal((await Author.findOne({ where: { name: 'Cid' } })).born, '1999-09-09');
  equal((await Book.update({ price: 9 }, { where: { title: 'one' }, returning: true }))[1][0].price, '9.00');
  await ann.increment('id', { by: 0 });
  equal(await Book.destroy({ where: { title: 'two' } }), 1);
});

feature('findOrCreate', async () => {
  const [one, created] = await Author.findOrCreate({ where: { name: 'Fay' } });
  equal([one.name, created], ['Fay', true]);
});

feature('transactions', async () => {
  await raises('23505', () => db.transaction(async (t) => {
    await Author.create({ name: 'Eve' }, { transaction: t });
    await Author.create({ name: 'Eve' }, { transaction: t });
  }));
  equal(await Author.count({ where: { name: 'Eve' } }), 0);
  const t = await db.transaction({ isolationLevel: Transaction.ISOLATION_LEVELS.READ_COMMITTED });
  await Author.create({ name: 'Eve' }, { transaction: t });
  await t.commit();
  equal(await Author.count({ where: { name: 'Eve' } }), 1);
});

feature('savepoints', async () => {
  await db.transaction({ isolationLevel: Transaction.ISOLATION_LEVELS.SERIALIZABLE }, async (t) => {
    await Author.create({ name: 'Dan' }, { transaction: t });
    await db.transaction({ transaction: t }, async (s) => {
      await Author.create({ name: 'Dan' }, { transaction: s });
    }).catch((e) => equal(e.name, 'SequelizeUniqueConstraintError'));
    await Author.findOne({ where: { name: 'Dan' }, lock: t.LOCK.UPDATE, skipLocked: true, transaction: t });
  });
  equal(await Author.count({ where: { name: 'Dan' } }), 1);
});

feature('errors', async () => {
  const e = await raises('23505', () => Author.create({ name: 'Ann' }));
  equal([e.name, e.errors[0].path], ['SequelizeUniqueConstraintError', 'name']);
  equal((await raises('23503', () => Book.create({ AuthorId: 999 }))).name, 'SequelizeForeignKeyConstraintError');
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
  await Tag.bulkCreate([...Array(2000).keys()].map((i) => ({ name: `bulk ${i}` })));
  equal(await Tag.count({ where: { name: { [Op.startsWith]: 'bulk' } } }), 2000);
});

feature('introspection', async () => {
  const q = db.getQueryInterface();
  const tables = await q.showAllTables();
  equal(['Authors', 'BookTag', 'Books', 'Tags'].every((t) => tables.includes(t)), true);
  const books = await q.describeTable('Books');
  equal([books.title.type, books.title.defaultValue, books.title.comment, books.id.primaryKey], ['TEXT', 'none', 'its name', true]);
  const indexes = await q.showIndex('Books');
  equal(indexes.map((i) => [i.name, i.unique, i.fields.map((f) => f.attribute)]),
    [['Books_pkey', true, ['id']], ['books_title', false, ['title']], ['books_title_price', true, ['title', 'price']]]);
  equal((await q.getForeignKeyReferencesForTable('Books')).map((k) => [k.columnName, k.referencedTableName]), [['AuthorId', 'Authors']]);
});

run(() => db.close());
