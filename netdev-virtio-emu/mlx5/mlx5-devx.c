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

/* What does not depend on how firmware is reached.  See mlx5-devx.h. */

#include <config.h>

#include "mlx5-devx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_devx);

COVERAGE_DEFINE(mlx5_devx_command);
COVERAGE_DEFINE(mlx5_devx_refused);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

#define UMEM_ALIGN 4096

int
mlx5_devx_fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

/* For who reads the log beside a manual of the firmware.  Zeros at the end are
 * left out. */
static void
dump(const struct mlx5_devx *devx, const char *what, const char *which,
     const void *data_, size_t len)
{
    const uint8_t *data = data_;
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t n = len;

    while (n && !data[n - 1]) {
        n--;
    }
    ds_put_hex_dump(&s, data, n, 0, false);
    VLOG_DBG("%s: %s: %s, %"PRIuSIZE" bytes\n%s", devx->name, what, which, len,
             ds_cstr(&s));
    ds_destroy(&s);
}

/* Makes of the result 'error' of a command 'in', whose answer is 'out', an
 * errno and a line of text.  The answer counts whatever 'error' says: it was
 * zero before the command. */
static int
check(const struct mlx5_devx *devx, const char *what, const void *in,
      size_t in_len, int error, const void *out, size_t out_len, char **errp)
{
    uint8_t status = MLX5_GET(cmd_out, out, status);
    uint32_t syndrome = MLX5_GET(cmd_out, out, syndrome);

    COVERAGE_INC(mlx5_devx_command);
    if (VLOG_IS_DBG_ENABLED()) {
        dump(devx, what, "command", in, in_len);
        dump(devx, what, "answer", out, out_len);
    }
    if (status) {
        return mlx5_devx_fail(mlx5_status_to_errno(status), errp,
                              "%s: %s: %s (status 0x%x, syndrome 0x%"PRIx32")",
                              devx->name, what, mlx5_status_name(status),
                              status, syndrome);
    } else if (error) {
        return mlx5_devx_fail(error == -EREMOTEIO ? -EIO : error, errp,
                              "%s: %s: %s", devx->name, what,
                              ovs_strerror(-error));
    }
    return 0;
}

int
mlx5_devx_open(const struct mlx5_devx_class *class, const char *name,
               struct mlx5_devx **devxp, char **errp)
{
    int error = class->open(name, devxp);

    if (error) {
        *devxp = NULL;
        return mlx5_devx_fail(error, errp, "%s: cannot be opened: %s%s", name,
                              ovs_strerror(-error),
                              error == -EPERM || error == -EACCES
                              ? " (DevX needs CAP_NET_RAW)" : "");
    }
    ovs_list_init(&(*devxp)->refused);
    return 0;
}

void
mlx5_devx_close(struct mlx5_devx *devx)
{
    const struct mlx5_devx_obj *obj;
    void **memory;
    size_t n = 0;

    if (!devx) {
        return;
    }

    /* Closing destroys the objects, and the class frees what they are for us.
     * Memory may go only after that. */
    memory = xmalloc((mlx5_devx_reap(devx) + 1) * sizeof *memory);
    LIST_FOR_EACH (obj, node, &devx->refused) {
        memory[n++] = obj->memory;
    }
    devx->class->close(devx);
    while (n) {
        free_pagealign(memory[--n]);
    }
    free(memory);
}

int
mlx5_devx_command(struct mlx5_devx *devx, const char *what,
                  const void *in, size_t in_len, void *out, size_t out_len,
                  char **errp)
{
    int error;

    memset(out, 0, out_len);
    error = devx->class->command(devx, in, in_len, out, out_len);
    return check(devx, what, in, in_len, error, out, out_len, errp);
}

/* Takes over '*objp', which a class has made. */
static void
adopt(struct mlx5_devx *devx, enum mlx5_devx_kind kind,
      struct mlx5_devx_obj *obj)
{
    obj->devx = devx;
    obj->kind = kind;
    ovs_list_init(&obj->node);
}

int
mlx5_devx_create(struct mlx5_devx *devx, const char *what,
                 const void *in, size_t in_len, void *out, size_t out_len,
                 uint32_t id_field, struct mlx5_devx_obj **objp, char **errp)
{
    int error;

    *objp = NULL;
    memset(out, 0, out_len);
    error = devx->class->create(devx, in, in_len, out, out_len, objp);
    error = check(devx, what, in, in_len, error, out, out_len, errp);
    if (error) {
        *objp = NULL;
        return error;
    }
    adopt(devx, MLX5_DEVX_OBJ, *objp);
    (*objp)->id = mlx5_prm_get(out, id_field);
    return 0;
}

int
mlx5_devx_modify(struct mlx5_devx_obj *obj, const char *what,
                 const void *in, size_t in_len, char **errp)
{
    char out[MLX5_LEN_cmd_out] = { 0 };
    int error = obj->devx->class->modify(obj, in, in_len, out, sizeof out);

    return check(obj->devx, what, in, in_len, error, out, sizeof out, errp);
}

int
mlx5_devx_query(struct mlx5_devx_obj *obj, const char *what,
                const void *in, size_t in_len, void *out, size_t out_len,
                char **errp)
{
    int error;

    memset(out, 0, out_len);
    error = obj->devx->class->query(obj, in, in_len, out, out_len);
    return check(obj->devx, what, in, in_len, error, out, out_len, errp);
}

int
mlx5_devx_umem(struct mlx5_devx *devx, size_t size,
               struct mlx5_devx_obj **objp, char **errp)
{
    size_t len = ROUND_UP(MAX(size, 1), UMEM_ALIGN);
    void *memory = xmalloc_pagealign(len);
    int error;

    memset(memory, 0, len);
    error = devx->class->umem_reg(devx, memory, len, objp);
    if (error) {
        free_pagealign(memory);
        *objp = NULL;
        return mlx5_devx_fail(error, errp,
                              "%s: %"PRIuSIZE" bytes of memory cannot be "
                              "registered: %s", devx->name, len,
                              ovs_strerror(-error));
    }
    adopt(devx, MLX5_DEVX_UMEM, *objp);
    (*objp)->memory = memory;
    return 0;
}

int
mlx5_devx_pd(struct mlx5_devx *devx, struct mlx5_devx_obj **objp, char **errp)
{
    int error = devx->class->pd_alloc(devx, objp);

    if (error) {
        *objp = NULL;
        return mlx5_devx_fail(error, errp, "%s: no protection domain: %s",
                              devx->name, ovs_strerror(-error));
    }
    adopt(devx, MLX5_DEVX_PD, *objp);
    return 0;
}

int
mlx5_devx_flow(struct mlx5_devx *devx, const struct mlx5_rx_match *match,
               struct mlx5_devx_obj *tir, struct mlx5_devx_obj **objp,
               char **errp)
{
    int error = devx->class->flow_create(devx, match, tir, objp);

    if (error) {
        *objp = NULL;
        return mlx5_devx_fail(error, errp, "%s: no receive rule: %s",
                              devx->name, ovs_strerror(-error));
    }
    adopt(devx, MLX5_DEVX_FLOW, *objp);
    return 0;
}

/* Returns true if 'obj' is gone. */
static bool
try_destroy(struct mlx5_devx_obj *obj)
{
    void *memory = obj->memory;

    if (obj->devx->class->destroy(obj)) {
        return false;
    }
    free_pagealign(memory);
    return true;
}

void
mlx5_devx_destroy(struct mlx5_devx_obj **objp)
{
    struct mlx5_devx_obj *obj = *objp;

    *objp = NULL;
    if (!obj) {
        return;
    }
    ovs_list_init(&obj->node);
    if (!try_destroy(obj)) {
        COVERAGE_INC(mlx5_devx_refused);
        VLOG_WARN_RL(&rl, "%s: object 0x%"PRIx32" cannot be destroyed now",
                     obj->devx->name, obj->id);
        ovs_list_push_back(&obj->devx->refused, &obj->node);
    }
}

size_t
mlx5_devx_reap(struct mlx5_devx *devx)
{
    size_t left = ovs_list_size(&devx->refused);
    size_t before;

    /* Those that refer to others need not come first. */
    do {
        before = left;
        for (size_t i = 0; i < before; i++) {
            struct mlx5_devx_obj *obj = CONTAINER_OF(
                ovs_list_pop_front(&devx->refused), struct mlx5_devx_obj,
                node);

            if (try_destroy(obj)) {
                left--;
            } else {
                ovs_list_push_back(&devx->refused, &obj->node);
            }
        }
    } while (left && left < before);
    return left;
}
