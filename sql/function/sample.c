// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/function/sample.h"

#include <math.h>

#include "core/hash.h"
#include "core/shard.h"
#include "sql/function/function_table.h"
#include "sql/session/session.h"

#define E_INVALID_SAMPLE_ARGUMENT SQLSTATE('2', '2', '0', '2', 'H')
#define E_INVALID_SAMPLE_REPEAT SQLSTATE('2', '2', '0', '2', 'G')

BODY(sample)
{
    if (args[0].null) return status_make(E_INVALID_SAMPLE_ARGUMENT, "TABLESAMPLE parameter cannot be null");
    if (args[1].null) return status_make(E_INVALID_SAMPLE_REPEAT, "TABLESAMPLE REPEATABLE parameter cannot be null");
    const double percent = args[0].real;
    if (isnan(percent) || percent < 0 || percent > 100)
        return status_make(E_INVALID_SAMPLE_ARGUMENT, "sample percentage must be between 0 and 100");
    uint64_t hash = hash_u64(type_hash(TYPE_FLOAT8, args[1]) ^ (uint64_t)args[2].integer << 32);
    for (uint32_t i = SAMPLE_KEYS_FROM; i < call->arg_count; i++)
        hash = hash_u64(hash ^ (args[i].null ? 0 : type_hash(call->arg_types[i].oid, args[i])));
    *result = datum_bool((double)(hash >> 11) * 0x1p-53 < percent / 100);
    return STATUS_OK;
}

const struct function sample_bernoulli = {
    .name = "bernoulli", .kind = FUNCTION_SCALAR, .result = TYPE_BOOL, .fn = sample};
const struct function sample_system = {
    .name = "system", .kind = FUNCTION_SCALAR, .result = TYPE_BOOL, .fn = sample};

double sample_seed(const struct session *session)
{
    struct env *env = session->shard->env;
    return (double)(env->random(env) >> 11) * 0x1p-53;
}
