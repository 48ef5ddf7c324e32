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

/* The physical limit beside packet rates: how many frames of a size one CPU
 * copies in a second, from one set of buffers to another, as a switch has to
 * between two guests that have rings of 256 buffers each.
 *
 * usage: memcpy-rate SIZE CPU
 *
 * Prints the median of 11 windows, in millions a second. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#define N_BUFFERS 256
#define N_WINDOWS 11
#define WINDOW_NS 20000000

int
main(int argc, char *argv[])
{
    double rates[N_WINDOWS];
    size_t size, room;
    char *from, *to;

    size = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (!size || size > 1 << 20) {
        fprintf(stderr, "usage: %s SIZE CPU\n", argv[0]);
        return 2;
    }
    move_to(atoi(argv[2]));

    /* Buffers lie as those of a driver do: each with some headroom. */
    room = (size < 2048 ? 2048 : size) + 128;
    from = malloc(N_BUFFERS * room);
    to = malloc(N_BUFFERS * room);
    if (!from || !to) {
        perror("malloc");
        return 1;
    }
    memset(from, 1, N_BUFFERS * room);
    memset(to, 2, N_BUFFERS * room);

    for (int w = 0; w < N_WINDOWS; w++) {
        int64_t start = now_ns(), end;
        uint64_t n = 0;

        do {
            for (size_t i = 0; i < N_BUFFERS; i++) {
                memcpy(to + i * room, from + i * room, size);
                __asm__ volatile("" : : "r"(to) : "memory");
            }
            n += N_BUFFERS;
            end = now_ns();
        } while (end - start < WINDOW_NS);
        rates[w] = n * 1e3 / (end - start);
    }
    printf("%.4f\n", median(rates, N_WINDOWS));
    free(from);
    free(to);
    return 0;
}
