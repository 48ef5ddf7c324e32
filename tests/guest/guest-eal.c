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

/* See guest-eal.h. */

#include "guest-eal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

static void (*remove_sockets)(void);
static char too_late[256];      /* What is said if nobody connects. */

/* Gives up at once: the command line or the system does not let us begin. */
void
die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

/* Removes what DPDK leaves behind. */
static void
clean_up(void)
{
    remove_sockets();
    rmdir(rte_eal_get_runtime_dir());
}

/* The driver waits for the switch to connect, for as long as it takes. */
static void
on_alarm(int sig)
{
    ssize_t n = write(STDERR_FILENO, too_late, strlen(too_late));

    (void) sig;
    (void) n;
    clean_up();
    _exit(1);
}

/* Starts DPDK with 'mem_mb' MB of memory, from hugepages if 'huge'.  The
 * thread runs on CPU 'lcore', or wherever the process may if that is NULL.
 * Shows DPDK's messages if 'verbose'.
 *
 * Whenever the process ends by itself, it calls 'remove_sockets_', perhaps
 * from a signal handler. */
void
guest_eal_start(unsigned int mem_mb, bool huge, const char *lcore,
                bool verbose, void (*remove_sockets_)(void))
{
    char lcores[512], mem[16], prefix[64];
    const char *argv[24];
    int argc = 0;

    remove_sockets = remove_sockets_;
    atexit(clean_up);
    if (lcore) {
        snprintf(lcores, sizeof lcores, "0@%s", lcore);
    } else {
        /* DPDK would pin the thread to the first CPU. */
        size_t len = snprintf(lcores, sizeof lcores, "0@(");
        const char *sep = "";
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof set, &set)) {
            die("sched_getaffinity: %s", strerror(errno));
        }
        for (int i = 0; i < CPU_SETSIZE && len < sizeof lcores - 16; i++) {
            if (CPU_ISSET(i, &set)) {
                len += snprintf(lcores + len, sizeof lcores - len, "%s%d",
                                sep, i);
                sep = ",";
            }
        }
        snprintf(lcores + len, sizeof lcores - len, ")");
    }
    snprintf(mem, sizeof mem, "%u", mem_mb);
    snprintf(prefix, sizeof prefix, "%.32s-%ld",
             program_invocation_short_name, (long) getpid());

    argv[argc++] = program_invocation_short_name;
    if (huge) {
        argv[argc++] = "--in-memory";
        argv[argc++] = "--single-file-segments";
    } else {
        /* Memory without hugepages is "legacy", which excludes --in-memory;
         * without a shared configuration it leaves no files either. */
        argv[argc++] = "--no-huge";
        argv[argc++] = "--no-shconf";
        argv[argc++] = "--file-prefix";
        argv[argc++] = prefix;
    }
    argv[argc++] = "-m";
    argv[argc++] = mem;
    argv[argc++] = "--no-pci";
    argv[argc++] = "--no-telemetry";
    argv[argc++] = "--lcores";
    argv[argc++] = lcores;
    if (!verbose) {
        argv[argc++] = "--log-level=*:error";
    }
    argv[argc] = NULL;
    if (rte_eal_init(argc, (char **) argv) < 0) {
        die("cannot start DPDK: %s", rte_strerror(rte_errno));
    }
}

static void
device_name(unsigned int i, char name[32])
{
    snprintf(name, 32, "net_virtio_user%u", i);
}

/* Opens virtio device number 'i' with 'args' for the driver.  If a switch has
 * to connect to it, it does so within 'timeout_s' seconds, or the process
 * ends.  Returns DPDK's number of the device. */
uint16_t
guest_eal_open(unsigned int i, const char *args, unsigned int timeout_s)
{
    char name[32];
    uint16_t id;
    int err;

    device_name(i, name);
    snprintf(too_late, sizeof too_late,
             "%s: the switch did not connect in time\n",
             program_invocation_short_name);
    signal(SIGALRM, on_alarm);
    alarm(timeout_s);
    err = rte_eal_hotplug_add("vdev", name, args);
    alarm(0);
    if (err || rte_eth_dev_get_port_by_name(name, &id)) {
        die("cannot open a virtio device (%s)", args);
    }
    return id;
}

/* Closes virtio device number 'i', which DPDK knows as 'id'. */
void
guest_eal_close(unsigned int i, uint16_t id)
{
    char name[32];

    device_name(i, name);
    rte_eth_dev_stop(id);
    rte_eth_dev_close(id);
    rte_eal_hotplug_remove("vdev", name);
}

/* Returns 'n' buffers of 'room' bytes, headroom included, of which a thread
 * keeps up to 'cache' for itself.  They are for 'what' of device 'i'. */
struct rte_mempool *
guest_eal_create_pool(const char *what, unsigned int i, unsigned int n,
                      unsigned int cache, unsigned int room)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *pool;

    snprintf(name, sizeof name, "%s%u", what, i);
    pool = rte_pktmbuf_pool_create(name, n, cache, 0, room, SOCKET_ID_ANY);
    if (!pool) {
        die("no memory for %u buffers of %u bytes (--mem): %s", n, room,
            rte_strerror(rte_errno));
    }
    return pool;
}
