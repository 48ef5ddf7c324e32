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

/* Tests the layouts of mlx5 firmware structures.
 *
 * usage: test-mlx5-prm LINUX DPDK
 *
 * The arguments are files that build-aux/mlx5-layouts has made of public
 * headers: a line "STRUCT FIELD OFFSET WIDTH" for each field. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-prm-emulation.h"
#include "openvswitch/shash.h"
#include "util.h"

struct place {
    uint32_t offset, width;
};

static void
read_layout(const char *file, struct shash *places)
{
    char structure[64], field[64];
    struct place place;
    FILE *f = fopen(file, "r");

    assert(f);
    while (fscanf(f, "%63s %63s %"SCNx32" %"SCNu32, structure, field,
                  &place.offset, &place.width) == 4) {
        char *key = xasprintf("%s.%s", structure, field);

        assert(shash_add_once(places, key, xmemdup(&place, sizeof place)));
        free(key);
    }
    assert(feof(f));
    fclose(f);
}

/* Every row that names a source must be in it, and where we say; every row of
 * the source is ours, so that none is forgotten. */
static void
compare(const char *file, char source)
{
    struct shash places = SHASH_INITIALIZER(&places);
    size_t n = 0;

    read_layout(file, &places);
    for (size_t i = 0; i < n_mlx5_prm_rows; i++) {
        const struct mlx5_prm_row *row = &mlx5_prm_rows[i];

        if (strchr(row->sources, source)) {
            char *key = xasprintf("%s.%s", row->structure, row->field);
            const struct place *place = shash_find_data(&places, key);

            if (!place || place->offset != row->offset
                || place->width != row->width) {
                ovs_fatal(0, "%s is not as in %s", key, file);
            }
            free(key);
            n++;
        }
    }
    assert(n == shash_count(&places));
    shash_destroy_free_data(&places);
}

/* Fields lie within their structures and their words, do not overlap, and say
 * where they are from. */
static void
test_rows(void)
{
    for (size_t i = 0; i < n_mlx5_prm_rows; i++) {
        const struct mlx5_prm_row *a = &mlx5_prm_rows[i];

        assert(a->sources[0] && strspn(a->sources, "LNDVS")
               == strlen(a->sources));
        assert(a->width && a->offset + a->width <= a->total);
        if (a->width > 64 || a->width == 64) {
            assert(a->offset % 32 == 0);
        } else {
            assert(a->offset / 32 == (a->offset + a->width - 1) / 32);
        }
        for (size_t j = 0; j < i; j++) {
            const struct mlx5_prm_row *b = &mlx5_prm_rows[j];

            if (!strcmp(a->structure, b->structure)) {
                assert(a->offset + a->width <= b->offset
                       || b->offset + b->width <= a->offset);
            }
        }
    }
}

/* What is written is read, and nothing else changes. */
static void
test_access(void)
{
    static uint8_t buf[0x9000 / 8];

    for (size_t i = 0; i < n_mlx5_prm_rows; i++) {
        const struct mlx5_prm_row *row = &mlx5_prm_rows[i];
        uint32_t field = MLX5_FIELD(row->offset, row->width);
        uint64_t ones;

        if (row->width > 64) {
            continue;
        }
        ones = row->width == 64 ? UINT64_MAX
               : (UINT64_C(1) << row->width) - 1;
        memset(buf, 0, sizeof buf);
        mlx5_prm_set(buf, field, ones);
        assert(mlx5_prm_get(buf, field) == ones);
        for (size_t bit = 0; bit < sizeof buf * 8; bit++) {
            bool set = buf[bit / 8] & (0x80 >> bit % 8);

            assert(set == (bit >= row->offset
                           && bit < row->offset + row->width));
        }
        mlx5_prm_set(buf, field, ones / 3);
        assert(mlx5_prm_get(buf, field) == ones / 3);
        memset(buf, 0xff, sizeof buf);
        mlx5_prm_set(buf, field, 0);
        assert(mlx5_prm_get(buf, field) == 0);
    }

    /* Big endian. */
    memset(buf, 0, sizeof buf);
    MLX5_SET(cmd_in, buf, opcode, MLX5_OP_CREATE_GENERAL_OBJECT);
    MLX5_SET(cmd_in, buf, op_mod, 0x1234);
    assert(!memcmp(buf, "\x0a\x00\x00\x00\x00\x00\x12\x34", 8));
}

static void
test_status(void)
{
    assert(!mlx5_status_to_errno(MLX5_STATUS_OK));
    assert(mlx5_status_to_errno(MLX5_STATUS_RES_BUSY) == -EBUSY);
    assert(mlx5_status_to_errno(0xee) == -EIO);
    assert(!strcmp(mlx5_status_name(MLX5_STATUS_BAD_PARAM), "bad parameter"));
    assert(!strcmp(mlx5_status_name(0xee), "unknown status"));
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    assert(argc == 3);
    test_rows();
    test_access();
    test_status();
    compare(argv[1], 'L');
    compare(argv[2], 'D');
    return 0;
}
