// SPDX-License-Identifier: GPL-3.0-or-later
//
// movr: a fictional company that lends vehicles; users start and end rides in several cities.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "tools/workload.h"

static const char *const cities[] = {
    "amsterdam", "boston", "los angeles", "new york", "paris", "rome", "san francisco", "seattle", "washington dc"};
#define CITY_COUNT (sizeof cities / sizeof cities[0])
static const char *const kinds[] = {"bike", "scooter", "skateboard"};
static const char *const names[] = {"Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hana", "Ivo", "June"};

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS users (id UUID NOT NULL, city VARCHAR NOT NULL, name VARCHAR, address VARCHAR, "
    "credit_card VARCHAR, PRIMARY KEY (city, id))",
    "CREATE TABLE IF NOT EXISTS vehicles (id UUID NOT NULL, city VARCHAR NOT NULL, type VARCHAR, owner_id UUID, "
    "creation_time TIMESTAMP, status VARCHAR, current_location VARCHAR, ext JSONB, PRIMARY KEY (city, id), "
    "FOREIGN KEY (city, owner_id) REFERENCES users (city, id))",
    "CREATE TABLE IF NOT EXISTS rides (id UUID NOT NULL, city VARCHAR NOT NULL, vehicle_city VARCHAR, rider_id UUID, "
    "vehicle_id UUID, start_address VARCHAR, end_address VARCHAR, start_time TIMESTAMP, end_time TIMESTAMP, "
    "revenue DECIMAL(10,2), PRIMARY KEY (city, id), FOREIGN KEY (city, rider_id) REFERENCES users (city, id), "
    "FOREIGN KEY (vehicle_city, vehicle_id) REFERENCES vehicles (city, id))",
    "CREATE TABLE IF NOT EXISTS vehicle_location_histories (city VARCHAR NOT NULL, ride_id UUID NOT NULL, "
    "\"timestamp\" TIMESTAMP NOT NULL, lat FLOAT8, long FLOAT8, PRIMARY KEY (city, ride_id, \"timestamp\"))",
    "CREATE TABLE IF NOT EXISTS promo_codes (code VARCHAR NOT NULL PRIMARY KEY, description VARCHAR, "
    "creation_time TIMESTAMP, expiration_time TIMESTAMP, rules JSONB)",
    "CREATE TABLE IF NOT EXISTS user_promo_codes (city VARCHAR NOT NULL, user_id UUID NOT NULL, code VARCHAR NOT NULL, "
    "\"timestamp\" TIMESTAMP, usage_count INT8, PRIMARY KEY (city, user_id, code))",
};
static const char *const drops[] = {"user_promo_codes", "promo_codes", "vehicle_location_histories", "rides", "vehicles", "users"};

// Ids are made from kind and number, so that workers know them without asking.
static const char *id_of(struct worker *worker, unsigned kind, uint64_t number)
{
    return arena_printf(&worker->arena, "%08x-0000-4000-8000-%012" PRIx64, kind, number);
}
enum { ID_USER = 1, ID_VEHICLE, ID_RIDE };

static const char *city_of(uint64_t number)
{
    return cities[number % CITY_COUNT];
}

// Inserts `count` rows in statements of 250, with `row` writing one.
static struct status insert_rows(struct task *task, struct worker *worker, const char *head,
    uint64_t count, void (*row)(struct worker *worker, struct buffer *sql, uint64_t number))
{
    struct status st = STATUS_OK;
    for (uint64_t number = 0; number < count;) {
        struct arena_mark mark = arena_mark(&worker->arena);
        struct buffer sql;
        buffer_init(&sql, &worker->arena);
        buffer_append_string(&sql, head);
        for (unsigned i = 0; i < 250 && number < count; i++, number++) {
            if (i > 0) buffer_append_string(&sql, ", ");
            row(worker, &sql, number);
        }
        TRY(pgclient_query(task, worker->client, buffer_string(&sql), NULL));
        arena_release(&worker->arena, mark);
    }
out:
    return st;
}

static void user_row(struct worker *worker, struct buffer *sql, uint64_t number)
{
    buffer_printf(sql, "('%s', '%s', '%s %" PRIu64 "', '%" PRIu64 " Main Street', '%016" PRIu64 "')",
        id_of(worker, ID_USER, number), city_of(number), names[number % 10], number, number, number * 7919 % 10000000);
}

static void vehicle_row(struct worker *worker, struct buffer *sql, uint64_t number)
{
    uint64_t users = worker->options->users;
    // An owner of the same city: numbers that differ by a multiple of the number of cities.
    uint64_t owner = number % (users < CITY_COUNT ? users : users - users % CITY_COUNT);
    if (city_of(owner) != city_of(number)) owner = number % CITY_COUNT;
    buffer_printf(sql, "('%s', '%s', '%s', '%s', now(), 'available', '%" PRIu64 " Side Street', '{\"color\": \"red\"}')",
        id_of(worker, ID_VEHICLE, number), city_of(number), kinds[number % 3], id_of(worker, ID_USER, owner), number);
}

static void ride_row(struct worker *worker, struct buffer *sql, uint64_t number)
{
    buffer_printf(sql, "('%s', '%s', '%s', '%s', '%s', 'a', 'b', now(), now(), %" PRIu64 ".50)",
        id_of(worker, ID_RIDE, number), city_of(number), city_of(number), id_of(worker, ID_USER, number % CITY_COUNT),
        id_of(worker, ID_VEHICLE, number % CITY_COUNT), number % 90);
}

static void history_row(struct worker *worker, struct buffer *sql, uint64_t number)
{
    uint64_t ride = number % worker->options->rides;
    buffer_printf(sql, "('%s', '%s', now() + interval '%" PRIu64 " seconds', %.4f, %.4f)", city_of(ride),
        id_of(worker, ID_RIDE, ride), number, (double)(number % 180) - 90.0, (double)(number % 360) - 180.0);
}

static void promo_row(struct worker *worker, struct buffer *sql, uint64_t number)
{
    (void)worker;
    buffer_printf(sql, "('%" PRIu64 "_off', 'a discount', now(), now() + interval '30 days', '{\"value\": %" PRIu64 "}')",
        number, number % 50);
}

static struct status init(struct task *task, struct worker *worker)
{
    struct status st;
    const struct workload_options *options = worker->options;
    for (unsigned i = 0; options->drop && i < sizeof drops / sizeof drops[0]; i++)
        TRY(worker_exec(task, worker, "DROP TABLE IF EXISTS %s", drops[i]));
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) TRY(worker_exec(task, worker, "%s", tables[i]));
    TRY(insert_rows(task, worker, "INSERT INTO users (id, city, name, address, credit_card) VALUES ", options->users, user_row));
    TRY(insert_rows(task, worker,
        "INSERT INTO vehicles (id, city, type, owner_id, creation_time, status, current_location, ext) VALUES ",
        options->vehicles, vehicle_row));
    TRY(insert_rows(task, worker,
        "INSERT INTO rides (id, city, vehicle_city, rider_id, vehicle_id, start_address, end_address, start_time, end_time, "
        "revenue) VALUES ",
        options->rides, ride_row));
    TRY(insert_rows(task, worker,
        "INSERT INTO vehicle_location_histories (city, ride_id, \"timestamp\", lat, long) VALUES ", options->histories, history_row));
    TRY(insert_rows(task, worker,
        "INSERT INTO promo_codes (code, description, creation_time, expiration_time, rules) VALUES ",
        options->promo_codes, promo_row));
out:
    return st;
}

static struct status start_ride(struct task *task, struct worker *worker)
{
    struct status st;
    uint64_t city = worker_random(worker, CITY_COUNT);
    const char *user = id_of(worker, ID_USER, city), *vehicle = id_of(worker, ID_VEHICLE, city);
    TRY(worker_exec(task, worker, "BEGIN"));
    TRY(worker_exec(task, worker, "UPDATE vehicles SET status = 'in_use' WHERE city = '%s' AND id = '%s'", cities[city], vehicle));
    TRY(worker_exec(task, worker,
        "INSERT INTO rides (id, city, vehicle_city, rider_id, vehicle_id, start_address, start_time) VALUES "
        "(gen_random_uuid(), '%s', '%s', '%s', '%s', 'here', now())",
        cities[city], cities[city], user, vehicle));
    TRY(worker_exec(task, worker, "COMMIT"));
out:
    return st;
}

static struct status end_ride(struct task *task, struct worker *worker)
{
    uint64_t ride = worker_random(worker, worker->options->rides);
    return worker_exec(task, worker,
        "UPDATE rides SET end_address = 'there', end_time = now(), revenue = %" PRIu64 ".25 WHERE city = '%s' AND id = '%s'",
        worker_random(worker, 90), city_of(ride), id_of(worker, ID_RIDE, ride));
}

static struct status operation(struct task *task, struct worker *worker, const char **kind)
{
    uint64_t dice = worker_random(worker, 100);
    const char *city = cities[worker_random(worker, CITY_COUNT)];
    if (dice < 60) {
        *kind = "readVehicles";
        return worker_exec(task, worker, "SELECT id, type, status FROM vehicles WHERE city = '%s' LIMIT 25", city);
    }
    if (dice < 75) {
        *kind = "updateLocation";
        uint64_t ride = worker_random(worker, worker->options->rides);
        return worker_exec(task, worker,
            "INSERT INTO vehicle_location_histories (city, ride_id, \"timestamp\", lat, long) VALUES ('%s', '%s', now(), %.4f, %.4f) "
            "ON CONFLICT DO NOTHING",
            city_of(ride), id_of(worker, ID_RIDE, ride), (double)worker_random(worker, 180) - 90, (double)worker_random(worker, 360) - 180);
    }
    if (dice < 85) {
        *kind = "startRide";
        return start_ride(task, worker);
    }
    if (dice < 95) {
        *kind = "endRide";
        return end_ride(task, worker);
    }
    *kind = "addUser";
    return worker_exec(task, worker,
        "INSERT INTO users (id, city, name, address, credit_card) VALUES (gen_random_uuid(), '%s', '%s', 'somewhere', '0')",
        city, names[worker_random(worker, 10)]);
}

const struct workload workload_movr = {.name = "movr",
    .summary = "users who lend vehicles in several cities",
    .database = "movr",
    .init = init,
    .operation = operation};
