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

/* The command line of virtnet-guest. */

#include "guest.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const mode_names[N_MODES] = {
    [MODE_EXACT] = "exact",
    [MODE_PINGPONG] = "pingpong",
    [MODE_ONEWAY] = "oneway",
    [MODE_SINK] = "sink",
    [MODE_ECHO] = "echo",
    [MODE_FLOOD] = "flood",
};

struct guest_options opt = {
    .mode = MODE_EXACT,
    .n_send = 1000,
    .n_expect = UINT64_MAX,
    .sizes = { 64 },
    .n_sizes = 1,
    .n_flows = 1,
    .n_segs = 1,
    .tso_mss = 1448,
    .mem_mb = 256,
    .loss_timeout_ms = 10000,
    .timeout_s = 60,
    .duration_s = 5,
    .warmup_s = 1,
    .verify = true,
};

static uint64_t
parse_number(const char *what, const char *s, uint64_t min, uint64_t max)
{
    unsigned long long n;
    char *end;

    errno = 0;
    n = strtoull(s, &end, 0);
    if (errno || end == s || *end || *s == '-' || n < min || n > max) {
        die("%s: '%s' is not a number from %"PRIu64" to %"PRIu64, what, s,
            min, max);
    }
    return n;
}

static double
parse_seconds(const char *what, const char *s)
{
    char *end;
    double d = strtod(s, &end);

    if (end == s || *end || !(d >= 0) || d > 1e9) {
        die("%s: '%s' is not a number", what, s);
    }
    return d;
}

static void
parse_mac(const char *what, const char *s, struct rte_ether_addr *mac)
{
    if (rte_ether_unformat_addr(s, mac)) {
        die("%s: '%s' is not an Ethernet address", what, s);
    }
}

static void
parse_sizes(char *s)
{
    char *save = NULL;

    opt.n_sizes = 0;
    for (char *t = strtok_r(s, ",", &save); t; t = strtok_r(NULL, ",", &save))
    {
        if (opt.n_sizes >= MAX_SIZES) {
            die("--size: at most %d sizes", MAX_SIZES);
        }
        opt.sizes[opt.n_sizes++] = parse_number("--size", t, GUEST_FRAME_MIN,
                                                65535);
    }
    if (!opt.n_sizes) {
        die("--size: no size");
    }
}

static void
parse_socket(char *s)
{
    static unsigned int next_id;
    struct port *p = &ports[n_ports];
    char extra[256] = "";
    char *save = NULL;
    char *token;

    if (n_ports >= MAX_PORTS) {
        die("at most %d ports", MAX_PORTS);
    }
    n_ports++;
    p->socket = strtok_r(s, ",", &save);
    if (!p->socket || !*p->socket) {
        die("--socket: no path");
    }
    if (strlen(p->socket) >= sizeof((struct sockaddr_un *) 0)->sun_path) {
        die("%s: too long for a socket", p->socket);
    }
    p->server = true;
    p->mrg = true;
    p->n_queues = 1;
    p->queue_size = 256;
    p->mtu = 1500;
    while ((token = strtok_r(NULL, ",", &save))) {
        char *value = strchr(token, '=');

        if (!value) {
            die("--socket: '%s' has no value", token);
        }
        *value++ = '\0';
        if (!strcmp(token, "server")) {
            p->server = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "mrg")) {
            p->mrg = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "lro")) {
            p->lro = parse_number(token, value, 0, 1);
        } else if (!strcmp(token, "queues")) {
            p->n_queues = parse_number(token, value, 1, GUEST_MAX_QUEUES);
        } else if (!strcmp(token, "size")) {
            p->queue_size = parse_number(token, value, 1, 32768);
        } else if (!strcmp(token, "mtu")) {
            p->mtu = parse_number(token, value, 68, 9216);
        } else if (!strcmp(token, "mac")) {
            parse_mac(token, value, &p->mac);
            p->mac_set = true;
        } else if (!strcmp(token, "packed") || !strcmp(token, "in_order")
                   || !strcmp(token, "vectorized")) {
            size_t len = strlen(extra);

            snprintf(extra + len, sizeof extra - len, ",%s=%"PRIu64,
                     strcmp(token, "packed") ? token : "packed_vq",
                     parse_number(token, value, 0, 1));
        } else {
            die("--socket: unknown option '%s'", token);
        }
    }
    if (!p->mac_set) {
        /* Locally administered, different in each process. */
        uint32_t id = getpid() << 8 | ++next_id;

        p->mac.addr_bytes[0] = 0x02;
        p->mac.addr_bytes[1] = 0x76;
        p->mac.addr_bytes[2] = id >> 24;
        p->mac.addr_bytes[3] = id >> 16;
        p->mac.addr_bytes[4] = id >> 8;
        p->mac.addr_bytes[5] = id;
    }
    if (asprintf(&p->devargs, "path=%s,server=%d,mrg_rxbuf=%d,queues=%u,cq=%d,"
                 "queue_size=%u,mac="RTE_ETHER_ADDR_PRT_FMT"%s", p->socket,
                 p->server, p->mrg, p->n_queues, p->n_queues > 1,
                 p->queue_size, RTE_ETHER_ADDR_BYTES(&p->mac), extra) < 0) {
        die("out of memory");
    }
}

static void
usage(void)
{
    printf(
"usage: virtnet-guest --socket PATH[,KEY=VALUE...] [OPTION...]\n"
"Sends and receives by DPDK's virtio driver, and prints what it counted.\n"
"\n"
"Ports (KEY=VALUE, default in parentheses):\n"
"  server=0|1      listen on PATH, or connect to it (1)\n"
"  mac=MAC         Ethernet address\n"
"  queues=N        queue pairs (1)\n"
"  size=N          descriptors in each ring (256)\n"
"  packed=0|1      packed rings (0)\n"
"  mrg=0|1         mergeable receive buffers (1)\n"
"  in_order=0|1    in-order use of buffers (1)\n"
"  vectorized=0|1  the driver's vectorized functions (0)\n"
"  lro=0|1         receive frames greater than the MTU (0)\n"
"  mtu=N           MTU (1500)\n"
"\n"
"Traffic:\n"
"  --mode MODE     exact, pingpong, oneway, sink, echo or flood (exact)\n"
"  --send N        frames that each port sends (1000)\n"
"  --size N[,N...] lengths of the frames, without FCS, in turn (64)\n"
"  --mix           the same with a mix of lengths up to the MTU\n"
"  --window N      frames of a port on their way at a time (as many as fit)\n"
"  --rate N        frames a second and port (as fast as can be)\n"
"  --flows N       different UDP source ports (1)\n"
"  --segs N        send each frame in N pieces of memory (1)\n"
"  --csum          leave L4 checksums to the device, both ways\n"
"  --tso N         send TCP with N bytes of payload, to be segmented\n"
"  --mss N         payload of a segment (1448)\n"
"  --dst-mac MAC   send to MAC (default: the next port)\n"
"  --src-mac MAC   address of the last port named\n"
"  --sender N      number of the first port among all senders (0)\n"
"  --probe         first try until frames of all queues arrive; not counted\n"
"                  as sent\n"
"\n"
"Expectations (exit status 1 if not met):\n"
"  --expect N      frames that each port receives\n"
"  --expect-min N  the same, at least\n"
"  --allow-loss    lost and doubled frames are fine\n"
"  --allow-reorder late frames are fine\n"
"  --no-verify     do not look into frames\n"
"\n"
"Running:\n"
"  --timeout S     give up after S seconds (60)\n"
"  --loss-timeout MS  count a frame as lost after MS without any (10000)\n"
"  --duration S, --warmup S  flood: measure S seconds, after S (5, 1)\n"
"  --ready-file F  write F when all links are up\n"
"  --wait-file F   send only when F is there\n"
"  --stop-file F   end when F is there\n"
"  --status-file F write what was counted to F several times a second\n"
"  --turns         flood: for as many seconds as each line of standard\n"
"                  input says, after --warmup, and print that rate\n"
"  --hold          keep the devices until --stop-file or a signal\n"
"  --mem MB        memory (256)\n"
"  --huge          take it from hugepages\n"
"  --lcore N       run on CPU N (default: any)\n"
"  --verbose       show DPDK's messages\n");
}

/* Returns how many frames may be on their way so that a receiver's ring has
 * room for all of them, even if each takes as many buffers as it can. */
static unsigned int
default_window(void)
{
    unsigned int len = opt.tso_len ? opt.tso_len + GUEST_TCP_HEADERS : 0;
    unsigned int ring = UINT_MAX;

    for (unsigned int i = 0; i < opt.n_sizes && !opt.tso_len; i++) {
        len = RTE_MAX(len, opt.sizes[i]);
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        ring = RTE_MIN(ring, ports[i].queue_size);
    }
    ring /= (len / 1500 + 1) * 2;
    ring = RTE_MIN(ring, 64u);
    return RTE_MAX(ring, 1u);
}

void
parse_options(int argc, char *argv[])
{
    enum {
        OPT_SOCKET = 256, OPT_MODE, OPT_SEND, OPT_SIZE, OPT_MIX, OPT_WINDOW,
        OPT_RATE, OPT_FLOWS, OPT_SEGS, OPT_CSUM, OPT_TSO, OPT_MSS,
        OPT_DST_MAC, OPT_SRC_MAC, OPT_SENDER, OPT_PROBE, OPT_EXPECT,
        OPT_EXPECT_MIN, OPT_ALLOW_LOSS, OPT_ALLOW_REORDER, OPT_NO_VERIFY,
        OPT_TIMEOUT, OPT_LOSS_TIMEOUT, OPT_DURATION, OPT_WARMUP,
        OPT_READY_FILE, OPT_WAIT_FILE, OPT_STOP_FILE, OPT_STATUS_FILE,
        OPT_TURNS, OPT_HOLD, OPT_MEM, OPT_HUGE, OPT_LCORE, OPT_VERBOSE
    };
    static const struct option long_options[] = {
        { "socket", required_argument, NULL, OPT_SOCKET },
        { "mode", required_argument, NULL, OPT_MODE },
        { "send", required_argument, NULL, OPT_SEND },
        { "size", required_argument, NULL, OPT_SIZE },
        { "mix", no_argument, NULL, OPT_MIX },
        { "window", required_argument, NULL, OPT_WINDOW },
        { "rate", required_argument, NULL, OPT_RATE },
        { "flows", required_argument, NULL, OPT_FLOWS },
        { "segs", required_argument, NULL, OPT_SEGS },
        { "csum", no_argument, NULL, OPT_CSUM },
        { "tso", required_argument, NULL, OPT_TSO },
        { "mss", required_argument, NULL, OPT_MSS },
        { "dst-mac", required_argument, NULL, OPT_DST_MAC },
        { "src-mac", required_argument, NULL, OPT_SRC_MAC },
        { "sender", required_argument, NULL, OPT_SENDER },
        { "probe", no_argument, NULL, OPT_PROBE },
        { "expect", required_argument, NULL, OPT_EXPECT },
        { "expect-min", required_argument, NULL, OPT_EXPECT_MIN },
        { "allow-loss", no_argument, NULL, OPT_ALLOW_LOSS },
        { "allow-reorder", no_argument, NULL, OPT_ALLOW_REORDER },
        { "no-verify", no_argument, NULL, OPT_NO_VERIFY },
        { "timeout", required_argument, NULL, OPT_TIMEOUT },
        { "loss-timeout", required_argument, NULL, OPT_LOSS_TIMEOUT },
        { "duration", required_argument, NULL, OPT_DURATION },
        { "warmup", required_argument, NULL, OPT_WARMUP },
        { "ready-file", required_argument, NULL, OPT_READY_FILE },
        { "wait-file", required_argument, NULL, OPT_WAIT_FILE },
        { "stop-file", required_argument, NULL, OPT_STOP_FILE },
        { "status-file", required_argument, NULL, OPT_STATUS_FILE },
        { "turns", no_argument, NULL, OPT_TURNS },
        { "hold", no_argument, NULL, OPT_HOLD },
        { "mem", required_argument, NULL, OPT_MEM },
        { "huge", no_argument, NULL, OPT_HUGE },
        { "lcore", required_argument, NULL, OPT_LCORE },
        { "verbose", no_argument, NULL, OPT_VERBOSE },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct rte_ether_addr src_mac;
    bool src_mac_set = false;
    bool mix = false;
    int c;

    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        switch (c) {
        case OPT_SOCKET:
            parse_socket(optarg);
            break;
        case OPT_MODE:
            for (opt.mode = 0; opt.mode < N_MODES; opt.mode++) {
                if (!strcmp(optarg, mode_names[opt.mode])) {
                    break;
                }
            }
            if (opt.mode == N_MODES) {
                die("--mode: unknown mode '%s'", optarg);
            }
            break;
        case OPT_SEND:
            opt.n_send = parse_number("--send", optarg, 0, UINT32_MAX);
            break;
        case OPT_SIZE:
            parse_sizes(optarg);
            break;
        case OPT_MIX:
            mix = true;
            break;
        case OPT_WINDOW:
            opt.window_size = parse_number("--window", optarg, 1, 65536);
            break;
        case OPT_RATE:
            opt.rate = parse_number("--rate", optarg, 1, 1000000000);
            break;
        case OPT_FLOWS:
            opt.n_flows = parse_number("--flows", optarg, 1, 32768);
            break;
        case OPT_SEGS:
            opt.n_segs = parse_number("--segs", optarg, 1, 64);
            break;
        case OPT_CSUM:
            opt.csum = true;
            break;
        case OPT_TSO:
            opt.tso_len = parse_number("--tso", optarg, 1,
                                   65535 - GUEST_IP_LEN - GUEST_TCP_LEN);
            break;
        case OPT_MSS:
            opt.tso_mss = parse_number("--mss", optarg, 64, 9216);
            break;
        case OPT_DST_MAC:
            parse_mac("--dst-mac", optarg, &opt.dst_mac);
            opt.dst_mac_set = true;
            break;
        case OPT_SRC_MAC:
            parse_mac("--src-mac", optarg, &src_mac);
            src_mac_set = true;
            break;
        case OPT_SENDER:
            opt.sender_base = parse_number("--sender", optarg, 0,
                                       GUEST_MAX_SENDERS - 1);
            break;
        case OPT_PROBE:
            opt.probe = true;
            break;
        case OPT_EXPECT:
            opt.n_expect = parse_number("--expect", optarg, 0, UINT64_MAX - 1);
            break;
        case OPT_EXPECT_MIN:
            opt.n_expect_min = parse_number("--expect-min", optarg, 0,
                                        UINT64_MAX);
            break;
        case OPT_ALLOW_LOSS:
            opt.allow_loss = true;
            break;
        case OPT_ALLOW_REORDER:
            opt.allow_reorder = true;
            break;
        case OPT_NO_VERIFY:
            opt.verify = false;
            break;
        case OPT_TIMEOUT:
            opt.timeout_s = parse_seconds("--timeout", optarg);
            break;
        case OPT_LOSS_TIMEOUT:
            opt.loss_timeout_ms = parse_number("--loss-timeout", optarg, 1,
                                           3600000);
            break;
        case OPT_DURATION:
            opt.duration_s = parse_seconds("--duration", optarg);
            if (opt.duration_s > MAX_WINDOWS) {
                die("--duration: at most %d", MAX_WINDOWS);
            }
            break;
        case OPT_WARMUP:
            opt.warmup_s = parse_seconds("--warmup", optarg);
            break;
        case OPT_READY_FILE:
            opt.ready_file = optarg;
            break;
        case OPT_WAIT_FILE:
            opt.wait_file = optarg;
            break;
        case OPT_STOP_FILE:
            opt.stop_file = optarg;
            break;
        case OPT_STATUS_FILE:
            opt.status_file = optarg;
            break;
        case OPT_TURNS:
            opt.turns = true;
            break;
        case OPT_HOLD:
            opt.hold = true;
            break;
        case OPT_MEM:
            opt.mem_mb = parse_number("--mem", optarg, 16, 65536);
            break;
        case OPT_HUGE:
            opt.huge = true;
            break;
        case OPT_LCORE:
            parse_number("--lcore", optarg, 0, 1023);
            opt.lcore = optarg;
            break;
        case OPT_VERBOSE:
            opt.verbose = true;
            break;
        case 'h':
            usage();
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind < argc) {
        die("unexpected argument '%s'", argv[optind]);
    }
    if (!n_ports) {
        die("--socket is needed (try --help)");
    }
    if (opt.sender_base + n_ports > GUEST_MAX_SENDERS) {
        die("--sender: there are only %d numbers", GUEST_MAX_SENDERS);
    }
    if (src_mac_set) {
        struct port *p = &ports[n_ports - 1];
        char *mac = strstr(p->devargs, "mac=") + 4;
        char s[RTE_ETHER_ADDR_FMT_SIZE];

        p->mac = src_mac;
        rte_ether_format_addr(s, sizeof s, &src_mac);
        memcpy(mac, s, strlen(s));
    }
    if (mix) {
        static const unsigned int mixed[] = {
            58, 60, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1514,
            1515, 2047, 2048, 4095, 4096, 8191, 8192, 9014, 9230,
        };

        opt.n_sizes = 0;
        for (size_t i = 0; i < RTE_DIM(mixed); i++) {
            if (mixed[i] <= ports[0].mtu + GUEST_ETH_LEN) {
                opt.sizes[opt.n_sizes++] = mixed[i];
            }
        }
    }
    if (opt.mode == MODE_PINGPONG) {
        opt.window_size = 1;
    } else if (!opt.window_size) {
        opt.window_size = default_window();
    }
    for (unsigned int i = 0; i < n_ports; i++) {
        struct port *p = &ports[i];

        p->sender = opt.sender_base + i;
        p->to_send = opt.n_send;
        p->dst = (opt.dst_mac_set ? opt.dst_mac
                  : ports[(i + 1) % n_ports].mac);
        if (!opt.dst_mac_set && n_ports == 1 && opt.mode != MODE_SINK
            && opt.mode != MODE_ECHO) {
            die("one port alone needs --dst-mac");
        }
        for (unsigned int j = 0; j < opt.n_sizes; j++) {
            if (!opt.tso_len
                && opt.mode != MODE_SINK && opt.mode != MODE_ECHO
                && opt.sizes[j] > p->mtu + GUEST_ETH_LEN) {
                die("--size: %u is too long for an MTU of %u", opt.sizes[j],
                    p->mtu);
            }
        }
    }
}
