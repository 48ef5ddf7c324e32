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

/* Fields of structures of mlx5 firmware.  See mlx5-prm.h. */

#include <config.h>

#include "mlx5-prm.h"

#include <errno.h>

#include "mlx5-prm-emulation.h"
#include "unaligned.h"
#include "util.h"

uint64_t
mlx5_prm_get(const void *p, uint32_t field)
{
    uint32_t offset = MLX5_FIELD_OFFSET(field);
    uint32_t width = MLX5_FIELD_WIDTH(field);
    const char *word = (const char *) p + offset / 32 * 4;
    uint32_t value;

    if (width == 64) {
        return ntohll(get_unaligned_be64((const ovs_be64 *) word));
    }
    ovs_assert(offset % 32 + width <= 32);
    value = ntohl(get_unaligned_be32((const ovs_be32 *) word));
    value >>= 32 - offset % 32 - width;
    return width == 32 ? value : value & ((UINT32_C(1) << width) - 1);
}

void
mlx5_prm_set(void *p, uint32_t field, uint64_t value)
{
    uint32_t offset = MLX5_FIELD_OFFSET(field);
    uint32_t width = MLX5_FIELD_WIDTH(field);
    char *word = (char *) p + offset / 32 * 4;
    uint32_t mask, shift, old;

    if (width == 64) {
        put_unaligned_be64((ovs_be64 *) word, htonll(value));
        return;
    }
    ovs_assert(offset % 32 + width <= 32);
    mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    ovs_assert(value <= mask);
    shift = 32 - offset % 32 - width;
    old = ntohl(get_unaligned_be32((const ovs_be32 *) word));
    put_unaligned_be32((ovs_be32 *) word,
                       htonl((old & ~(mask << shift)) | value << shift));
}

const char *
mlx5_status_name(uint8_t status)
{
    switch (status) {
#define MLX5_STATUS(NAME, NUMBER, ERRNO, TEXT) case NUMBER: return TEXT;
    MLX5_STATUSES
#undef MLX5_STATUS
    }
    return "unknown status";
}

int
mlx5_status_to_errno(uint8_t status)
{
    switch (status) {
#define MLX5_STATUS(NAME, NUMBER, ERRNO, TEXT) case NUMBER: return -(ERRNO);
    MLX5_STATUSES
#undef MLX5_STATUS
    }
    return -EIO;
}

/* Structures that a row belongs to tell its width. */
enum {
#define S(STRUCT, WIDTH) TOTAL_##STRUCT = WIDTH,
    MLX5_PRM_STRUCTS(S)
    MLX5_EMU_STRUCTS(S)
#undef S
};

const struct mlx5_prm_row mlx5_prm_rows[] = {
#define F(STRUCT, FIELD, OFFSET, WIDTH, SOURCES) \
    { #STRUCT, #FIELD, OFFSET, WIDTH, TOTAL_##STRUCT, SOURCES },
#define S(STRUCT, WIDTH) MLX5_PRM_##STRUCT(F)
    MLX5_PRM_STRUCTS(S)
    MLX5_EMU_STRUCTS(S)
#undef S
#undef F
};
const size_t n_mlx5_prm_rows = ARRAY_SIZE(mlx5_prm_rows);
