// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hashmap.h"
#include "core/invariant.h"

#define METRICS_MAX 1024u
#define CHUNK_CELLS 32u
#define CHUNKS_MAX (METRICS_MAX / CHUNK_CELLS)
#define HISTOGRAM_BUCKETS 1024u
#define SYSTEM_TENANT 1u // The node's own work on a metric that exists per tenant counts as its.

// Of a histogram, as one writer fills it and others read it.
struct shared_histogram {
    _Atomic uint64_t count, sum, max;
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
};

union cell {
    _Atomic int64_t value;
    struct shared_histogram *_Atomic histogram;
};

// The cells of one tenant (0: of the node) in one thread, in chunks made on demand.
struct cell_set {
    uint64_t tenant;
    struct cell_set *next; // The thread's list. Readers follow it, so it only grows at its head.
    union cell *_Atomic chunks[CHUNKS_MAX];
};

// All of one thread's cells. Only it writes them; they outlive it, so that its counts are not lost.
struct thread_cells {
    struct thread_cells *next;
    struct cell_set node;
    struct cell_set *_Atomic tenants;
    struct cell_set *latest;  // The tenant that was touched last: most often the next one.
    struct hashmap by_tenant; // The thread's own way to them.
};

static _Thread_local struct thread_cells *own;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric
    *registered[METRICS_MAX];         // By id; written under the lock before the id is seen.
static uint32_t registered_count = 1; // Id 0 is "not yet".
static struct thread_cells *_Atomic all_threads;
static struct hashmap forgotten; // Tenants that are gone. Under the lock.

// --- writing -------------------------------------------------------------------------------------

static uint32_t metric_id(const struct metric *metric)
{
    return __atomic_load_n(&metric->id, __ATOMIC_ACQUIRE);
}

void metric_register(struct metric *metric)
{
    pthread_mutex_lock(&registry_lock);
    if (metric_id(metric) == 0) {
        invariant(registered_count < METRICS_MAX);
        registered[registered_count] = metric;
        __atomic_store_n(&metric->id, registered_count, __ATOMIC_RELEASE);
        registered_count++;
    }
    pthread_mutex_unlock(&registry_lock);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    invariant(memory != NULL);
    return memory;
}

static struct thread_cells *own_cells(void)
{
    if (LIKELY(own != NULL)) return own;
    own = allocate(sizeof *own);
    pthread_mutex_lock(&registry_lock);
    own->next = atomic_load(&all_threads);
    atomic_store(&all_threads, own);
    pthread_mutex_unlock(&registry_lock);
    return own;
}

static struct cell_set *tenant_set(struct thread_cells *mine, uint64_t tenant)
{
    if (tenant == 0) tenant = SYSTEM_TENANT;
    if (LIKELY(mine->latest != NULL && mine->latest->tenant == tenant)) return mine->latest;
    struct cell_set *set = hashmap_get_u64(&mine->by_tenant, tenant);
    if (set == NULL) {
        set = allocate(sizeof *set);
        set->tenant = tenant;
        set->next = atomic_load_explicit(&mine->tenants, memory_order_relaxed);
        hashmap_put_u64(&mine->by_tenant, tenant, set);
        atomic_store_explicit(&mine->tenants, set, memory_order_release);
    }
    mine->latest = set;
    return set;
}

static union cell *own_cell(struct metric *metric, uint64_t tenant)
{
    if (UNLIKELY(metric_id(metric) == 0)) metric_register(metric);
    uint32_t id = metric_id(metric);
    struct thread_cells *mine = own_cells();
    struct cell_set *set = metric->per_tenant ? tenant_set(mine, tenant) : &mine->node;
    union cell *_Atomic *at = &set->chunks[id / CHUNK_CELLS];
    union cell *chunk = atomic_load_explicit(at, memory_order_relaxed);
    if (UNLIKELY(chunk == NULL)) {
        chunk = allocate(sizeof *chunk * CHUNK_CELLS);
        atomic_store_explicit(at, chunk, memory_order_release);
    }
    return &chunk[id % CHUNK_CELLS];
}

// A cell has one writer, so a load and a store make an addition: no locked instruction.
static void bump(_Atomic uint64_t *cell, uint64_t delta)
{
    uint64_t now = atomic_load_explicit(cell, memory_order_relaxed);
    atomic_store_explicit(cell, now + delta, memory_order_relaxed);
}

void metric_add(struct metric *metric, uint64_t tenant, int64_t delta)
{
    invariant(metric->kind != METRIC_HISTOGRAM);
    union cell *cell = own_cell(metric, tenant);
    int64_t now = atomic_load_explicit(&cell->value, memory_order_relaxed);
    atomic_store_explicit(
        &cell->value, (int64_t)((uint64_t)now + (uint64_t)delta), memory_order_relaxed);
}

void metric_set(struct metric *metric, uint64_t tenant, int64_t value)
{
    invariant(metric->kind == METRIC_GAUGE);
    atomic_store_explicit(&own_cell(metric, tenant)->value, value, memory_order_relaxed);
}

// Values below 16 have a bucket each; above, a power of two is cut in sixteen.
static uint32_t bucket_of(uint64_t value)
{
    if (value < 16) return (uint32_t)value;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value);
    return (power - 3) * 16 + (uint32_t)(value >> (power - 4) & 15);
}

// The middle of a bucket's values.
static uint64_t bucket_value(uint32_t bucket)
{
    if (bucket < 16) return bucket;
    uint32_t power = bucket / 16 + 3;
    uint64_t width = UINT64_C(1) << (power - 4);
    return (16 + bucket % 16) * width + width / 2;
}

void metric_record(struct metric *metric, uint64_t tenant, uint64_t value)
{
    invariant(metric->kind == METRIC_HISTOGRAM);
    union cell *cell = own_cell(metric, tenant);
    struct shared_histogram *into = atomic_load_explicit(&cell->histogram, memory_order_relaxed);
    if (UNLIKELY(into == NULL)) {
        into = allocate(sizeof *into);
        atomic_store_explicit(&cell->histogram, into, memory_order_release);
    }
    bump(&into->buckets[bucket_of(value)], 1);
    bump(&into->sum, value);
    bump(&into->count, 1);
    if (value > atomic_load_explicit(&into->max, memory_order_relaxed))
        atomic_store_explicit(&into->max, value, memory_order_relaxed);
}

void metrics_tenant_forget(uint64_t tenant)
{
    pthread_mutex_lock(&registry_lock);
    hashmap_put_u64(&forgotten, tenant, &forgotten);
    pthread_mutex_unlock(&registry_lock);
}

// --- histograms ----------------------------------------------------------------------------------

void histogram_record(struct histogram *histogram, uint64_t value)
{
    static_assert(sizeof histogram->buckets / 8 == HISTOGRAM_BUCKETS, "the same buckets");
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    if (histogram->count == 0) return 0;
    double wanted = ceil(quantile * (double)histogram->count);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    if (rank >= histogram->count) return histogram->max;
    uint64_t below = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        if (below < rank) continue;
        uint64_t value = bucket_value(i);
        return value < histogram->max ? value : histogram->max;
    }
    return histogram->max;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max) into->max = from->max;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

static uint64_t peek(_Atomic uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static void shared_merge(struct histogram *into, struct shared_histogram *from)
{
    into->sum += peek(&from->sum);
    if (peek(&from->max) > into->max) into->max = peek(&from->max);
    // The count is of the buckets as read, so that a quantile's rank always falls in one.
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = peek(&from->buckets[i]);
        into->buckets[i] += count;
        into->count += count;
    }
}

// --- reading -------------------------------------------------------------------------------------

static union cell *cell_in(struct cell_set *set, uint32_t id)
{
    union cell *chunk = atomic_load_explicit(&set->chunks[id / CHUNK_CELLS], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[id % CHUNK_CELLS];
}

// What one cell set holds of a metric, added to *value or *into.
static void cell_collect(
    const struct metric *metric, struct cell_set *set, int64_t *value, struct histogram *into)
{
    union cell *cell = cell_in(set, metric_id(metric));
    if (cell == NULL) return;
    if (metric->kind != METRIC_HISTOGRAM) {
        *value += atomic_load_explicit(&cell->value, memory_order_relaxed);
        return;
    }
    struct shared_histogram *from = atomic_load_explicit(&cell->histogram, memory_order_acquire);
    if (from == NULL) return;
    *value += (int64_t)peek(&from->count);
    if (into != NULL) shared_merge(into, from);
}

static int64_t collect(const struct metric *metric, uint64_t tenant, struct histogram *into)
{
    int64_t value = 0;
    if (metric_id(metric) == 0) return 0;
    for (struct thread_cells *thread = atomic_load(&all_threads); thread; thread = thread->next) {
        if (!metric->per_tenant) {
            cell_collect(metric, &thread->node, &value, into);
            continue;
        }
        struct cell_set *set = atomic_load_explicit(&thread->tenants, memory_order_acquire);
        for (; set != NULL; set = set->next) {
            if (tenant == 0 || set->tenant == tenant) cell_collect(metric, set, &value, into);
        }
    }
    return value;
}

int64_t metric_read(const struct metric *metric, uint64_t tenant)
{
    return collect(metric, tenant, NULL);
}

uint64_t metric_quantile(const struct metric *metric, uint64_t tenant, double quantile)
{
    struct histogram *merged = allocate(sizeof *merged);
    collect(metric, tenant, merged);
    uint64_t value = histogram_quantile(merged, quantile);
    free(merged);
    return value;
}

// --- reading everything --------------------------------------------------------------------------

// A survey of what there is: metrics by name, and tenants by id with each thread's cells of theirs.
struct survey_tenant {
    uint64_t tenant;
    struct cell_set **sets; // One a thread, NULL where the thread never met the tenant.
};
struct survey {
    struct arena arena;
    struct metric **metrics;
    uint32_t metric_count;
    struct cell_set **node_sets; // One a thread.
    uint32_t thread_count;
    struct survey_tenant *tenants;
    uint32_t tenant_count;
};

static int metric_by_name(const void *a, const void *b)
{
    return strcmp((*(struct metric *const *)a)->name, (*(struct metric *const *)b)->name);
}

static int survey_by_tenant(const void *a, const void *b)
{
    uint64_t left = ((const struct survey_tenant *)a)->tenant;
    uint64_t right = ((const struct survey_tenant *)b)->tenant;
    return (left > right) - (left < right);
}

static void survey_tenants(struct survey *survey, struct thread_cells *threads)
{
    struct hashmap known;
    hashmap_init(&known, &survey->arena);
    // The system tenant is listed even before anything happened.
    hashmap_put_u64(&known, SYSTEM_TENANT,
        ARENA_ARRAY(&survey->arena, struct cell_set *, survey->thread_count + 1));
    uint32_t index = 0;
    for (struct thread_cells *thread = threads; thread != NULL; thread = thread->next, index++) {
        struct cell_set *set = atomic_load_explicit(&thread->tenants, memory_order_acquire);
        for (; set != NULL; set = set->next) {
            if (hashmap_get_u64(&forgotten, set->tenant) != NULL) continue;
            struct cell_set **sets = hashmap_get_u64(&known, set->tenant);
            if (sets == NULL) {
                sets = ARENA_ARRAY(&survey->arena, struct cell_set *, survey->thread_count);
                hashmap_put_u64(&known, set->tenant, sets);
            }
            sets[index] = set;
        }
    }
    survey->tenants = ARENA_ARRAY(&survey->arena, struct survey_tenant, known.count + 1);
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&known, &cursor));)
        survey->tenants[survey->tenant_count++] =
            (struct survey_tenant){hashmap_entry_u64(entry), entry->value};
    qsort(survey->tenants, survey->tenant_count, sizeof *survey->tenants, survey_by_tenant);
}

static void survey_begin(struct survey *survey)
{
    *survey = (struct survey){0};
    arena_init(&survey->arena, NULL);
    pthread_mutex_lock(&registry_lock);
    survey->metric_count = registered_count - 1;
    survey->metrics = ARENA_ARRAY(&survey->arena, struct metric *, METRICS_MAX);
    memcpy(survey->metrics, registered + 1, sizeof *registered * survey->metric_count);
    struct thread_cells *threads = atomic_load(&all_threads);
    for (struct thread_cells *thread = threads; thread != NULL; thread = thread->next)
        survey->thread_count++;
    survey->node_sets = ARENA_ARRAY(&survey->arena, struct cell_set *, survey->thread_count + 1);
    uint32_t index = 0;
    for (struct thread_cells *thread = threads; thread != NULL; thread = thread->next)
        survey->node_sets[index++] = &thread->node;
    survey_tenants(survey, threads);
    pthread_mutex_unlock(&registry_lock);
    qsort(survey->metrics, survey->metric_count, sizeof *survey->metrics, metric_by_name);
}

static int64_t survey_collect(const struct survey *survey, const struct metric *metric,
    struct cell_set *const *sets, struct histogram *into)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < survey->thread_count; i++) {
        if (sets[i] != NULL) cell_collect(metric, sets[i], &value, into);
    }
    return value;
}

void metrics_read_all(struct metric_reader *reader)
{
    struct survey survey;
    survey_begin(&survey);
    for (uint32_t m = 0; m < survey.metric_count; m++) {
        const struct metric *metric = survey.metrics[m];
        if (!metric->per_tenant) {
            int64_t value = survey_collect(&survey, metric, survey.node_sets, NULL);
            reader->value(reader, metric, 0, value);
            continue;
        }
        for (uint32_t t = 0; t < survey.tenant_count; t++) {
            int64_t value = survey_collect(&survey, metric, survey.tenants[t].sets, NULL);
            reader->value(reader, metric, survey.tenants[t].tenant, value);
        }
    }
    arena_fini(&survey.arena);
}

// --- Prometheus ----------------------------------------------------------------------------------

struct exposition {
    struct buffer *out;
    const struct survey *survey;
    struct histogram *scratch;
    uint32_t node_id;
    char name[128]; // With underscores.
};

static void name_set(struct exposition *to, const char *name)
{
    size_t size = strlen(name);
    invariant(size < sizeof to->name);
    for (size_t i = 0; i <= size; i++) {
        char c = name[i];
        bool kept = c == 0 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == ':';
        to->name[i] = kept ? c : '_';
    }
}

// {node_id="1",tenant="demo",quantile="0.5"}
static void append_labels(struct exposition *to, const char *tenant, const char *quantile)
{
    buffer_printf(to->out, "{node_id=\"%" PRIu32 "\"", to->node_id);
    if (tenant != NULL) {
        buffer_append_string(to->out, ",tenant=\"");
        for (const char *c = tenant; *c != 0; c++) {
            if (*c == '"' || *c == '\\') buffer_append_u8(to->out, '\\');
            buffer_append_u8(to->out, *c == '\n' ? ' ' : (uint8_t)*c);
        }
        buffer_append_u8(to->out, '"');
    }
    if (quantile != NULL) buffer_printf(to->out, ",quantile=\"%s\"", quantile);
    buffer_append_u8(to->out, '}');
}

static void append_series(struct exposition *to, const struct metric *metric,
    struct cell_set *const *sets, const char *tenant)
{
    static const struct {
        const char *label;
        double quantile;
    } quantiles[] = {{"0.5", 0.5}, {"0.75", 0.75}, {"0.9", 0.9}, {"0.95", 0.95}, {"0.99", 0.99},
        {"0.999", 0.999}, {"1", 1}};
    if (metric->kind != METRIC_HISTOGRAM) {
        int64_t value = survey_collect(to->survey, metric, sets, NULL);
        buffer_append_string(to->out, to->name);
        append_labels(to, tenant, NULL);
        buffer_printf(to->out, " %" PRId64 "\n", value);
        return;
    }
    memset(to->scratch, 0, sizeof *to->scratch);
    survey_collect(to->survey, metric, sets, to->scratch);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        buffer_append_string(to->out, to->name);
        append_labels(to, tenant, quantiles[i].label);
        buffer_printf(
            to->out, " %" PRIu64 "\n", histogram_quantile(to->scratch, quantiles[i].quantile));
    }
    buffer_printf(to->out, "%s_sum", to->name);
    append_labels(to, tenant, NULL);
    buffer_printf(to->out, " %" PRIu64 "\n%s_count", to->scratch->sum, to->name);
    append_labels(to, tenant, NULL);
    buffer_printf(to->out, " %" PRIu64 "\n", to->scratch->count);
}

void metrics_prometheus(struct buffer *out, uint32_t node_id, uint64_t tenant_filter,
    const char *(*tenant_name)(uint64_t tenant, void *arg), void *arg)
{
    static const char *const types[] = {"counter", "gauge", "summary"};
    struct survey survey;
    survey_begin(&survey);
    struct exposition to = {.out = out, .survey = &survey, .node_id = node_id};
    to.scratch = arena_alloc(&survey.arena, sizeof *to.scratch);
    for (uint32_t m = 0; m < survey.metric_count; m++) {
        const struct metric *metric = survey.metrics[m];
        if (!metric->per_tenant && tenant_filter != 0 && tenant_filter != SYSTEM_TENANT) continue;
        name_set(&to, metric->name);
        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", to.name, metric->help, to.name,
            types[metric->kind]);
        if (!metric->per_tenant) {
            const char *system = tenant_name == NULL ? NULL : tenant_name(SYSTEM_TENANT, arg);
            append_series(&to, metric, survey.node_sets, system);
            continue;
        }
        for (uint32_t t = 0; t < survey.tenant_count; t++) {
            const struct survey_tenant *tenant = &survey.tenants[t];
            if (tenant_filter != 0 && tenant->tenant != tenant_filter) continue;
            const char *label = tenant_name == NULL ? NULL : tenant_name(tenant->tenant, arg);
            if (label == NULL && tenant_name != NULL) continue;
            append_series(&to, metric, tenant->sets, label);
        }
    }
    arena_fini(&survey.arena);
}
