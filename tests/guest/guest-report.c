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

/* What virtnet-guest says: one line of JSON, and what went wrong. */

#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

static char failure_buf[512];

/* Takes note of the first thing that is not as expected. */
void
fail(const char *format, ...)
{
    va_list args;

    if (state.failure) {
        return;
    }
    va_start(args, format);
    vsnprintf(failure_buf, sizeof failure_buf, format, args);
    va_end(args);
    state.failure = failure_buf;
}

static void
json_string(FILE *f, const char *s)
{
    putc('"', f);
    for (; *s; s++) {
        unsigned char c = *s;

        if (c == '"' || c == '\\') {
            fprintf(f, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(f, "\\u%04x", c);
        } else {
            putc(c, f);
        }
    }
    putc('"', f);
}

static int
compare_u64(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static int
compare_double(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Returns how many of the frames that 'p' sent never came back to us. */
uint64_t
port_acked(const struct port *p)
{
    uint64_t n = 0;

    for (unsigned int q = 0; q < p->n_queues; q++) {
        const struct flow *flow = flows[p->sender][q];

        if (flow) {
            n += opt.tso_len ? flow->bytes / opt.tso_len : flow->received;
        }
    }
    return n;
}

/* Returns how many of the frames that 'p' sent it does not wait for. */
uint64_t
port_written_off(const struct port *p)
{
    uint64_t n = 0;

    for (unsigned int q = 0; q < p->n_queues; q++) {
        const struct flow *flow = flows[p->sender][q];

        if (flow) {
            n += flow->written_off / (opt.tso_len ? opt.tso_len : 1);
        }
    }
    return n;
}

/* Returns true if we count what is lost of what we send. */
bool
counts_loss(void)
{
    return opt.mode == MODE_EXACT || opt.mode == MODE_PINGPONG;
}

static void
print_port(FILE *f, const struct port *p)
{
    static const struct {
        const char *name;
        uint64_t capability;
    } capabilities[] = {
        { "udp_cksum", RTE_ETH_TX_OFFLOAD_UDP_CKSUM },
        { "tcp_cksum", RTE_ETH_TX_OFFLOAD_TCP_CKSUM },
        { "tcp_tso", RTE_ETH_TX_OFFLOAD_TCP_TSO },
    };
    const char *sep = "";
    char mac[RTE_ETHER_ADDR_FMT_SIZE];

    rte_ether_format_addr(mac, sizeof mac, &p->mac);
    fprintf(f, "{\"socket\":");
    json_string(f, p->socket);
    fprintf(f, ",\"mac\":\"%s\",\"link\":\"%s\",\"link_changes\":%u,"
            "\"queues\":%u,\"max_queues\":%u,\"max_mtu\":%u,"
            "\"tx_capabilities\":[",
            mac, p->link ? "up" : "down", p->link_changes, p->n_queues,
            p->info.max_rx_queues, p->info.max_mtu);
    for (size_t i = 0; i < RTE_DIM(capabilities); i++) {
        if (p->info.tx_offload_capa & capabilities[i].capability) {
            fprintf(f, "%s\"%s\"", sep, capabilities[i].name);
            sep = ",";
        }
    }
    fprintf(f, "],\"mrg\":%s,\"lro\":%s", p->mrg ? "true" : "false",
            p->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO
            ? "true" : "false");

    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        { "sent", p->sent },
        { "sent_bytes", p->sent_bytes },
        { "received", p->received },
        { "received_bytes", p->received_bytes },
        { "lost", counts_loss() ? p->sent - RTE_MIN(p->sent, port_acked(p))
                  : 0 },
        { "duplicated", p->duplicated },
        { "reordered", p->reordered },
        { "corrupt", p->corrupt },
        { "bad_csum", p->bad_csum },
        { "csum_partial", p->csum_partial },
        { "csum_good", p->csum_good },
        { "gso", p->gso },
        { "other", p->other },
        { "probes_sent", p->probes },
        { "probes_received", p->probes_received },
        { "tx_packets", p->tx_packets },
        { "tx_bytes", p->tx_bytes },
        { "rx_packets", p->rx_packets },
        { "rx_bytes", p->rx_bytes },
    };
    for (size_t i = 0; i < RTE_DIM(counters); i++) {
        fprintf(f, ",\"%s\":%"PRIu64, counters[i].name, counters[i].value);
    }

    fprintf(f, ",\"tx_queues\":[");
    for (unsigned int q = 0; q < p->n_queues; q++) {
        fprintf(f, "%s%"PRIu64, q ? "," : "", p->queues[q].sent);
    }
    fprintf(f, "],\"rx_queues\":[");
    for (unsigned int q = 0; q < p->n_queues; q++) {
        fprintf(f, "%s%"PRIu64, q ? "," : "", p->queues[q].received);
    }
    fprintf(f, "]}");
}

static void
print_windows(FILE *f)
{
    double rx[MAX_WINDOWS], tx[MAX_WINDOWS];

    fprintf(f, ",\"windows\":[");
    for (unsigned int i = 0; i < state.n_windows; i++) {
        const struct window *w = &state.windows[i];

        fprintf(f, "%s{\"seconds\":%.3f,\"cpu\":%.3f,\"rx_mpps\":%.4f,"
                "\"tx_mpps\":%.4f}", i ? "," : "",
                w->seconds, w->cpu, w->rx_mpps, w->tx_mpps);
        rx[i] = w->rx_mpps;
        tx[i] = w->tx_mpps;
    }
    fputc(']', f);
    if (state.n_windows) {
        qsort(rx, state.n_windows, sizeof *rx, compare_double);
        qsort(tx, state.n_windows, sizeof *tx, compare_double);
        fprintf(f, ",\"rx_mpps_min\":%.4f,\"rx_mpps_median\":%.4f,"
                "\"rx_mpps_max\":%.4f,\"tx_mpps_median\":%.4f",
                rx[0], rx[state.n_windows / 2], rx[state.n_windows - 1],
                tx[state.n_windows / 2]);
    }
}

void
print_report(FILE *f)
{
    uint64_t sent = 0, received = 0, lost = 0;
    double seconds = 0;

    if (state.started_at) {
        uint64_t end = state.finished_at ? state.finished_at : rte_rdtsc();

        seconds = (end - state.started_at) / (double) state.hz;
    }

    fprintf(f, "{\"phase\":\"%s\",\"mode\":\"%s\",\"ports\":[", state.phase,
            mode_names[opt.mode]);
    for (unsigned int i = 0; i < n_ports; i++) {
        const struct port *p = &ports[i];

        fputs(i ? "," : "", f);
        print_port(f, p);
        sent += p->sent;
        received += p->received;
        if (counts_loss()) {
            lost += p->sent - RTE_MIN(p->sent, port_acked(p));
        }
    }
    fprintf(f, "],\"sent\":%"PRIu64",\"received\":%"PRIu64
            ",\"lost\":%"PRIu64",\"seconds\":%.6f", sent, received, lost,
            seconds);
    if (opt.mode == MODE_FLOOD) {
        print_windows(f);
    }
    if (state.n_rtts && !strcmp(state.phase, "done")) {
        const uint64_t *rtts = state.rtts;
        size_t n = state.n_rtts;

        qsort(state.rtts, n, sizeof *rtts, compare_u64);
        fprintf(f, ",\"latency_ns\":{\"min\":%"PRIu64",\"median\":%"PRIu64
                ",\"p99\":%"PRIu64",\"max\":%"PRIu64"}", rtts[0],
                rtts[n / 2], rtts[n * 99 / 100], rtts[n - 1]);
    }
    fprintf(f, ",\"result\":");
    json_string(f, state.failure ? state.failure
                : !strcmp(state.phase, "done") ? "ok" : "running");
    fprintf(f, "}\n");
    fflush(f);
}

/* Writes a file so that a reader sees all of it or nothing. */
void
write_report(const char *name)
{
    char tmp[4096];
    FILE *f;

    snprintf(tmp, sizeof tmp, "%s.%ld", name, (long) getpid());
    f = fopen(tmp, "w");
    if (!f) {
        die("%s: %s", tmp, strerror(errno));
    }
    print_report(f);
    fclose(f);
    if (rename(tmp, name)) {
        die("%s: %s", name, strerror(errno));
    }
}
