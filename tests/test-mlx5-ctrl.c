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

/* Tests the control queue on the model of the firmware: commands, what they do
 * to the receive table, hostile drivers, errors. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "fw-model.h"
#include "mlx5-ctrl.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "random.h"
#include "util.h"

static const char *const names[] = { FW_MANAGER };
static const struct eth_addr own = ETH_ADDR_C(02,00,00,00,00,64);

#define F(BIT) (UINT64_C(1) << (BIT))

/* Commands alone. */
static void
test_execute(void)
{
    static const struct {
        uint8_t command[24];
        size_t len;
        uint64_t feature;       /* That it takes. */
        int error;              /* With it. */
        enum mlx5_ctrl_change change;
    } cases[] = {
        { { 0, 0, 0 }, 3, F(18), 0, MLX5_CTRL_FILTER },
        { { 0, 1, 1 }, 3, F(18), 0, MLX5_CTRL_FILTER },
        { { 0, 0, 2 }, 3, F(18), -EINVAL, 0 },
        { { 0, 0 }, 2, F(18), -EINVAL, 0 },
        { { 0, 0, 1, 1 }, 4, F(18), -EINVAL, 0 },
        { { 0, 2, 1 }, 3, F(20), 0, MLX5_CTRL_FILTER },
        { { 0, 5, 1 }, 3, F(20), 0, MLX5_CTRL_FILTER },
        { { 0, 6, 1 }, 3, F(18) | F(20), -EINVAL, 0 },
        { { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, F(18), 0, MLX5_CTRL_FILTER },
        { { 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0 }, 16, F(18), 0,
          MLX5_CTRL_FILTER },
        { { 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0 }, 15, F(18),
          -EINVAL, 0 },
        { { 1, 0, 255, 255, 255, 255, 0, 0, 0, 0 }, 10, F(18), -EINVAL, 0 },
        { { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 }, 11, F(18), -EINVAL, 0 },
        { { 1, 1, 2, 0, 0, 0, 0, 1 }, 8, F(23), 0, MLX5_CTRL_FILTER },
        { { 1, 1, 1, 0, 0, 0, 0, 1 }, 8, F(23), -EINVAL, 0 },
        { { 1, 1, 2, 0, 0, 0, 0 }, 7, F(23), -EINVAL, 0 },
        { { 2, 0, 10, 0 }, 4, F(19), 0, MLX5_CTRL_FILTER },
        { { 2, 1, 10, 0 }, 4, F(19), 0, MLX5_CTRL_FILTER },
        { { 2, 0, 0, 16 }, 4, F(19), -EINVAL, 0 },
        { { 2, 2, 10, 0 }, 4, F(19), -EINVAL, 0 },
        { { 3, 0 }, 2, F(21), 0, MLX5_CTRL_NOTHING },
        { { 4, 0, 3, 0 }, 4, F(22), 0, MLX5_CTRL_PAIRS },
        { { 4, 0, 0, 0 }, 4, F(22), -EINVAL, 0 },
        { { 4, 0, 4, 0 }, 4, F(22), -EINVAL, 0 },
        { { 4, 1, 3, 0 }, 4, F(22), -EINVAL, 0 },
        { { 6, 0, 8, 0, 0, 0, 50 }, 10, F(53), 0, MLX5_CTRL_PERIOD },
        { { 6, 1, 8, 0, 0, 0, 50 }, 10, F(53), 0, MLX5_CTRL_PERIOD },
        { { 6, 1, 8, 0, 0, 0, 50 }, 9, F(53), -EINVAL, 0 },
        { { 6, 2, 5, 0, 0, 0, 8, 0, 0, 0, 50 }, 14, F(52), 0,
          MLX5_CTRL_PERIOD },
        { { 6, 2, 6, 0, 0, 0, 8, 0, 0, 0, 50 }, 14, F(52), -EINVAL, 0 },
        { { 6, 3, 5, 0, 0, 0, 8, 0, 0, 0, 50 }, 14, F(52), -EINVAL, 0 },
        { { 9, 0, 3, 0 }, 4, UINT64_MAX, -EINVAL, 0 },
        { { 0 }, 1, UINT64_MAX, -EINVAL, 0 },
        { { 0 }, 0, UINT64_MAX, -EINVAL, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mlx5_ctrl_state state;
        enum mlx5_ctrl_change change;
        int error;

        mlx5_ctrl_state_init(&state, cases[i].feature, own);
        error = mlx5_ctrl_execute(&state, cases[i].feature, 3,
                                  cases[i].command, cases[i].len, &change);
        assert(error == cases[i].error);
        assert(error || change == cases[i].change);

        /* Not without the feature. */
        assert(mlx5_ctrl_execute(&state, ~cases[i].feature, 3,
                                 cases[i].command, cases[i].len, &change));
        mlx5_ctrl_state_uninit(&state);
    }
}

struct setup {
    struct mlx5_devx *manager, *sf;
    struct mlx5_emu_caps caps;
    struct mlx5_devx_obj *emu;
    struct mlx5_emu_state regs;
    struct mlx5_datapath *dp;
    struct mlx5_ctrlq *cq;
    struct mlx5_ctrl_state state;
    struct fw_fn *fn;
    unsigned int n;
};

static void
setup(struct setup *s)
{
    static const struct fw_config config = {
        .n_static_pfs = 1, .n_sfs = 1, .max_queues = 7,
    };
    char *err = NULL;

    memset(s, 0, sizeof *s);
    fw_model_create(&config);
    s->fn = fw_host_find(FW_STATIC_PF(0));
    assert(fw_host_probe(s->fn, UINT64_MAX, 3, 128));
    assert(!mlx5_emu_discover(&fw_model_class, names, 1, &s->manager,
                              &s->caps, &err));
    assert(!mlx5_devx_open(&fw_model_class, "mlx5_10", &s->sf, &err));
    assert(!mlx5_emu_manage(s->manager, &s->caps, FW_STATIC_PF(0), false,
                            &s->emu, &err));
    assert(!mlx5_emu_query(s->emu, 7, &s->regs, &err));
    mlx5_ctrl_state_init(&s->state, s->regs.driver_features, own);
    s->dp = mlx5_datapath_create(s->manager, s->sf, FW_SF_VHCA(0), &s->caps,
                                 FW_STATIC_PF(0), s->emu, &s->regs, 6,
                                 &s->state.filter);
    while (mlx5_datapath_start(s->dp, &err)) {
        assert(!err);
    }
    assert(!mlx5_ctrlq_open(s->dp, &s->regs.queues[6], &s->cq, &err));
}

static void
teardown(struct setup *s)
{
    mlx5_ctrlq_close(s->cq);
    mlx5_datapath_destroy(s->dp);
    mlx5_ctrl_state_uninit(&s->state);
    mlx5_emu_state_uninit(&s->regs);
    mlx5_devx_destroy(&s->emu);
    assert(!fw_n_objects());
    mlx5_devx_close(s->sf);
    mlx5_devx_close(s->manager);
    fw_model_destroy();
}

static int
serve(const uint8_t *command, size_t len, void *s_)
{
    struct setup *s = s_;
    struct mlx5_ctrl_state new;
    enum mlx5_ctrl_change change;
    char *err = NULL;
    int error;

    s->n++;
    mlx5_ctrl_state_clone(&new, &s->state);
    error = mlx5_ctrl_execute(&new, s->regs.driver_features, 3, command, len,
                              &change);
    if (!error && change == MLX5_CTRL_FILTER) {
        do {
            error = mlx5_datapath_set_filter(s->dp, &new.filter, &err);
        } while (error > 0);
    } else if (!error && change == MLX5_CTRL_PAIRS) {
        error = mlx5_datapath_set_pairs(s->dp, new.n_pairs, &err);
    } else if (!error && change == MLX5_CTRL_PERIOD) {
        error = mlx5_datapath_set_period(s->dp, new.period_index,
                                         &new.period, &err);
    }
    free(err);
    mlx5_ctrl_state_uninit(error ? &new : &s->state);
    if (!error) {
        s->state = new;
    }
    return error != 0;
}

static uint8_t
command(struct setup *s, uint8_t class, uint8_t cmd, const void *data,
        size_t len)
{
    char *err = NULL;
    uint8_t ack;

    fw_host_ctrl_post(s->fn, class, cmd, data, len);
    assert(!fw_host_ctrl_done(s->fn, &ack));
    assert(mlx5_ctrlq_poll(s->cq, serve, s, &err) == 1 && !err);
    assert(fw_host_ctrl_done(s->fn, &ack));
    assert(!mlx5_ctrlq_poll(s->cq, serve, s, &err) && !err);
    return ack;
}

/* A driver sets its receive mode, and packets follow. */
static void
test_commands(void)
{
    static const uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 };
    static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 7 };
    uint8_t table[4 + 6 + 4 + 6] = { 1, 0, 0, 0 };
    uint8_t many[4 + 100 * 6 + 4] = { 100 };
    struct setup s;

    setup(&s);
    assert(fw_rx_queue(s.fn, mac, 0, 0) == 0);
    assert(!command(&s, 0, 0, "", 1));
    assert(fw_rx_queue(s.fn, mac, 0, 0) < 0);
    assert(fw_rx_queue(s.fn, own.ea, 0, 0) == 0);
    assert(!command(&s, 1, 1, mac, 6));
    assert(fw_rx_queue(s.fn, mac, 0, 0) == 0);
    assert(fw_rx_queue(s.fn, own.ea, 0, 0) < 0);

    memcpy(table + 4, own.ea, 6);
    table[10] = 1;
    memcpy(table + 14, group, 6);
    assert(!command(&s, 1, 0, table, sizeof table));
    assert(fw_rx_queue(s.fn, own.ea, 0, 0) == 0);
    assert(fw_rx_queue(s.fn, group, 0, 0) == 0);
    assert(fw_rx_queue(s.fn, group, 100, 0) < 0);
    assert(!command(&s, 2, 0, "\x64\x00", 2));
    assert(fw_rx_queue(s.fn, group, 100, 0) == 0);
    assert(!command(&s, 2, 1, "\x64\x00", 2));
    assert(fw_rx_queue(s.fn, group, 100, 0) < 0);

    assert(!command(&s, 4, 0, "\x03\x00", 2));
    assert(fw_rx_queue(s.fn, mac, 0, 2) == 4);
    assert(command(&s, 4, 0, "\x04\x00", 2) == 1);
    assert(fw_rx_queue(s.fn, mac, 0, 2) == 4);
    assert(command(&s, 77, 0, "\x04\x00", 2) == 1);

    /* Too many addresses: all packets. */
    many[6] = 2;
    for (int i = 0; i < 100; i++) {
        many[4 + i * 6 + 5] = i;
    }
    assert(!command(&s, 1, 0, many, sizeof many));
    assert(fw_rx_queue(s.fn, (const uint8_t[6]) { 2, 7 }, 0, 0) == 0);
    assert(!command(&s, 1, 0, table, sizeof table));
    assert(fw_rx_queue(s.fn, (const uint8_t[6]) { 2, 7 }, 0, 0) < 0);

    assert(mlx5_ctrlq_get_stats(s.cq)->commands == s.n);
    assert(mlx5_ctrlq_get_stats(s.cq)->errors == 2);
    assert(!mlx5_ctrlq_get_stats(s.cq)->missing_interrupts);

    /* More commands than the ring has room for, one after the other. */
    for (int i = 0; i < 200; i++) {
        assert(!command(&s, 0, i % 2, "\1", 1));
    }
    teardown(&s);
}

/* Many descriptors, and a command that is too long. */
static void
test_long(void)
{
    uint8_t *data = xzalloc(MLX5_CTRL_MAX_LEN);
    struct setup s;

    setup(&s);
    assert(command(&s, 0, 0, data, MLX5_CTRL_MAX_LEN) == 1);
    assert(!s.n);               /* Nobody has seen it. */
    assert(command(&s, 0, 0, data, MLX5_CTRL_MAX_LEN - 2) == 1);
    assert(s.n == 1);
    assert(!command(&s, 0, 0, data, 1));
    teardown(&s);
    free(data);
}

static void
put16(uint8_t *p, uint16_t v)
{
    p[0] = v;
    p[1] = v >> 8;
}

/* A driver that writes nonsense is told so, and nothing else happens. */
static void
test_hostile(void)
{
    uint64_t desc, avail, used;
    uint8_t *m, ack;

    for (int i = 0; i < 9; i++) {
        char *err = NULL;
        struct setup s;
        int error;

        setup(&s);
        fw_host_ctrl_areas(s.fn, &desc, &avail, &used);
        m = fw_host_memory(s.fn);
        fw_host_ctrl_post(s.fn, 0, 0, "", 1);
        switch (i) {
        case 0:                 /* Index far ahead. */
            put16(m + avail + 2, 65);
            break;
        case 1:                 /* No such descriptor. */
            put16(m + avail + 4, 64);
            break;
        case 2:                 /* The next one neither. */
            put16(m + desc + 14, 64);
            break;
        case 3:                 /* A loop. */
            put16(m + desc + 16 + 14, 0);
            break;
        case 4:                 /* No room for an answer. */
            put16(m + desc + 12, 0);
            break;
        case 5:                 /* Readable after writable. */
            put16(m + desc + 12, 3);
            break;
        case 6:                 /* Indirect table of odd length. */
            put16(m + desc + 12, 4);
            put16(m + desc + 8, 17);
            break;
        case 7:                 /* Address beyond its memory. */
            memset(m + desc, 0xff, 8);
            break;
        case 8:                 /* The answer, too. */
            memset(m + desc + 32, 0xff, 8);
            break;
        }
        do {
            error = mlx5_ctrlq_poll(s.cq, serve, &s, &err);
        } while (error == 1);
        assert(error == (i < 7 ? -EPROTO : -EFAULT) && err);
        assert(s.n == (i == 8));
        assert(!fw_host_ctrl_done(s.fn, &ack));
        free(err);
        teardown(&s);
    }
}

/* A command in 'n' pieces, most of which are empty. */
static int
send_pieces(unsigned int n)
{
    uint64_t desc, avail, used, data;
    struct mlx5_emu_queue layout;
    struct mlx5_ctrlq *cq;
    unsigned int n_calls;
    char *err = NULL;
    struct setup s;
    uint8_t *m;
    int error;

    setup(&s);
    fw_host_ctrl_areas(s.fn, &desc, &avail, &used);
    m = fw_host_memory(s.fn);
    fw_host_ctrl_post(s.fn, 0, 0, "\1", 1);
    data = m[desc] | m[desc + 1] << 8 | m[desc + 2] << 16;

    /* A longer ring, whose descriptors are at 0. */
    layout = s.regs.queues[6];
    layout.size = 512;
    layout.desc = 0;
    memset(m, 0, n * 16);
    for (unsigned int i = 0; i < n; i++) {
        put16(m + i * 16 + 12, 1);
        put16(m + i * 16 + 14, i + 1);
    }
    memcpy(m + (n - 3) * 16, m + desc, 12); /* Class and command, */
    memcpy(m + (n - 2) * 16, m + desc + 16, 12); /* data, */
    memcpy(m + (n - 1) * 16, m + desc + 32, 14); /* and the answer. */
    assert(!mlx5_ctrlq_open(s.dp, &layout, &cq, &err));
    fw_fail_at(0, 0);
    do {
        n_calls = fw_n_calls();
        error = mlx5_ctrlq_poll(cq, serve, &s, &err);
        /* Others need not wait for all of them. */
        assert(fw_n_calls() - n_calls < 50);
    } while (error == 1 && !s.n);
    assert((error < 0) == (err != NULL));
    assert(error < 0 || (s.n == 1 && !m[data + 8]));
    free(err);
    mlx5_ctrlq_close(cq);
    teardown(&s);
    return error;
}

static void
test_pieces(void)
{
    assert(send_pieces(4) == 1);
    assert(send_pieces(256) == 1);
    assert(send_pieces(257) == -EPROTO);
    assert(send_pieces(512) == -EPROTO);
}

/* An indirect table that leads to itself, and random ones: no crash, no
 * endless loop. */
static void
test_random(void)
{
    uint64_t desc, avail, used;
    struct setup s;
    uint8_t *m;

    random_set_seed(1);
    setup(&s);
    fw_host_ctrl_areas(s.fn, &desc, &avail, &used);
    m = fw_host_memory(s.fn);
    for (int round = 0; round < 3000; round++) {
        char *err = NULL;

        fw_host_ctrl_post(s.fn, 0, 0, "", 1);
        for (int i = 0; i < 1 + round % 5; i++) {
            m[desc + random_range(64 * 16)] = random_uint8();
        }
        if (round % 7 == 0) {
            /* A whole table at random, in the ring's own memory. */
            for (int i = 0; i < 16 * 16; i++) {
                m[desc + 1024 + i] = random_uint8() & 7;
            }
            memset(m + desc, 0, 16);
            put16(m + desc, desc + 1024);
            m[desc + 2] = desc >> 16;
            put16(m + desc + 8, 256);
            put16(m + desc + 12, 4);
        }
        if (mlx5_ctrlq_poll(s.cq, serve, &s, &err) < 0) {
            assert(err);
            free(err);

            /* What a reset does. */
            err = NULL;
            mlx5_ctrlq_close(s.cq);
            fw_host_write_status(s.fn, 0);
            mlx5_datapath_destroy(s.dp);
            assert(!mlx5_emu_ack_reset(s.emu, &err));
            assert(fw_host_probe(s.fn, UINT64_MAX, 3, 128));
            mlx5_emu_state_uninit(&s.regs);
            assert(!mlx5_emu_query(s.emu, 7, &s.regs, &err));
            s.dp = mlx5_datapath_create(s.manager, s.sf, FW_SF_VHCA(0),
                                        &s.caps, FW_STATIC_PF(0), s.emu,
                                        &s.regs, 6, &s.state.filter);
            while (mlx5_datapath_start(s.dp, &err)) {
                assert(!err);
            }
            assert(!mlx5_ctrlq_open(s.dp, &s.regs.queues[6], &s.cq, &err));
        }
    }
    teardown(&s);
}

/* Every call of a command fails once: the driver gets an error, or a reset. */
static void
test_errors(void)
{
    unsigned int n_calls = 0;

    for (unsigned int i = 0; i <= n_calls; i++) {
        char *err = NULL;
        struct setup s;
        uint8_t ack;
        int error;

        setup(&s);
        fw_host_ctrl_post(s.fn, 0, 0, "", 1);
        fw_fail_at(i, i % 2 ? ENOMEM : 0);
        error = mlx5_ctrlq_poll(s.cq, serve, &s, &err);
        if (!i) {
            n_calls = fw_n_calls();
            assert(n_calls > 20 && error == 1);
        } else {
            assert(fw_failed());
        }
        assert((error < 0) == (err != NULL));
        if (error == 1) {
            assert(fw_host_ctrl_done(s.fn, &ack));
            assert(ack == s.state.filter.promisc);
            mlx5_devx_reap(s.sf);
            assert((fw_rx_queue(s.fn, (const uint8_t[6]) { 2 }, 0, 0) == 0)
                   == s.state.filter.promisc);
        }
        free(err);
        mlx5_devx_reap(s.sf);
        teardown(&s);
    }
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    test_execute();
    test_commands();
    test_long();
    test_hostile();
    test_pieces();
    test_random();
    test_errors();
    return 0;
}
