# SPDX-License-Identifier: GPL-3.0-or-later
# Ruby: the pg gem by itself, and ActiveRecord with its migrations and schema dumper.
require "active_record"
require "pg"
require "stringio"
require "tmpdir"
require_relative "report"

def equal(got, wanted, what = nil)
  raise "#{what}: got #{got.inspect}, wanted #{wanted.inspect}" unless got == wanted
end

def raises(kind)
  yield
rescue kind => error
  error
else
  raise "no #{kind}"
end

ActiveRecord::Base.establish_connection(adapter: "postgresql", database: ENV["PGDATABASE"], username: ENV["PGUSER"], pool: 5)
ActiveRecord::Migration.verbose = false

feature "connect" do
  connection = PG.connect
  equal connection.ssl_in_use?, true
  equal connection.server_version / 10000, 15
  equal connection.exec("SELECT 1 AS one").to_a, [{ "one" => "1" }]
  connection.close
  raises(PG::ConnectionBad) { PG.connect(password: "wrong") }
end

feature "types of pg" do
  connection = PG.connect
  connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
  connection.type_map_for_queries = PG::BasicTypeMapForQueries.new(connection)
  row = connection.exec("SELECT 1::int8 AS a, 1.5::float8 AS b, 'x'::text AS c, true AS d, ARRAY[1,2] AS e, '{\"a\": 1}'::json AS f, " \
                        "DATE '2024-02-29' AS g, '\\x00ff'::bytea AS h, 1.25::numeric AS i, NULL AS j").first
  equal row.values, [1, 1.5, "x", true, [1, 2], { "a" => 1 }, Date.new(2024, 2, 29), "\0\xff".b, BigDecimal("1.25"), nil]
  equal connection.exec_params("SELECT $1 + 1 AS a, $2::text AS b", [41, "x"]).values, [[42, "x"]]
  binary = connection.exec_params("SELECT $1::int8 AS a", [5], 1)
  equal binary.values, [[5]]
  connection.close
end

feature "prepared statements" do
  connection = PG.connect
  connection.prepare("s", "SELECT $1::int * 2 AS a, $2::text AS b")
  equal connection.exec_prepared("s", [4, "x"]).values, [["8", "x"]]
  described = connection.describe_prepared("s")
  equal [described.nparams, described.paramtype(0), described.fname(0)], [2, 23, "a"]
  connection.exec("DEALLOCATE s")
  connection.close
end

feature "bulk load" do
  connection = PG.connect
  connection.exec("CREATE TABLE loaded (a int, b text)")
  encoder = PG::TextEncoder::CopyRow.new
  connection.copy_data("COPY loaded FROM STDIN", encoder) { 5000.times { |i| connection.put_copy_data([i, "t\t#{i}"]) } }
  connection.copy_data("COPY loaded FROM STDIN WITH (FORMAT binary)") do
    connection.put_copy_data("PGCOPY\n\xff\r\n\0".b + [0, 0].pack("NN"))
    5000.times { |i| connection.put_copy_data([2, 4, i, "t\t#{i}".bytesize].pack("nNNN") + "t\t#{i}") }
    connection.put_copy_data([-1].pack("n"))
  end
  rows = []
  connection.copy_data("COPY (SELECT * FROM loaded WHERE a < 2 ORDER BY a) TO STDOUT", PG::TextDecoder::CopyRow.new) do
    while (row = connection.get_copy_data)
      rows << row
    end
  end
  equal rows, [["0", "t\t0"], ["0", "t\t0"], ["1", "t\t1"], ["1", "t\t1"]]
  connection.close
end

feature "streaming" do
  connection = PG.connect
  connection.send_query("SELECT i FROM generate_series(1, 20000) AS i")
  connection.set_single_row_mode
  total = 0
  connection.get_result.stream_each { |row| total += row["i"].to_i }
  connection.get_result
  equal total, 20000 * 20001 / 2
  connection.close
end

feature "pipeline" do
  connection = PG.connect
  connection.enter_pipeline_mode
  3.times { |i| connection.send_query_params("SELECT $1::int", [i]) }
  connection.pipeline_sync
  got = 3.times.map { r = connection.get_result.values[0][0]; connection.get_result; r }
  connection.get_result
  connection.exit_pipeline_mode
  equal got, %w[0 1 2]
  connection.close
end

feature "large objects" do
  connection = PG.connect
  data = (0..255).map(&:chr).join.b * 500
  oid = connection.transaction do
    made = connection.lo_creat
    fd = connection.lo_open(made, PG::INV_WRITE | PG::INV_READ)
    equal connection.lo_write(fd, data), data.bytesize
    equal connection.lo_lseek(fd, 300, PG::SEEK_SET), 300
    equal connection.lo_read(fd, 4), data[300, 4]
    equal connection.lo_tell(fd), 304
    connection.lo_truncate(fd, 1000)
    connection.lo_close(fd)
    made
  end
  path = File.join(Dir.tmpdir, "isopod-large-#{Process.pid}")
  copy = connection.transaction do
    connection.lo_export(oid, path)
    connection.lo_import(path)
  end
  equal File.binread(path), data[0, 1000]
  File.delete(path)
  equal connection.exec_params("SELECT length(lo_get($1)), md5(lo_get($1)) = md5(lo_get($2))", [copy, oid]).values, [%w[1000 t]]
  connection.lo_unlink(oid)
  raises(PG::UndefinedObject) { connection.exec_params("SELECT lo_get($1)", [oid]) }
  connection.close
end

feature "cancel" do
  connection = PG.connect
  connection.send_query("SELECT pg_sleep(60)")
  sleep 0.05
  connection.cancel
  raises(PG::QueryCanceled) { connection.get_last_result }
  equal connection.exec("SELECT 1").values, [["1"]]
  connection.close
end

class CreateShop < ActiveRecord::Migration[6.1]
  def change
    create_table :authors do |t|
      t.string :name, limit: 50, null: false, index: { unique: true }
      t.timestamps
    end
    create_table :books, comment: "what was written" do |t|
      t.references :author, null: false, foreign_key: { on_delete: :cascade }
      t.text :title, default: "untitled", comment: "its name"
      t.decimal :price, precision: 8, scale: 2
      t.jsonb :data, default: {}
      t.string :tags, array: true, default: []
      t.integer :lock_version, default: 0, null: false
      t.check_constraint "price >= 0", name: "price_positive"
    end
    add_index :books, [:title, :price], order: { price: :desc }, where: "price > 1", name: "dear"
    create_table :codes, id: :uuid, default: -> { "gen_random_uuid()" } do |t|
      t.string :code
    end
  end
end

class ChangeShop < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def up
    add_column :authors, :born, :date
    change_column :books, :title, :string, limit: 200
    change_column_default :books, :title, from: "untitled", to: "none"
    change_column_null :books, :title, false, "none"
    rename_column :authors, :born, :birthday
    add_index :authors, "lower(name)", name: "lower_name", algorithm: :concurrently
    rename_table :codes, :vouchers
    execute "CREATE VIEW cheap AS SELECT title FROM books WHERE price < 5"
    remove_foreign_key :books, :authors
    add_foreign_key :books, :authors, on_delete: :cascade, validate: false
    validate_foreign_key :books, :authors
  end

  def down
    execute "DROP VIEW cheap"
    rename_table :vouchers, :codes
    remove_index :authors, name: "lower_name"
    remove_column :authors, :birthday
    change_column :books, :title, :text
  end
end

class Author < ActiveRecord::Base
  has_many :books, -> { order(:id) }
end
class Book < ActiveRecord::Base
  belongs_to :author
end
class Voucher < ActiveRecord::Base
end

def migrate(direction, *versions)
  migrations = [[1, CreateShop], [2, ChangeShop]].map do |version, kind|
    ActiveRecord::MigrationProxy.new(kind.name, version, nil, nil).tap { |proxy| proxy.define_singleton_method(:migration) { kind.new(kind.name, version) } }
  end
  ActiveRecord::Migrator.new(direction, migrations, ActiveRecord::Base.connection.schema_migration, *versions).migrate
end

feature "migrations" do
  ActiveRecord::Base.connection.schema_migration.create_table
  ActiveRecord::InternalMetadata.create_table
  migrate(:up)
  migrate(:down, 1)
  migrate(:up)
  equal ActiveRecord::Base.connection.schema_migration.all_versions, %w[1 2]
end

feature "ddl" do
  connection = ActiveRecord::Base.connection
  connection.transaction do
    connection.create_table(:things) { |t| t.integer :a; t.bigint :b }
    connection.add_reference :things, :author, foreign_key: true
    connection.drop_table :things
  end
  connection.create_schema "other"
  connection.drop_schema "other"
end

feature "types" do
  connection = ActiveRecord::Base.connection
  connection.create_table :every do |t|
    t.integer :i; t.integer :small, limit: 2; t.bigint :big; t.float :f; t.decimal :d, precision: 20, scale: 5; t.boolean :o
    t.string :s; t.text :t; t.binary :y; t.date :day; t.time :clock; t.datetime :moment; t.column :zoned, :timestamptz; t.uuid :u
    t.json :j; t.jsonb :jb; t.inet :ip; t.integer :numbers, array: true; t.text :words, array: true; t.bit :bits, limit: 4
    t.bit_varying :vbits; t.interval :length; t.oid :o2; t.xml :x
  end
  every = Class.new(ActiveRecord::Base) { self.table_name = "every" }
  values = { i: -5, small: 7, big: 2**62, f: 0.1, d: BigDecimal("1.00001"), o: true, s: "täxt", t: "long", y: "\0\xff".b, day: Date.new(2024, 2, 29),
             moment: Time.utc(2024, 2, 29, 1, 2, 3), zoned: Time.utc(2024, 2, 29, 1, 2, 3), u: "12345678-1234-5678-1234-567812345678",
             j: { "a" => [1, nil] }, jb: { "b" => 1 }, ip: IPAddr.new("10.0.0.1"), numbers: [1, 2], words: ["a,b", nil], bits: "1010", vbits: "1",
             length: 3.days + 2.hours, o2: 4294967295, x: "<a b='1'>é</a>" }
  id = every.create!(values).id
  got = every.find(id)
  values.each { |name, value| equal got[name], value, name }
  equal every.where(numbers: [1, 2], day: Date.new(2024, 2, 29), u: values[:u], d: values[:d]).where("jb @> ?", '{"b": 1}').count, 1
  got.update!(jb: { "c" => 2 }, words: ["z"])
  equal every.pluck(:jb, :words), [[{ "c" => 2 }, ["z"]]]
end

feature "enums" do
  connection = ActiveRecord::Base.connection
  connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
  connection.create_table(:moods) { |t| t.column :mood, :mood }
  moods = Class.new(ActiveRecord::Base) { self.table_name = "moods" }
  moods.create!(mood: "ok")
  equal moods.where(mood: "ok").count, 1
  equal moods.columns_hash["mood"].type, :enum
end

feature "orm" do
  ann = Author.create!(name: "Ann")
  Author.create!(name: "Bob")
  ann.books.create!([{ title: "one", price: 1.5, tags: %w[a b] }, { title: "two", price: 7, data: { x: 1 } }])
  equal ann.books.sum(:price), BigDecimal("8.5")
  equal Author.left_joins(:books).group(:name).order(:name).count("books.id"), { "Ann" => 2, "Bob" => 0 }
  equal Author.includes(:books).references(:books).where("books.price > ?", 5).map(&:name), ["Ann"]
  equal Book.where(price: 1..2).or(Book.where(title: %w[x y])).pluck(:title), ["one"]
  equal Author.upsert_all([{ name: "Bob", created_at: Time.now, updated_at: Time.now }, { name: "Cid", created_at: Time.now, updated_at: Time.now }],
                          unique_by: :name).length, 2
  equal Author.insert_all([{ name: "Cid", created_at: Time.now, updated_at: Time.now }]).length, 0
  book = ann.books.first
  other = Book.find(book.id)
  book.update!(title: "changed")
  raises(ActiveRecord::StaleObjectError) { other.update!(title: "lost") }
  equal Book.where("? = ANY (tags)", "a").count, 1
  equal Book.find_by("data ->> 'x' = ?", "1").title, "two"
  equal Voucher.create!(code: "x").id.length, 36
  Author.find_each(batch_size: 1) { |author| author.name }
  equal Author.order(:id).limit(1).offset(1).lock.first.name, "Bob"
  raise "no plan" unless Book.where(price: 1).explain =~ /scan/i
  ann.destroy!
  equal Book.count, 0
end

feature "transactions" do
  raises(RuntimeError) { Author.transaction { Author.create!(name: "gone"); raise "back" } }
  Author.transaction(isolation: :serializable) { Author.create!(name: "stays") }
  equal Author.where(name: %w[gone stays]).pluck(:name), ["stays"]
end

feature "savepoints" do
  Author.transaction do
    Author.create!(name: "outer")
    Author.transaction(requires_new: true) { Author.create!(name: "inner"); raise ActiveRecord::Rollback }
    begin
      Author.transaction(requires_new: true) { Author.create!(name: "outer") }
    rescue ActiveRecord::RecordNotUnique
    end
  end
  equal Author.where(name: %w[outer inner]).pluck(:name), ["outer"]
end

feature "errors" do
  raises(ActiveRecord::RecordNotUnique) { Author.create!(name: "outer") }
  raises(ActiveRecord::NotNullViolation) { Author.create!(name: nil) }
  raises(ActiveRecord::InvalidForeignKey) { Book.insert!({ author_id: 99999, title: "x" }) }
  raises(ActiveRecord::ValueTooLong) { Author.create!(name: "x" * 51) }
  error = raises(ActiveRecord::StatementInvalid) { Author.connection.execute("SELECT * FROM gone") }
  equal error.cause.result.error_field(PG::Result::PG_DIAG_SQLSTATE), "42P01"
  raises(ActiveRecord::StatementInvalid) { Book.create!(author: Author.first, price: -1) }
end

feature "advisory locks" do
  connection = ActiveRecord::Base.connection
  equal connection.get_advisory_lock(12345), true
  other = PG.connect
  equal other.exec("SELECT pg_try_advisory_lock(12345)").getvalue(0, 0), "f"
  equal connection.release_advisory_lock(12345), true
  equal other.exec("SELECT pg_try_advisory_lock(12345)").getvalue(0, 0), "t"
  other.close
end

feature "introspection" do
  connection = ActiveRecord::Base.connection
  equal (%w[authors books vouchers] - connection.tables), []
  equal connection.views, ["cheap"]
  equal connection.primary_key("books"), "id"
  equal connection.foreign_keys("books").map { |k| [k.to_table, k.column, k.on_delete] }, [["authors", "author_id", :cascade]]
  equal connection.check_constraints("books").map(&:name), ["price_positive"]
  equal connection.table_comment("books"), "what was written"
  equal connection.index_name_exists?("books", "dear"), true
  connection.drop_table("moods", if_exists: true) # It has a type that this ActiveRecord cannot dump, PostgreSQL's or not.
  stream = StringIO.new
  ActiveRecord::SchemaDumper.dump(connection, stream)
  text = stream.string
  ['t.string "title", limit: 200, default: "none", null: false, comment: "its name"', 't.decimal "price", precision: 8, scale: 2',
   't.string "tags", default: [], array: true', 't.jsonb "data", default: {}', 'name: "dear", order: { price: :desc }, where: ',
   't.index "lower((name)::text)", name: "lower_name"', 'create_table "vouchers", id: :uuid, default: -> { "gen_random_uuid()" }',
   'add_foreign_key "books", "authors", on_delete: :cascade', 't.check_constraint '].each do |line|
    raise "#{line} is not in #{text}" unless text.include?(line)
  end
  # What was dumped makes the same schema again.
  connection.execute("DROP VIEW cheap")
  connection.tables.each { |table| connection.drop_table(table, force: :cascade) }
  eval(text)
  again = StringIO.new
  ActiveRecord::SchemaDumper.dump(connection, again)
  equal again.string, text
end

run
