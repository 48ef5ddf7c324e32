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

#ifndef GUEST_EAL_H
#define GUEST_EAL_H 1

/* What the guests of tests need of DPDK: a process without privileges and
 * traces, and virtio devices of its own.  One thread. */

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

void die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void guest_eal_start(unsigned int mem_mb, bool huge, const char *lcore,
                     bool verbose, void (*remove_sockets)(void));
uint16_t guest_eal_open(unsigned int i, const char *args,
                        unsigned int timeout_s);
void guest_eal_close(unsigned int i, uint16_t id);
struct rte_mempool *guest_eal_create_pool(const char *what, unsigned int i,
                                          unsigned int n, unsigned int cache,
                                          unsigned int room);

#endif /* guest-eal.h */
