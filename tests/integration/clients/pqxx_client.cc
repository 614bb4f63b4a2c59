// SPDX-License-Identifier: GPL-3.0-or-later
// C++: libpqxx 6.
#include <chrono>
#include <cstdio>
#include <functional>
#include <pqxx/pqxx>
#include <string>
#include <thread>
#include <vector>

namespace {
std::vector<std::pair<std::string, std::function<void()>>> features;

struct add {
    add(const char *name, std::function<void()> body) { features.emplace_back(name, body); }
};

template <typename A, typename B> void equal(const A &got, const B &wanted)
{
    if (!(got == wanted))
        throw std::runtime_error("got " + pqxx::to_string(got) + ", wanted " + pqxx::to_string(wanted));
}

template <typename Kind> void raises(std::function<void()> body, const std::string &code = "")
{
    try {
        body();
    } catch (const Kind &error) {
        if (!code.empty()) equal(error.sqlstate(), code);
        return;
    }
    throw std::runtime_error("no error");
}

add connects("connect", [] {
    pqxx::connection c;
    equal(c.server_version() / 10000, 15);
    pqxx::nontransaction t(c);
    equal(t.exec1("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0].as<bool>(), true);
    try {
        pqxx::connection wrong("password=wrong");
    } catch (const pqxx::broken_connection &) {
        return;
    }
    throw std::runtime_error("a wrong password was accepted");
});

add ddl("ddl", [] {
    pqxx::connection c;
    pqxx::work t(c);
    t.exec0("CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE)");
    t.exec0("ALTER TABLE item ADD COLUMN price numeric(8,2) DEFAULT 1.5");
    equal(t.exec_params1("INSERT INTO item (name) VALUES ($1) RETURNING id", "a")[0].as<int>(), 1);
    t.commit();
});

add types("types", [] {
    pqxx::connection c;
    pqxx::work t(c);
    auto row = t.exec_params1("SELECT $1::int, $2::bigint, $3::float8, $4::text, $5::bool, $6::int[], NULL::int, '\\x00ff'::bytea", -5,
        9223372036854775807LL, 0.1, "täxt", true, "{1,2}");
    equal(row[0].as<int>(), -5);
    equal(row[1].as<long long>(), 9223372036854775807LL);
    equal(row[2].as<double>(), 0.1);
    equal(std::string(row[3].c_str()), "täxt");
    equal(row[4].as<bool>(), true);
    auto array = row[5].as_array();
    array.get_next();
    equal(array.get_next().second, std::string("1"));
    equal(row[6].is_null(), true);
    equal(pqxx::binarystring(row[7]).size(), std::size_t(2));
    t.exec0("CREATE TABLE stored (b bytea)");
    std::string bytes("\0\1\xff", 3);
    t.exec_params0("INSERT INTO stored VALUES ($1)", pqxx::binarystring(bytes));
    equal(pqxx::binarystring(t.exec1("SELECT b FROM stored")[0]).str(), bytes);
    equal(t.exec("UPDATE stored SET b = ''").affected_rows(), 1u);
    equal(t.quote(std::string("it's")), std::string("'it''s'"));
});

add transactions("transactions", [] {
    pqxx::connection c, other;
    pqxx::nontransaction(c).exec0("CREATE TABLE counted (n int)");
    {
        pqxx::work t(c);
        t.exec0("INSERT INTO counted VALUES (1)");
    }
    pqxx::perform([&] {
        pqxx::transaction<pqxx::serializable> t(c);
        t.exec0("INSERT INTO counted VALUES (1)");
        t.commit();
    });
    equal(pqxx::nontransaction(other).exec1("SELECT count(*) FROM counted")[0].as<int>(), 1);
    pqxx::read_transaction reading(c);
    raises<pqxx::sql_error>([&] { reading.exec0("INSERT INTO counted VALUES (1)"); }, "25006");
});

add savepoints("savepoints", [] {
    pqxx::connection c;
    pqxx::work t(c);
    t.exec0("CREATE TABLE saved (n int PRIMARY KEY)");
    t.exec0("INSERT INTO saved VALUES (1)");
    raises<pqxx::unique_violation>([&] {
        pqxx::subtransaction s(t, "s");
        s.exec0("INSERT INTO saved VALUES (1)");
    });
    pqxx::subtransaction s(t, "two");
    s.exec0("INSERT INTO saved VALUES (2)");
    s.commit();
    equal(t.exec1("SELECT count(*) FROM saved")[0].as<int>(), 2);
    t.commit();
});

add prepared("prepared statements", [] {
    pqxx::connection c;
    c.prepare("plus", "SELECT $1::int + $2::int");
    pqxx::work t(c);
    for (int i = 0; i < 10; i++) equal(t.exec_prepared1("plus", i, 1)[0].as<int>(), i + 1);
    c.unprepare("plus");
});

add errors("errors", [] {
    pqxx::connection c;
    pqxx::nontransaction t(c);
    t.exec0("CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0), c int REFERENCES e)");
    t.exec0("INSERT INTO e VALUES (1, 1)");
    raises<pqxx::unique_violation>([&] { t.exec0("INSERT INTO e VALUES (1, 1)"); }, "23505");
    raises<pqxx::not_null_violation>([&] { t.exec0("INSERT INTO e VALUES (2, NULL)"); }, "23502");
    raises<pqxx::check_violation>([&] { t.exec0("INSERT INTO e VALUES (2, -1)"); }, "23514");
    raises<pqxx::foreign_key_violation>([&] { t.exec0("INSERT INTO e VALUES (2, 1, 7)"); }, "23503");
    raises<pqxx::undefined_table>([&] { t.exec0("SELECT * FROM gone"); }, "42P01");
    raises<pqxx::syntax_error>([&] { t.exec0("SELEC"); }, "42601");
    raises<pqxx::data_exception>([&] { t.exec0("SELECT 1/0"); }, "22012");
});

add cancel("cancel", [] {
    pqxx::connection c;
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        c.cancel_query();
    });
    pqxx::nontransaction t(c);
    try {
        raises<pqxx::sql_error>([&] { t.exec("SELECT pg_sleep(60)"); }, "57014");
    } catch (...) {
        later.join();
        throw;
    }
    later.join();
    equal(t.exec1("SELECT 1")[0].as<int>(), 1);
});

add bulk("bulk load", [] {
    pqxx::connection c;
    pqxx::work t(c);
    t.exec0("CREATE TABLE loaded (a int, b text)");
    pqxx::stream_to to(t, "loaded", std::vector<std::string>{"a", "b"});
    for (int i = 0; i < 10000; i++) to << std::make_tuple(i, "line\t" + std::to_string(i));
    to.complete();
    pqxx::stream_from from(t, "loaded");
    std::tuple<int, std::string> row;
    long sum = 0;
    while (from >> row) sum += std::get<0>(row);
    from.complete();
    equal(sum, 49995000L);
});

add streaming("streaming", [] {
    pqxx::connection c;
    pqxx::work t(c);
    pqxx::icursorstream cursor(t, "SELECT i FROM generate_series(1, 10000) AS i", "stream", 700);
    pqxx::result rows;
    long sum = 0;
    while (cursor >> rows)
        for (const auto &row : rows) sum += row[0].as<int>();
    equal(sum, 50005000L);
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> moving(
        t, "SELECT i FROM generate_series(1, 100) AS i", "moving", false);
    equal(moving.size(), 100u);
    equal(moving.retrieve(50, 52)[1][0].as<int>(), 52);
});

add pipeline("pipeline", [] {
    pqxx::connection c;
    pqxx::work t(c);
    pqxx::pipeline p(t);
    auto one = p.insert("SELECT 1"), two = p.insert("SELECT 2");
    p.complete();
    equal(p.retrieve(two)[0][0].as<int>(), 2);
    equal(p.retrieve(one)[0][0].as<int>(), 1);
});

add large_objects("large objects", [] {
    pqxx::connection c;
    pqxx::oid id;
    {
        pqxx::work t(c);
        pqxx::largeobject made(t);
        id = made.id();
        pqxx::olostream out(t, made);
        for (int i = 0; i < 10000; i++) out << i << ' ';
        out.flush();
        t.commit();
    }
    pqxx::work t(c);
    pqxx::ilostream in(t, id);
    int number, next = 0;
    while (next < 10000 && in >> number) equal(number, next++);
    equal(next, 10000);
    pqxx::largeobjectaccess access(t, id);
    char text[5] = {};
    equal(access.seek(10, std::ios::beg), static_cast<pqxx::largeobject::size_type>(10));
    equal(access.read(text, 4), static_cast<pqxx::largeobject::size_type>(4));
    equal(std::string(text), "5 6 ");
    access.seek(0, std::ios::beg);
    access.write("00", 2);
    equal(access.tell(), static_cast<pqxx::largeobject::size_type>(2));
    equal(t.exec1("SELECT convert_from(lo_get(" + pqxx::to_string(id) + ", 0, 4), 'UTF8')")[0].c_str(), std::string("001 "));
    access.remove(t);
    t.commit();
});

add introspection("introspection", [] {
    pqxx::connection c;
    pqxx::work t(c);
    t.exec0("CREATE TABLE seen (a int, b varchar(3))");
    auto r = t.exec("SELECT a, b FROM seen");
    equal(r.column_type(1), 1043u);
    equal(r.table_column(1), 1);
    equal(t.exec_params1("SELECT relname FROM pg_class WHERE oid = $1", r.column_table(0))[0].c_str(), std::string("seen"));
});
}

int main(int count, char **arguments)
{
    bool failed = false;
    for (const auto &[name, body] : features) {
        if (count > 1 && name != arguments[1]) continue;
        try {
            body();
            std::printf("ok %s\n", name.c_str());
        } catch (const std::exception &error) {
            std::string text = error.what();
            for (auto &c : text)
                if (c == '\n') c = ' ';
            failed = true;
            std::printf("not ok %s: %s\n", name.c_str(), text.c_str());
        }
        std::fflush(stdout);
    }
    return failed ? 1 : 0;
}
