# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLAlchemy over psycopg2: core, ORM, reflection; migrations with Alembic."""
import datetime
import decimal
import os
import ssl
import tempfile
import threading
import uuid

import alembic.autogenerate
import alembic.command
import alembic.config
import alembic.migration
import sqlalchemy as sa
from report import equal, feature, run
from sqlalchemy import exc, orm
from sqlalchemy.dialects import postgresql as pg

engine = sa.create_engine("postgresql+psycopg2://", future=True, pool_pre_ping=True)
Base = orm.declarative_base()

tags = sa.Table("post_tag", Base.metadata,
                sa.Column("post_id", sa.ForeignKey("post.id", ondelete="CASCADE"), primary_key=True),
                sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True))


class Author(Base):
    __tablename__ = "author"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50), nullable=False, unique=True)
    born = sa.Column(sa.Date)
    posts = orm.relationship("Post", back_populates="author", order_by="Post.id", cascade="all, delete-orphan")


class Post(Base):
    __tablename__ = "post"
    __table_args__ = (sa.CheckConstraint("score >= 0", name="score_positive"), sa.Index("post_title", "title", "score"),
                      {"comment": "what was written"})
    id = sa.Column(sa.BigInteger, sa.Identity(start=10), primary_key=True)
    author_id = sa.Column(sa.ForeignKey("author.id", name="written_by", onupdate="CASCADE"), nullable=False)
    title = sa.Column(sa.Text, server_default="untitled", comment="its name")
    score = sa.Column(sa.Numeric(8, 2), default=decimal.Decimal("1.50"))
    version = sa.Column(sa.Integer, nullable=False)
    author = orm.relationship("Author", back_populates="posts")
    tags = orm.relationship("Tag", secondary=tags)
    __mapper_args__ = {"version_id_col": version}


class Tag(Base):
    __tablename__ = "tag"
    id = sa.Column(sa.Integer, sa.Sequence("tag_numbers", start=5), primary_key=True)
    name = sa.Column(sa.String, index=True)


@feature("connect")
def connects():
    with engine.connect() as connection:
        equal(connection.dialect.server_version_info[0], 15)
        equal(connection.dialect.default_schema_name, "public")
        equal(connection.scalar(sa.select(sa.func.count()).select_from(sa.text("pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"))), 1)


@feature("ddl")
def ddl():
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        assert sa.inspect(connection).has_table("post")


@feature("types")
def types():
    columns = {
        "small": (sa.SmallInteger, -5), "plain": (sa.Integer, 2 ** 31 - 1), "big": (sa.BigInteger, -2 ** 63),
        "float_": (sa.Float, 0.1), "double": (pg.DOUBLE_PRECISION, 1e300), "exact": (sa.Numeric(20, 5), decimal.Decimal("1.00001")),
        "flag": (sa.Boolean, True), "text": (sa.Text, "täxt"), "short": (sa.String(10), "short"), "fixed": (sa.CHAR(3), "abc"),
        "binary": (sa.LargeBinary, b"\0\xff"), "date": (sa.Date, datetime.date(2024, 2, 29)), "time": (sa.Time, datetime.time(1, 2, 3)),
        "stamp": (sa.DateTime, datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
        "zoned": (sa.DateTime(timezone=True), datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)),
        "length": (sa.Interval, datetime.timedelta(days=1, seconds=2)), "uuid": (pg.UUID(as_uuid=True), uuid.UUID(int=3)),
        "json": (sa.JSON, {"a": [1, None]}), "jsonb": (pg.JSONB, {"b": {"c": "d"}}), "numbers": (pg.ARRAY(sa.Integer), [1, 2]),
        "names": (pg.ARRAY(sa.Text), ["a", "b,c"]), "grid": (pg.ARRAY(sa.Integer, dimensions=2), [[1, 2], [3, 4]]),
        "address": (pg.INET, "10.0.0.1"), "bits": (pg.BIT(4), "1010"),
    }
    table = sa.Table("every_type", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True),
                     *[sa.Column(name, kind) for name, (kind, _) in columns.items()])
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), {name: value for name, (_, value) in columns.items()})
        got = connection.execute(table.select()).mappings().one()
        for name, (_, value) in columns.items():
            equal(got[name], value, name)
        c = table.c
        equal(connection.scalar(sa.select(c.jsonb["b"]["c"].astext).where(c.jsonb.contains({"b": {}}), c.numbers.any(2),
                                                                          c.names.overlap(["a"]), c.json["a"][0].as_integer() == 1)), "d")
        equal(connection.execute(table.update().values(plain=c.small + 1).returning(c.plain)).scalar(), -4)
        equal(connection.execute(table.delete().where(c.zoned < sa.func.now())).rowcount, 1)


@feature("enums")
def enums():
    table = sa.Table("moods", sa.MetaData(), sa.Column("mood", sa.Enum("sad", "ok", name="mood")),
                     sa.Column("past", pg.ARRAY(sa.Enum("sad", "ok", name="mood"))))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"mood": "ok"}, {"mood": "sad"}])
        equal(connection.execute(sa.select(table.c.mood).order_by(table.c.mood)).scalars().all(), ["sad", "ok"])
        equal([e["labels"] for e in sa.inspect(connection).get_enums()], [["sad", "ok"]])
        table.drop(connection)


@feature("orm")
def objects():
    with orm.Session(engine, future=True) as session:
        ann = Author(name="Ann", born=datetime.date(1980, 1, 1))
        red, blue = Tag(name="red"), Tag(name="blue")
        ann.posts = [Post(title="one", tags=[red, blue]), Post(tags=[red], score=7), Post(title="three")]
        session.add_all([ann, Author(name="Bob")])
        session.commit()
        equal((ann.id, [p.id for p in ann.posts], red.id), (1, [10, 11, 12], 5))
        equal(ann.posts[1].title, "untitled")
        query = (sa.select(Author.name, sa.func.count(Post.id)).outerjoin(Author.posts).group_by(Author.name).order_by(Author.name))
        equal(session.execute(query).all(), [("Ann", 3), ("Bob", 0)])
        loaded = session.execute(sa.select(Author).options(orm.selectinload(Author.posts).joinedload(Post.tags))
                                 .where(Author.posts.any(Post.tags.any(name="blue")))).unique().scalars().one()
        equal(sorted(t.name for t in loaded.posts[0].tags), ["blue", "red"])
        ranked = sa.select(Post.title, sa.func.row_number().over(order_by=Post.score.desc())).order_by(Post.id)
        equal([n for _, n in session.execute(ranked)][1], 1)
        loaded.posts[0].title = "changed"
        session.commit()
        equal(loaded.posts[0].version, 2)
        statement = pg.insert(Author).values(name="Bob", born=datetime.date(1999, 1, 1))
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"born": statement.excluded.born}).returning(Author.id)
        equal(session.execute(statement).scalar(), 2)
        session.delete(loaded)
        session.commit()
        equal(session.scalar(sa.select(sa.func.count()).select_from(Post)), 0)


@feature("transactions")
def transactions():
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"):
        with engine.connect().execution_options(isolation_level=level) as connection:
            connection.execute(Tag.__table__.insert(), {"name": level})
            if level != "AUTOCOMMIT":
                equal(connection.get_isolation_level(), level)
                connection.rollback()
    with engine.connect() as connection:
        equal(connection.scalar(sa.select(sa.func.count()).where(Tag.name.like("%COM%"))), 1)
        connection.execute(sa.select(Tag).with_for_update(skip_locked=True))


@feature("savepoints")
def savepoints():
    with orm.Session(engine, future=True) as session:
        session.add(Author(name="Cid"))
        session.flush()
        try:
            with session.begin_nested():
                session.add(Author(name="Cid"))
                session.flush()
        except exc.IntegrityError as error:
            equal(error.orig.pgcode, "23505")
        session.add(Author(name="Dan"))
        session.commit()
        equal(session.scalar(sa.select(sa.func.count()).where(Author.name.in_(["Cid", "Dan"]))), 2)


@feature("prepared statements")
def prepared():
    # asyncpg under SQLAlchemy prepares every statement and keeps it.
    import asyncio
    from sqlalchemy.ext.asyncio import create_async_engine

    async def work():
        url = sa.engine.URL.create("postgresql+asyncpg", os.environ["PGUSER"], os.environ["PGPASSWORD"], os.environ["PGHOST"],
                                   int(os.environ["PGPORT"]), os.environ["PGDATABASE"])
        prepared_engine = create_async_engine(url, connect_args={"ssl": ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])})
        async with prepared_engine.connect() as connection:
            for i in range(10):
                got = await connection.execute(sa.select(sa.cast(i, sa.Integer) + 1, sa.cast("x", sa.Text)))
                equal(tuple(got.one()), (i + 1, "x"))
            names = await connection.execute(sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT CAST%'"))
            equal(names.scalar_one() >= 1, True)
        await prepared_engine.dispose()
    asyncio.run(work())


@feature("errors")
def errors():
    with engine.connect() as connection:
        for text, kind, code in [("SELECT * FROM gone", exc.ProgrammingError, "42P01"), ("SELECT 1/0", exc.DataError, "22012"),
                                 ("INSERT INTO author (id) VALUES (77)", exc.IntegrityError, "23502"),
                                 ("INSERT INTO post (author_id, version) VALUES (12345, 1)", exc.IntegrityError, "23503")]:
            try:
                connection.execute(sa.text(text))
                raise AssertionError("no error")
            except exc.DBAPIError as error:
                assert isinstance(error, kind), error
                equal(error.orig.pgcode, code)
                connection.rollback()


@feature("cancel")
def cancel():
    with engine.connect() as connection:
        threading.Timer(0.1, connection.connection.dbapi_connection.cancel).start()
        try:
            connection.execute(sa.text("SELECT pg_sleep(60)"))
            raise AssertionError("it slept")
        except exc.OperationalError as error:
            equal(error.orig.pgcode, "57014")


@feature("bulk load")
def bulk():
    fast = sa.create_engine("postgresql+psycopg2://", future=True, executemany_mode="values_plus_batch")
    table = sa.Table("loaded", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("t", sa.Text))
    with fast.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"t": "row %d" % i} for i in range(10000)])
        equal(connection.scalar(sa.select(sa.func.max(table.c.id))), 10000)
    fast.dispose()


@feature("streaming")
def streaming():
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True, max_row_buffer=500).execute(
            sa.text("SELECT i FROM generate_series(1, 20000) AS i"))
        equal(sum(row.i for row in result), 20000 * 20001 // 2)


@feature("introspection")
def introspection():
    inspector = sa.inspect(engine)
    equal(sorted(set(inspector.get_table_names()) & {"author", "post", "post_tag", "tag"}), ["author", "post", "post_tag", "tag"])
    columns = {c["name"]: c for c in inspector.get_columns("post")}
    equal(list(columns), ["id", "author_id", "title", "score", "version"])
    equal(columns["id"]["identity"]["start"], 10)
    equal((columns["title"]["default"], columns["title"]["comment"]), ("'untitled'::text", "its name"))
    equal((columns["score"]["type"].precision, columns["score"]["type"].scale), (8, 2))
    equal(inspector.get_pk_constraint("post_tag"), {"constrained_columns": ["post_id", "tag_id"], "name": "post_tag_pkey"})
    keys = inspector.get_foreign_keys("post")
    equal([(k["name"], k["constrained_columns"], k["referred_table"], k["referred_columns"], k["options"]) for k in keys],
          [("written_by", ["author_id"], "author", ["id"], {"onupdate": "CASCADE"})])
    equal([(i["name"], i["column_names"], i["unique"]) for i in inspector.get_indexes("post")],
          [("post_title", ["title", "score"], False)])
    equal([u["column_names"] for u in inspector.get_unique_constraints("author")], [["name"]])
    equal([(c["name"], c["sqltext"]) for c in inspector.get_check_constraints("post")], [("score_positive", "score >= (0)::numeric")])
    equal(inspector.get_table_comment("post")["text"], "what was written")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW titles AS SELECT title FROM post"))
    inspector = sa.inspect(engine)
    equal(inspector.get_view_names(), ["titles"])
    assert "FROM post" in inspector.get_view_definition("titles")
    assert "tag_numbers" in inspector.get_sequence_names()
    assert "public" in inspector.get_schema_names()
    reflected = sa.MetaData()
    reflected.reflect(engine, views=True)
    assert reflected.tables["post"].c.author_id.references(reflected.tables["author"].c.id)


ENV = """
from alembic import context
import sqlalchemy as sa
engine = sa.create_engine("postgresql+psycopg2://")
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
"""
VERSIONS = ["""
def upgrade():
    op.create_table("account", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20), nullable=False),
                    sa.Column("kind", sa.String(5)))
    op.create_index("account_name", "account", ["name"], unique=True)
    op.bulk_insert(sa.table("account", sa.column("name", sa.String), sa.column("kind", sa.String)),
                   [{"name": "a", "kind": "7"}, {"name": "b", "kind": "8"}])

def downgrade():
    op.drop_table("account")
""", """
def upgrade():
    op.add_column("account", sa.Column("made", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False))
    op.alter_column("account", "name", new_column_name="title", type_=sa.Text(), existing_type=sa.String(20))
    op.alter_column("account", "kind", type_=sa.Integer(), postgresql_using="kind::integer")
    op.create_check_constraint("titled", "account", "title <> ''")
    op.create_table("entry", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("account_id", sa.Integer))
    op.create_foreign_key("entry_account", "entry", "account", ["account_id"], ["id"], ondelete="SET NULL")
    op.execute("UPDATE account SET title = upper(title)")

def downgrade():
    op.drop_constraint("entry_account", "entry", type_="foreignkey")
    op.drop_table("entry")
    op.drop_constraint("titled", "account")
    op.alter_column("account", "kind", type_=sa.String(5))
    op.alter_column("account", "title", new_column_name="name", type_=sa.String(20))
    op.drop_column("account", "made")
"""]


@feature("migrations")
def migrations():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "versions"))
        with open(os.path.join(folder, "env.py"), "w") as file:
            file.write(ENV)
        for i, body in enumerate(VERSIONS):
            with open(os.path.join(folder, "versions", "v%d.py" % i), "w") as file:
                file.write("from alembic import op\nimport sqlalchemy as sa\nrevision = 'r%d'\ndown_revision = %r\n%s"
                           % (i, "r%d" % (i - 1) if i else None, body))
        config = alembic.config.Config()
        config.set_main_option("script_location", folder)
        alembic.command.upgrade(config, "head")
        with engine.connect() as connection:
            equal(connection.execute(sa.text("SELECT title, kind FROM account ORDER BY id")).all(), [("A", 7), ("B", 8)])
            equal(connection.scalar(sa.text("SELECT version_num FROM alembic_version")), "r1")
        alembic.command.downgrade(config, "r0")
        with engine.connect() as connection:
            equal([c["name"] for c in sa.inspect(connection).get_columns("account")], ["id", "name", "kind"])
        alembic.command.downgrade(config, "base")
        assert not sa.inspect(engine).has_table("account")


@feature("autogenerated migrations")
def autogenerate():
    with engine.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True,
            "include_object": lambda o, name, kind, reflected, to: name in ("author", "post", "post_tag", "tag") if kind == "table" else True})
        equal(alembic.autogenerate.compare_metadata(context, Base.metadata), [])


run()
