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

#ifndef MLX5_VENDOR_CLI_H
#define MLX5_VENDOR_CLI_H 1

/* Runs of the service's program, one at a time. */

#include "virtnet-backend-provider.h"

struct json;
struct mlx5_vendor_cli;

/* What a run has come to.  'error' is 0 and 'json' what it printed, of which
 * 'text' is the text; or 'error' is a negative errno and 'reason' one line.
 * Valid until the callback returns. */
struct mlx5_vendor_answer {
    int error;
    const char *reason;
    const struct json *json;
    const char *text;
    long long int took_ms;
};
typedef void mlx5_vendor_answer_cb(const struct mlx5_vendor_answer *,
                                   void *aux);

/* 'program' is the program's path. */
struct mlx5_vendor_cli *mlx5_vendor_cli_create(const char *program,
                                               int timeout_ms);

/* Ends what runs.  Callbacks of what waits are called with -ECANCELED if
 * 'answer'. */
void mlx5_vendor_cli_destroy(struct mlx5_vendor_cli *, bool answer);

void mlx5_vendor_cli_run(struct mlx5_vendor_cli *);
void mlx5_vendor_cli_wait(struct mlx5_vendor_cli *);

/* Has the program run with the 'argc' arguments of 'argv', before all others
 * that are not 'urgent'. */
void mlx5_vendor_cli_submit(struct mlx5_vendor_cli *, bool urgent, int argc,
                            const char *const argv[],
                            mlx5_vendor_answer_cb *, void *aux);

#endif /* mlx5-vendor-cli.h */
