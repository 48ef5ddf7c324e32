/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* Unit test of the pools. */

#include <config.h>
#undef NDEBUG

#include "virtnet-pool.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "util.h"
#include "virtnet-error.h"

#define CHECK(EXPR)                                                         \
    do {                                                                    \
        if (!(EXPR)) {                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__,      \
                    #EXPR);                                                 \
            exit(1);                                                        \
        }                                                                   \
        n_checks++;                                                         \
    } while (0)

static unsigned int n_checks;

#define CTRL_VQ (UINT64_C(1) << 17)

static struct virtnet_device_config
born(const struct virtnet_pool *pool, uint64_t features)
{
    return (struct virtnet_device_config) {
        .features = features,
        .num_msix = pool->def_msix,
        .max_queue_pairs = pool->def_queue_pairs,
    };
}

typedef int check_func(const struct virtnet_pool *, unsigned long long int,
                       struct virtnet_device_config *, char **);

/* 'check' with 'n' must succeed; carries the change out. */
static void
good(check_func *check, struct virtnet_pool *pool,
     struct virtnet_device_config *config, unsigned long long int n)
{
    struct virtnet_device_config new = *config;
    char *err = NULL;

    CHECK(!check(pool, n, &new, &err));
    CHECK(!err);
    virtnet_pool_move(pool, config, &new);
    *config = new;
}

/* 'check' with 'n' must fail with 'error' and change nothing. */
static void
bad(check_func *check, const struct virtnet_pool *pool,
    const struct virtnet_device_config *config, unsigned long long int n,
    int error)
{
    const struct virtnet_pool before = *pool;
    struct virtnet_device_config new = *config;
    char *err = NULL;

    CHECK(check(pool, n, &new, &err) == error);
    CHECK(err);
    CHECK(new.num_msix == config->num_msix);
    CHECK(new.max_queue_pairs == config->max_queue_pairs);
    CHECK(pool->msix == before.msix
          && pool->queue_pairs == before.queue_pairs);
    free(err);
}

static void
test_numbers(void)
{
    struct virtnet_pool pool;

    CHECK(virtnet_msix_for_queue_pairs(127) == 256);
    CHECK(virtnet_msix_for_queue_pairs(31) == 64);
    CHECK(virtnet_msix_for_queue_pairs(15) == 32);
    CHECK(virtnet_msix_for_queue_pairs(0) == 0);
    CHECK(virtnet_queue_pairs_for_msix(256, true) == 127);
    CHECK(virtnet_queue_pairs_for_msix(4, true) == 1);
    CHECK(virtnet_queue_pairs_for_msix(2, true) == 0);
    CHECK(virtnet_queue_pairs_for_msix(2, false) == 1);
    CHECK(virtnet_queue_pairs_for_msix(0, false) == 0);

    virtnet_pool_init(&pool, 64, 0, 127);
    CHECK(pool.def_msix == 64 && pool.def_queue_pairs == 31);
    CHECK(pool.max_msix == 256 && pool.max_queue_pairs == 127);
    CHECK(!pool.msix && !pool.queue_pairs);
    virtnet_pool_init(&pool, 65, 0, 127);
    CHECK(pool.def_msix == 64);
    virtnet_pool_init(&pool, 1024, 0, 127);
    CHECK(pool.def_msix == 256 && pool.def_queue_pairs == 127);
    virtnet_pool_init(&pool, 64, 3, 127);
    CHECK(pool.def_msix == 8 && pool.def_queue_pairs == 3);
    virtnet_pool_init(&pool, 8, 100, 127);
    CHECK(pool.def_msix == 8 && pool.def_queue_pairs == 3);

    virtnet_pool_init(&pool, 64, 0, 127);
    virtnet_pool_limit_msix(&pool, 3, 33);
    CHECK(pool.min_msix == 4 && pool.max_msix == 32);
    CHECK(pool.max_queue_pairs == 15);
    CHECK(pool.def_msix == 32 && pool.def_queue_pairs == 15);
    virtnet_pool_init(&pool, 8, 0, 3);
    virtnet_pool_limit_msix(&pool, 2, 32);
    CHECK(pool.min_msix == 2 && pool.max_msix == 8);
    CHECK(pool.max_queue_pairs == 3 && pool.def_msix == 8);
}

/* What the command reference describes: two VFs with 32 vectors, of which one
 * gets 48. */
static void
test_vectors(void)
{
    struct virtnet_device_config vf0, vf1;
    struct virtnet_pool pool;

    virtnet_pool_init(&pool, 32, 0, 127);
    vf0 = born(&pool, CTRL_VQ);
    vf1 = born(&pool, CTRL_VQ);
    virtnet_pool_vf_added(&pool, &vf0);
    virtnet_pool_vf_added(&pool, &vf1);
    CHECK(pool.msix == 0 && pool.queue_pairs == 0);

    bad(virtnet_pool_check_msix, &pool, &vf0, 34, VIRTNET_E_MSIX_INVALID);
    good(virtnet_pool_check_msix, &pool, &vf1, 4);
    CHECK(pool.msix == 28 && pool.queue_pairs == 14);
    CHECK(vf1.max_queue_pairs == 1);
    good(virtnet_pool_check_msix, &pool, &vf0, 48);
    CHECK(pool.msix == 12 && pool.queue_pairs == 6);
    CHECK(vf0.max_queue_pairs == 23);
    bad(virtnet_pool_check_msix, &pool, &vf0, 62, VIRTNET_E_MSIX_INVALID);
    good(virtnet_pool_check_msix, &pool, &vf0, 60);
    CHECK(pool.msix == 0);

    bad(virtnet_pool_check_msix, &pool, &vf0, 5, VIRTNET_E_MSIX_INVALID);
    bad(virtnet_pool_check_msix, &pool, &vf0, 258, VIRTNET_E_MSIX_INVALID);
    bad(virtnet_pool_check_msix, &pool, &vf0, ULLONG_MAX - 1,
        VIRTNET_E_MSIX_INVALID);

    /* Accepted, and of no use. */
    CHECK(virtnet_config_is_functional(&vf1));
    good(virtnet_pool_check_msix, &pool, &vf1, 2);
    CHECK(!virtnet_config_is_functional(&vf1));
    good(virtnet_pool_check_msix, &pool, &vf1, 0);
    CHECK(!virtnet_config_is_functional(&vf1));
    vf1.features = 0;
    good(virtnet_pool_check_msix, &pool, &vf1, 2);
    CHECK(virtnet_config_is_functional(&vf1));
    good(virtnet_pool_check_queue_pairs, &pool, &vf1, 0);
    CHECK(!virtnet_config_is_functional(&vf1));

    virtnet_pool_vf_removed(&pool, &vf0);
    virtnet_pool_vf_removed(&pool, &vf1);
    CHECK(pool.msix == 0 && pool.queue_pairs == 0);
}

static void
test_queue_pairs(void)
{
    struct virtnet_device_config vf0, vf1;
    struct virtnet_pool pool;

    virtnet_pool_init(&pool, 66, 0, 127);
    vf0 = born(&pool, CTRL_VQ);
    vf1 = born(&pool, CTRL_VQ);
    CHECK(vf0.max_queue_pairs == 32);
    virtnet_pool_vf_added(&pool, &vf0);
    virtnet_pool_vf_added(&pool, &vf1);
    bad(virtnet_pool_check_queue_pairs, &pool, &vf0, 33,
        VIRTNET_E_QUEUES_INVALID);
    good(virtnet_pool_check_queue_pairs, &pool, &vf1, 1);
    CHECK(pool.queue_pairs == 31 && pool.msix == 62);
    good(virtnet_pool_check_queue_pairs, &pool, &vf0, 48);
    CHECK(pool.queue_pairs == 15 && pool.msix == 30);
    CHECK(vf0.num_msix == 98);
    bad(virtnet_pool_check_queue_pairs, &pool, &vf0, 128,
        VIRTNET_E_QUEUES_INVALID);
    bad(virtnet_pool_check_queue_pairs, &pool, &vf0, 999,
        VIRTNET_E_QUEUES_INVALID);
}

/* Of a card that gives each VF a few vectors at least. */
static void
test_limits(void)
{
    struct virtnet_device_config vf;
    struct virtnet_pool pool;

    virtnet_pool_init(&pool, 32, 0, 127);
    virtnet_pool_limit_msix(&pool, 2, 32);
    vf = born(&pool, CTRL_VQ);
    virtnet_pool_vf_added(&pool, &vf);
    bad(virtnet_pool_check_msix, &pool, &vf, 0, VIRTNET_E_MSIX_INVALID);
    bad(virtnet_pool_check_msix, &pool, &vf, 34, VIRTNET_E_MSIX_INVALID);
    bad(virtnet_pool_check_queue_pairs, &pool, &vf, 16,
        VIRTNET_E_QUEUES_INVALID);
    good(virtnet_pool_check_queue_pairs, &pool, &vf, 0);
    CHECK(vf.num_msix == 2 && pool.msix == 30 && pool.queue_pairs == 15);
}

/* VFs come back after a restart in order of their ids, which may be the one
 * that had taken first. */
static void
test_back(void)
{
    struct virtnet_device_config vf0, vf1;
    struct virtnet_pool pool;

    virtnet_pool_init(&pool, 32, 0, 127);
    vf0 = (struct virtnet_device_config) {
        .features = CTRL_VQ, .num_msix = 48, .max_queue_pairs = 23,
    };
    vf1 = (struct virtnet_device_config) {
        .features = CTRL_VQ, .num_msix = 4, .max_queue_pairs = 1,
    };
    virtnet_pool_vf_added(&pool, &vf0);
    CHECK(pool.msix == -16);
    bad(virtnet_pool_check_msix, &pool, &vf0, 50, VIRTNET_E_MSIX_INVALID);
    virtnet_pool_vf_added(&pool, &vf1);
    CHECK(pool.msix == 12 && pool.queue_pairs == 6);
}

/* Whatever is asked for, nothing is lost and nothing comes from nowhere. */
static void
test_sums(void)
{
    enum { N = 10, MSIX = 32, PAIRS = 15 };
    struct virtnet_device_config vfs[N];
    struct virtnet_pool pool;

    virtnet_pool_init(&pool, MSIX, 0, 127);
    for (int i = 0; i < N; i++) {
        vfs[i] = born(&pool, i % 2 ? CTRL_VQ : 0);
        virtnet_pool_vf_added(&pool, &vfs[i]);
    }
    for (int round = 0; round < 10000; round++) {
        struct virtnet_device_config *vf = &vfs[random_range(N)];
        struct virtnet_device_config new = *vf;
        long long int msix = 0, pairs = 0;
        char *err = NULL;
        int error;

        error = (random_range(2)
                 ? virtnet_pool_check_msix(&pool, random_range(260), &new,
                                           &err)
                 : virtnet_pool_check_queue_pairs(&pool, random_range(130),
                                                  &new, &err));
        CHECK(!error == !err);
        free(err);
        if (!error) {
            virtnet_pool_move(&pool, vf, &new);
            *vf = new;
        }
        for (int i = 0; i < N; i++) {
            msix += vfs[i].num_msix;
            pairs += vfs[i].max_queue_pairs;
        }
        CHECK(pool.msix >= 0 && pool.msix + msix == N * MSIX);
        CHECK(pool.queue_pairs >= 0 && pool.queue_pairs + pairs == N * PAIRS);
    }
}

static void
test_sfs(void)
{
    struct virtnet_sf_pool sp = { .total = 0 };

    /* Any number. */
    virtnet_sf_pool_init(&sp, 0, 50, false);
    CHECK(!virtnet_sf_pool_is_creating(&sp));
    CHECK(virtnet_sf_pool_room(&sp) == UINT_MAX);
    for (int i = 0; i < 100; i++) {
        CHECK(!virtnet_sf_pool_take(&sp, false));
    }
    for (int i = 0; i < 100; i++) {
        virtnet_sf_pool_give(&sp, i % 2);
    }
    CHECK(sp.n_free == 50 && !sp.n_used);

    /* Ten, half of them in advance. */
    virtnet_sf_pool_init(&sp, 10, 50, true);
    CHECK(!sp.n_free);
    CHECK(!virtnet_sf_pool_take(&sp, true));
    for (int i = 0; i < 5; i++) {
        CHECK(virtnet_sf_pool_is_creating(&sp));
        CHECK(virtnet_sf_pool_take(&sp, false) == VIRTNET_E_SF_POOL_BUSY);
        CHECK(!virtnet_sf_pool_made_one(&sp));
    }
    CHECK(!virtnet_sf_pool_is_creating(&sp));
    CHECK(sp.n_free == 5 && sp.n_used == 1 && virtnet_sf_pool_room(&sp) == 9);
    for (int i = 0; i < 9; i++) {
        CHECK(!virtnet_sf_pool_take(&sp, false));
    }
    CHECK(virtnet_sf_pool_take(&sp, false) == VIRTNET_E_SF_CREATE);
    CHECK(!sp.n_free && !virtnet_sf_pool_room(&sp));

    /* The SFs of VFs are used again. */
    virtnet_sf_pool_give(&sp, true);
    virtnet_sf_pool_give(&sp, true);
    virtnet_sf_pool_give(&sp, false);
    CHECK(sp.n_free == 2 && virtnet_sf_pool_room(&sp) == 3);
    CHECK(!virtnet_sf_pool_take(&sp, false));
    CHECK(sp.n_free == 1);

    /* A restart keeps them, or not. */
    virtnet_sf_pool_init(&sp, 10, 10, false);
    CHECK(sp.n_free == 1 && !virtnet_sf_pool_is_creating(&sp));
    virtnet_sf_pool_init(&sp, 10, 10, true);
    CHECK(!sp.n_free && virtnet_sf_pool_is_creating(&sp));

    /* More in advance than there can be. */
    virtnet_sf_pool_init(&sp, 10, 100, true);
    while (!virtnet_sf_pool_made_one(&sp)) {
        CHECK(virtnet_sf_pool_is_creating(&sp));
    }
    CHECK(!virtnet_sf_pool_is_creating(&sp));
    CHECK(sp.n_free + sp.n_used == 10);
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    random_set_seed(1);
    test_numbers();
    test_vectors();
    test_queue_pairs();
    test_limits();
    test_back();
    test_sums();
    test_sfs();
    printf("%u checks passed\n", n_checks);
    return 0;
}
