# SPDX-License-Identifier: GPL-3.0-or-later
"""Django 3.2: migrations made and run by its own commands, the ORM, inspectdb."""
import datetime
import decimal
import io
import ipaddress
import os
import sys
import tempfile
import threading
import uuid

import django
from django.conf import settings
from report import equal, feature, run

folder = tempfile.TemporaryDirectory()
sys.path.insert(0, folder.name)
os.makedirs(os.path.join(folder.name, "shop", "migrations"))
for name in ("__init__.py", "migrations/__init__.py"):
    open(os.path.join(folder.name, "shop", name), "w").close()
MODELS = """
import uuid
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BTreeIndex
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    email = models.EmailField(db_index=True, blank=True)
    friends = models.ManyToManyField("self")

class Book(models.Model):
    class Meta:
        constraints = [models.CheckConstraint(check=models.Q(price__gte=0), name="price_positive"),
                       models.UniqueConstraint(fields=["author", "title"], name="one_title"),
                       models.UniqueConstraint(fields=["title"], condition=models.Q(special=True), name="special_title")]
        indexes = [models.Index(fields=["title", "-price"], name="title_price"), BTreeIndex(fields=["price"], name="by_price")]
        ordering = ["id"]
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    title = models.CharField(max_length=100, EXTRA)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    special = models.BooleanField(default=False)
    MORE

class Everything(models.Model):
    id = models.BigAutoField(primary_key=True)
    key = models.UUIDField(default=uuid.uuid4)
    small = models.SmallIntegerField()
    positive = models.PositiveIntegerField()
    big = models.BigIntegerField()
    real = models.FloatField()
    exact = models.DecimalField(max_digits=20, decimal_places=5)
    flag = models.BooleanField(null=True)
    text = models.TextField()
    slug = models.SlugField()
    binary = models.BinaryField()
    day = models.DateField()
    time = models.TimeField()
    moment = models.DateTimeField()
    length = models.DurationField()
    address = models.GenericIPAddressField()
    json = models.JSONField()
    numbers = ArrayField(models.IntegerField())
    words = ArrayField(models.CharField(max_length=5), default=list)
"""


def write_models(extra, more):
    with open(os.path.join(folder.name, "shop", "models.py"), "w") as file:
        file.write(MODELS.replace("EXTRA", extra).replace("MORE", more))


write_models("", "pass")
DATABASE = {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"], "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"],
            "OPTIONS": {"sslmode": os.environ["PGSSLMODE"], "sslrootcert": os.environ["PGSSLROOTCERT"]}}
settings.configure(DATABASES={"default": DATABASE}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
                   INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
                                   "django.contrib.admin", "django.contrib.messages", "shop"], SECRET_KEY="x",
                   TIME_ZONE="Europe/Berlin", SILENCED_SYSTEM_CHECKS=["admin.E403", "admin.E408", "admin.E409", "admin.E410"])
django.setup()
from django.apps import apps
from django.core.management import call_command
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection, models, transaction
from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, Window
from django.db.models.functions import Coalesce, Concat, ExtractYear, Lower, Rank, TruncMonth, Upper
from django.utils import timezone


def model(name):
    return apps.get_model("shop", name)


@feature("connect")
def connects():
    connection.ensure_connection()
    assert connection.pg_version >= 150000 and connection.connection.info.ssl_in_use
    call_command("check", databases=["default"], stdout=io.StringIO(), stderr=io.StringIO())


@feature("migrations")
def migrations():
    out = io.StringIO()
    call_command("makemigrations", "shop", stdout=out)
    call_command("migrate", stdout=out, verbosity=1)
    equal(out.getvalue().count("... OK") >= 18, True)
    call_command("migrate", stdout=out)
    call_command("showmigrations", stdout=out)
    # A second version, as another process would find it.
    migration = os.path.join(folder.name, "shop", "migrations", "0002_more.py")
    with open(migration, "w") as file:
        file.write("""
from django.db import migrations, models
def fill(apps, editor):
    Book = apps.get_model("shop", "Book")
    Book.objects.update(pages=7)
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("Book", "pages", models.IntegerField(default=1)),
        migrations.AlterField("Book", "title", models.TextField(db_index=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RenameField("Book", "pages", "length"),
        migrations.AlterField("Book", "length", models.BigIntegerField(null=True)),
        migrations.AddIndex("Book", models.Index(fields=["length"], name="by_length")),
        migrations.AlterUniqueTogether("Book", {("length", "price")}),
        migrations.CreateModel("Review", [("id", models.AutoField(primary_key=True)),
            ("book", models.ForeignKey("shop.Book", on_delete=models.SET_NULL, null=True)), ("stars", models.IntegerField())]),
        migrations.RenameModel("Review", "Opinion"),
        migrations.AlterModelTable("Opinion", "opinions"),
        migrations.RemoveConstraint("Book", "price_positive"),
        migrations.AddConstraint("Book", models.CheckConstraint(check=models.Q(price__gte=1), name="price_positive")),
        migrations.AlterField("Author", "id", models.BigAutoField(primary_key=True)),
    ]
""")
    import importlib
    importlib.invalidate_caches()
    call_command("migrate", "shop", "0002", stdout=out)
    call_command("sqlmigrate", "shop", "0002", stdout=out)
    call_command("migrate", "shop", "0001", stdout=out)
    os.remove(migration)
    call_command("sqlflush", stdout=out)


def fill():
    Author, Book = model("Author"), model("Book")
    if Author.objects.exists():
        return
    ann, bob = Author.objects.create(name="Ann", email="ann@example.org"), Author.objects.create(name="Bob")
    Book.objects.bulk_create([Book(author=ann, title="B%d" % i, price=decimal.Decimal(i)) for i in range(5)])
    Book.objects.create(author=bob, title="other", price=10)
    ann.friends.add(bob)


@feature("types")
def types():
    Everything = model("Everything")
    values = dict(key=uuid.UUID(int=7), small=-5, positive=5, big=-2 ** 63, real=0.1, exact=decimal.Decimal("1.00001"), flag=None,
                  text="täxt", slug="a-b", binary=b"\0\xff", day=datetime.date(2024, 2, 29), time=datetime.time(1, 2, 3, 4),
                  moment=datetime.datetime(2024, 2, 29, 1, tzinfo=timezone.utc), length=datetime.timedelta(days=1, microseconds=2),
                  address="10.0.0.1", json={"a": [1, None, {"b": "c"}]}, numbers=[1, 2, 3], words=["x", "y,z"])
    made = Everything.objects.create(**values)
    got = Everything.objects.get(pk=made.pk)
    for name, value in values.items():
        found = getattr(got, name)
        equal(bytes(found) if isinstance(found, memoryview) else found, value, name)
    for name, value in values.items():
        if name not in ("json", "flag"):
            equal(Everything.objects.filter(**{name: value}).count(), 1, name)
    equal(Everything.objects.filter(json__a__2__b="c", json__has_key="a", numbers__contains=[2], words__0="x", numbers__len=3,
                                    json__contains={"a": [1]}, moment__year=2024, moment__date=datetime.date(2024, 2, 29),
                                    time__hour=1, day__week_day=5, text__icontains="ÄX", text__iregex="^T",
                                    slug__startswith="a", address__startswith="10.").count(), 1)
    Everything.objects.update(big=F("big") + 1, length=F("length") * 2, day=F("day") + datetime.timedelta(days=1))
    got.refresh_from_db()
    equal((got.big, got.day), (-2 ** 63 + 1, datetime.date(2024, 3, 1)))
    got.delete()


@feature("orm")
def orm():
    fill()
    Author, Book = model("Author"), model("Book")
    ann = Author.objects.get(name="Ann")
    equal(ann.books.aggregate(a=Sum("price"), b=Avg("price"), c=Count("*")), {"a": 10, "b": 2, "c": 5})
    equal(list(Author.objects.annotate(n=Count("books"), first=Lower("name")).values_list("first", "n").order_by("name")),
          [("ann", 5), ("bob", 1)])
    equal(list(Book.objects.annotate(r=Window(Rank(), order_by=F("price").desc())).values_list("r", flat=True).order_by("r")),
          [1, 2, 3, 4, 5, 6])
    newest = Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("title")[:1]
    equal(list(Author.objects.annotate(best=Subquery(newest)).order_by("id").values_list("best", flat=True)), ["B4", "other"])
    equal(Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk"), price__gt=5))).get().name, "Bob")
    equal(Book.objects.filter(Q(title__in=["B1", "B2"]) | Q(price=10), author__name__istartswith="a").count(), 2)
    equal(list(Book.objects.order_by("author", "-price").distinct("author").values_list("title", flat=True)), ["B4", "other"])
    equal(Book.objects.select_related("author").prefetch_related("author__friends")[0].author.friends.count(), 1)
    a, b = Book.objects.filter(price=1), Book.objects.filter(price=2)
    equal(a.union(b).count(), 2)
    equal(list(a.union(b).order_by("price").values_list("title", flat=True)), ["B1", "B2"])
    equal(Author.objects.annotate(label=Concat(Upper("name"), Value("-"), Coalesce("email", Value("")),
                                                  output_field=models.CharField())).first().label,
          "ANN-ann@example.org")
    Book.objects.bulk_create([Book(author=ann, title="B1", price=1)], ignore_conflicts=True)
    books = list(Book.objects.filter(author=ann))
    for book in books:
        book.price += 1
    Book.objects.bulk_update(books, ["price"])
    equal(Book.objects.filter(author=ann).aggregate(total=Sum("price"))["total"], 15)
    equal(Author.objects.get_or_create(name="Cid")[1], True)
    equal(Author.objects.update_or_create(name="Cid", defaults={"email": "c"})[1], False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_book WHERE price > %s", [3])
        equal(cursor.fetchone()[0], 3)
    assert "Scan" in Book.objects.filter(price=1).explain() or "scan" in Book.objects.filter(price=1).explain()
    Author.objects.filter(name="Cid").delete()


@feature("auth application")
def auth():
    from django.contrib.auth.models import Group, Permission, User
    user = User.objects.create_superuser("boss", "b@example.org", "pw")
    group = Group.objects.create(name="staff")
    group.permissions.set(Permission.objects.filter(codename__startswith="add_"))
    user.groups.add(group)
    equal(User.objects.filter(groups__permissions__codename="add_book").count(), 1)
    assert user.has_perm("shop.add_book")
    user.delete()


@feature("transactions")
def transactions():
    Author = model("Author")
    try:
        with transaction.atomic():
            Author.objects.create(name="gone")
            raise KeyError
    except KeyError:
        pass
    equal(Author.objects.filter(name="gone").count(), 0)
    seen = []
    with transaction.atomic():
        transaction.on_commit(lambda: seen.append(1))
        list(Author.objects.select_for_update(skip_locked=True).order_by("id"))
        list(Author.objects.select_for_update(of=("self",)).order_by("id"))
    equal(seen, [1])


@feature("savepoints")
def savepoints():
    Author = model("Author")
    with transaction.atomic():
        Author.objects.create(name="kept")
        try:
            with transaction.atomic():
                Author.objects.create(name="kept")
        except IntegrityError:
            pass
        Author.objects.create(name="kept too")
    equal(Author.objects.filter(name__startswith="kept").count(), 2)


@feature("deferred constraints")
def deferred():
    Book = model("Book")
    try:
        with transaction.atomic():
            Book.objects.create(author_id=123456, title="orphan", price=1)
            connection.check_constraints()
        raise AssertionError("no error")
    except IntegrityError as error:
        equal(error.__cause__.pgcode, "23503")
    with transaction.atomic():
        book = Book.objects.create(author_id=123456, title="orphan", price=1)
        model("Author").objects.create(id=123456, name="late")
    book.delete()


@feature("errors")
def errors():
    with connection.cursor() as cursor:
        for text, kind, code in [("SELECT * FROM gone", ProgrammingError, "42P01"), ("SELECT 'x'::int", DataError, "22P02"),
                                 ("INSERT INTO shop_author (name, email) VALUES ('kept', '')", IntegrityError, "23505")]:
            try:
                cursor.execute(text)
                raise AssertionError("no error")
            except kind as error:
                equal(error.__cause__.pgcode, code)


@feature("cancel")
def cancel():
    threading.Timer(0.1, connection.connection.cancel).start()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        raise AssertionError("it slept")
    except OperationalError as error:
        equal(error.__cause__.pgcode, "57014")


@feature("bulk load")
def bulk():
    Author = model("Author")
    Author.objects.bulk_create([Author(name="bulk %d" % i) for i in range(3000)], batch_size=1000)
    equal(Author.objects.filter(name__startswith="bulk").count(), 3000)


@feature("streaming")
def streaming():
    equal(sum(1 for _ in model("Author").objects.filter(name__startswith="bulk").iterator(chunk_size=100)), 3000)


@feature("introspection")
def introspection():
    out = io.StringIO()
    call_command("inspectdb", stdout=out)
    text = out.getvalue()
    for line in ("class ShopBook(models.Model):", "author = models.ForeignKey(",
                 "title = models.CharField(max_length=100)", "price = models.DecimalField(max_digits=8, decimal_places=2)",
                 "unique_together = (('author', 'title'),)", "moment = models.DateTimeField()", "key = models.UUIDField()",
                 "numbers = models.TextField()  # This field type is a guess.", "name = models.CharField(unique=True, max_length=50)"):
        assert line in text, (line, text)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "shop_book")
        equal(constraints["price_positive"]["check"], True)
        equal(constraints["title_price"]["orders"], ["ASC", "DESC"])
        equal(constraints["one_title"]["columns"], ["author_id", "title"])
        equal([c["foreign_key"] for c in constraints.values() if c["foreign_key"]], [("shop_author", "id")])
        equal(connection.introspection.get_sequences(cursor, "shop_author")[0]["name"], "shop_author_id_seq")


@feature("dump and load")
def dump():
    path = os.path.join(folder.name, "dump.json")
    call_command("dumpdata", "shop.book", "shop.author", output=path, verbosity=0)
    before = model("Author").objects.count()
    call_command("flush", interactive=False, verbosity=0)
    equal(model("Author").objects.count(), 0)
    call_command("loaddata", path, verbosity=0)
    equal(model("Author").objects.count(), before)
    call_command("sqlsequencereset", "shop", stdout=io.StringIO())


run()
