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

/* How far two CPUs are from each other: how long a cache line takes from one
 * to the other and back.  Packet rates between a switch and drivers on another
 * CPU depend on it more than on anything else.  In a virtual machine it
 * changes from second to second, as its CPUs are moved about.
 *
 * usage: core-distance CPU CPU
 *
 * Prints the shortest time of many, in nanoseconds, so that it does not matter
 * whether something else runs on these CPUs, too. */

#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

#define N_WINDOWS 1000
#define N_TRIPS 100             /* In a window. */

static _Alignas(128) atomic_uint line;
static int cpus[2];

/* Waits until the line has 'value', and makes it the next one. */
static void
answer(unsigned int value)
{
    while (atomic_load_explicit(&line, memory_order_acquire) != value) {
        continue;
    }
    atomic_store_explicit(&line, value + 1, memory_order_release);
}

static void *
other_main(void *aux)
{
    move_to(cpus[1]);
    for (unsigned int i = 0; i < N_WINDOWS * N_TRIPS; i++) {
        answer(2 * i + 1);
    }
    return aux;
}

int
main(int argc, char *argv[])
{
    int64_t best = INT64_MAX;
    pthread_t other;

    if (argc != 3) {
        fprintf(stderr, "usage: %s CPU CPU\n", argv[0]);
        return 2;
    }
    cpus[0] = atoi(argv[1]);
    cpus[1] = atoi(argv[2]);
    move_to(cpus[0]);
    if (pthread_create(&other, NULL, other_main, NULL)) {
        fprintf(stderr, "%s: no thread\n", argv[0]);
        return 1;
    }
    for (unsigned int i = 0, w = 0; w < N_WINDOWS; w++) {
        int64_t start = now_ns(), t;

        for (unsigned int j = 0; j < N_TRIPS; j++) {
            answer(2 * i++);
        }
        t = now_ns() - start;
        if (t < best) {
            best = t;
        }
    }
    pthread_join(other, NULL);
    printf("%"PRId64"\n", best / N_TRIPS);
    return 0;
}
