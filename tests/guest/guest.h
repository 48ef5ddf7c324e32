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

#ifndef GUEST_H
#define GUEST_H 1

/* What the parts of virtnet-guest share: guest-options.c reads the command
 * line, virtnet-guest.c opens the devices and moves frames, and guest-report.c
 * says what came of it.  All of it in one thread, so all of it in the open. */

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "guest-eal.h"
#include "guest-frame.h"

#define MAX_PORTS 32
#define BURST 32
#define MAX_SIZES 64
#define MAX_WINDOWS 3600

enum mode {
    MODE_EXACT,
    MODE_PINGPONG,
    MODE_ONEWAY,
    MODE_SINK,
    MODE_ECHO,
    MODE_FLOOD,
    N_MODES
};

/* What was received of what one sender sent by one queue. */
struct flow {
    uint64_t received;          /* Good frames, each counted once. */
    uint64_t duplicated;        /* Frames that had been received before. */
    uint64_t reordered;         /* Frames that a later one overtook. */
    uint64_t bytes;             /* TCP: bytes of the stream, each once. */
    uint64_t next;              /* UDP: greatest number received, plus 1.
                                 * TCP: end of what was received. */
    uint64_t gap;               /* TCP: bytes before 'next' that are missing.
                                 */
    uint64_t written_off;       /* Frames (TCP: bytes) that the sender does not
                                 * wait for any more, ... */
    uint32_t written_off_end;   /* ...all before this sequence number. */
    uint64_t *seen;             /* UDP: bitmap of the numbers received. */
    size_t n_seen;              /* Number of bits in 'seen'. */
};

/* Frames of one queue of a port. */
struct queue {
    uint64_t sent;              /* Handed to the device. */
    uint64_t received;          /* Received, whatever they were. */
    uint64_t next_seq;          /* What the next frame will be numbered. */
};

struct port {
    /* From the command line. */
    const char *socket;         /* Path of the vhost-user socket. */
    char *devargs;              /* Arguments for the driver. */
    struct rte_ether_addr mac;  /* Our Ethernet address. */
    bool mac_set;               /* 'mac' was given. */
    bool server;                /* We listen, the switch connects. */
    bool mrg;                   /* Mergeable receive buffers are allowed. */
    bool lro;                   /* Ask for large received frames. */
    unsigned int n_queues;      /* Queue pairs. */
    unsigned int queue_size;    /* Descriptors in each ring. */
    unsigned int mtu;           /* MTU. */

    /* The device. */
    bool opened;                /* We have tried to. */
    uint16_t id;                /* DPDK's number. */
    struct rte_eth_dev_info info;
    struct rte_mempool *rx_pool; /* Buffers for receiving. */
    struct rte_mempool *tx_pool; /* Buffers for sending. */
    bool link;                  /* Last known link status. */
    unsigned int link_changes;  /* How often it changed. */

    /* Sending. */
    uint8_t sender;             /* Number by which our frames are known. */
    struct rte_ether_addr dst;  /* Whom we send to. */
    struct rte_mbuf *pending[BURST]; /* Frames that the ring had no room for */
    unsigned int pending_ofs;   /* First one in 'pending' not sent yet. */
    unsigned int n_pending;     /* End of 'pending'. */
    unsigned int pending_queue; /* Queue that they belong to. */
    unsigned int next_queue;    /* Queue of the next burst. */
    uint64_t to_send;           /* Frames to send in all. */
    uint64_t built;             /* Frames made, sent or pending. */
    uint64_t last_acked;        /* Frames that had come back... */
    uint64_t progress_at;       /* ...when their number last changed. */
    uint64_t probes;            /* Probes sent. */
    double tokens;              /* Frames that --rate lets us send now. */
    uint64_t tokens_at;         /* When 'tokens' was right. */
    uint64_t timed_from;        /* pingpong: when the frame on its way left,
                                 * or 0. */

    /* Counters. */
    struct queue queues[GUEST_MAX_QUEUES];
    uint64_t sent;              /* Frames sent, probes not included. */
    uint64_t sent_bytes;        /* Their bytes. */
    uint64_t received;          /* Good frames received. */
    uint64_t received_bytes;    /* Their bytes. */
    uint64_t duplicated;        /* Received more than once. */
    uint64_t reordered;         /* Received late. */
    uint64_t corrupt;           /* Damaged. */
    uint64_t bad_csum;          /* Wrong L4 checksum. */
    uint64_t csum_partial;      /* Came without a complete checksum. */
    uint64_t csum_good;         /* Checksum vouched for by the device. */
    uint64_t gso;               /* Came as segments to be. */
    uint64_t other;             /* Not ours: other people's frames. */
    uint64_t probes_received;   /* Probes. */
    uint64_t rx_packets;        /* All that was received. */
    uint64_t rx_bytes;          /* Bytes of these. */
    uint64_t tx_packets;        /* All that was sent. */
    uint64_t tx_bytes;          /* Bytes of these. */
};

/* What happened within one second (flood). */
struct window {
    double seconds;             /* How long it was. */
    double cpu;                 /* Share of a CPU that the thread got. */
    double rx_mpps;             /* All ports' received frames. */
    double tx_mpps;             /* All ports' sent frames. */
};

/* The command line.  See usage() for what each means. */
struct guest_options {
    enum mode mode;             /* --mode. */
    uint64_t n_send;            /* --send. */
    uint64_t n_expect;          /* --expect, or UINT64_MAX. */
    uint64_t n_expect_min;      /* --expect-min. */
    unsigned int sizes[MAX_SIZES]; /* --size, --mix. */
    unsigned int n_sizes;       /* Number of 'sizes'. */
    unsigned int window_size;   /* --window. */
    unsigned int n_flows;       /* --flows. */
    unsigned int n_segs;        /* --segs. */
    unsigned int tso_len;       /* --tso, or 0 for UDP. */
    unsigned int tso_mss;       /* --mss. */
    unsigned int sender_base;   /* --sender. */
    unsigned int mem_mb;        /* --mem. */
    unsigned int loss_timeout_ms; /* --loss-timeout. */
    double rate;                /* --rate, or 0. */
    double timeout_s;           /* --timeout. */
    double duration_s;          /* --duration. */
    double warmup_s;            /* --warmup. */
    bool csum;                  /* --csum. */
    bool verify;                /* Not --no-verify. */
    bool probe;                 /* --probe. */
    bool turns;                 /* --turns. */
    bool hold;                  /* --hold. */
    bool allow_loss;            /* --allow-loss. */
    bool allow_reorder;         /* --allow-reorder. */
    bool huge;                  /* --huge. */
    bool verbose;               /* --verbose. */
    struct rte_ether_addr dst_mac; /* --dst-mac. */
    bool dst_mac_set;           /* 'dst_mac' was given. */
    const char *lcore;          /* --lcore, or NULL. */
    const char *ready_file;     /* --ready-file, or NULL. */
    const char *wait_file;      /* --wait-file, or NULL. */
    const char *stop_file;      /* --stop-file, or NULL. */
    const char *status_file;    /* --status-file, or NULL. */
};

/* How far we are. */
struct guest_state {
    volatile sig_atomic_t stopping; /* We are asked to end. */
    uint64_t hz;                /* Ticks of the TSC in a second. */
    uint64_t started_at;        /* TSC when traffic began, or 0. */
    uint64_t finished_at;       /* TSC when traffic ended, or 0. */
    struct window windows[MAX_WINDOWS]; /* flood: what was measured. */
    unsigned int n_windows;     /* Number of 'windows'. */
    uint64_t *rtts;             /* pingpong: nanoseconds each, or NULL. */
    size_t n_rtts;              /* Number of 'rtts'. */
    const char *failure;        /* First reason not to be content, or NULL. */
    const char *phase;          /* What we are doing. */
};

extern const char *const mode_names[N_MODES];
extern struct guest_options opt;
extern struct guest_state state;
extern struct port ports[MAX_PORTS];
extern unsigned int n_ports;

/* What was received, by sender and queue; NULL if nothing. */
extern struct flow *flows[GUEST_MAX_SENDERS][GUEST_MAX_QUEUES];

/* guest-options.c. */
void parse_options(int argc, char *argv[]);

/* guest-report.c. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool counts_loss(void);
uint64_t port_acked(const struct port *);
uint64_t port_written_off(const struct port *);
void print_report(FILE *);
void write_report(const char *file_name);

#endif /* guest.h */
