// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/helper_pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/invariant.h"

struct helper_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct helper_job *first, **last;
    bool stopping;
    uint32_t thread_count;
    pthread_t threads[];
};

static void *helper_main(void *arg)
{
    struct helper_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct helper_job *job = pool->first;
        if (job != NULL) {
            pool->first = job->next;
            if (pool->first == NULL) pool->last = &pool->first;
            pthread_mutex_unlock(&pool->lock);
            job->fn(job->arg);
            job->finished(job);
            pthread_mutex_lock(&pool->lock);
        } else if (pool->stopping) {
            break;
        } else {
            pthread_cond_wait(&pool->work, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct status helper_pool_create(uint32_t threads, struct helper_pool **created)
{
    struct helper_pool *pool = calloc(1, sizeof *pool + threads * sizeof(pthread_t));
    invariant(pool != NULL && threads > 0);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->last = &pool->first;
    for (uint32_t i = 0; i < threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, helper_main, pool) != 0) {
            helper_pool_destroy(pool);
            return status_make(E_INSUFFICIENT_RESOURCES, "cannot start helper threads");
        }
        pool->thread_count++;
    }
    *created = pool;
    return STATUS_OK;
}

void helper_pool_destroy(struct helper_pool *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work);
    free(pool);
}

void helper_pool_submit(struct helper_pool *pool, struct helper_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->last = job;
    pool->last = &job->next;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}
