/*
 * CoAP devices on loopback in a closed loop: each has one Confirmable request outstanding and sends the next when the answer is there.
 *
 *   load --port N [--address A] [--kind get|register] [--path P] [--devices N] [--sockets N] [--warmup S] [--seconds S] [--each N]
 *
 * Devices share --sockets connected UDP sockets (default: one each). After the warm-up it prints "warm" and waits for a line on
 * standard input; then it measures, for --seconds or until every device has had --each answers, and prints one line of "name=value"
 * pairs. With --each the warm-up is --warmup answers a device. One thread; Linux only (epoll, sendmmsg, recvmmsg).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MAX_REQUEST = 256, MAX_ANSWER = 2048, EVENTS = 256, SLOTS = 1000000 };

/* RFC 7252 4.2: a lost datagram is sent again. Well above any answer's time here, so that it never makes load of its own. */
static const double RETRANSMIT_AFTER = 1.0;
static const double SWEEP_EVERY = 0.1;
/* How long answers to the last requests are waited for. */
static const double DRAIN = 2.0;
static const char LINKS[] = "</>;rt=\"oma.lwm2m\";ct=\"60 110 112\",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</3303/0>,</3303/1>";

struct device {
  uint8_t request[MAX_REQUEST];
  size_t length;
  int socket;
  int outstanding;
  double sent_at;
  uint32_t answers;
};

struct socket_state {
  int fd;
  uint16_t mid;
  int queued;
  uint32_t queue[BATCH];
};

static struct device *devices;
static struct socket_state *sockets;
static uint32_t device_count = 100, socket_count = 0, each = 0, idle;
static int epoll, sending;
static uint8_t expected_code;
static uint64_t received, refused, stray, retransmitted, send_errors;
static uint32_t latencies[SLOTS];

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* RFC 7252 3.1, for lengths below 269. Returns where the next option goes; `number` moves on to this one. */
static size_t put_option(uint8_t *at, unsigned *number, unsigned option, const char *value, size_t length) {
  size_t size = 1;
  unsigned delta = option - *number;
  at[0] = (uint8_t)((delta < 13 ? delta : 13) << 4 | (length < 13 ? length : 13));
  if (delta >= 13) at[size++] = (uint8_t)(delta - 13);
  if (length >= 13) at[size++] = (uint8_t)(length - 13);
  memcpy(at + size, value, length);
  *number = option;
  return size + length;
}

/* Everything but the message id, once for each device. The token is the device's index. */
static void build(struct device *device, uint32_t index, int registers, const char *path) {
  uint8_t *data = device->request;
  uint8_t head[8] = {0x44, registers ? 0x02 : 0x01, 0, 0, (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index};
  memcpy(data, head, sizeof head);
  size_t at = sizeof head;
  unsigned number = 0;
  at += put_option(data + at, &number, 11, path, strlen(path));
  if (registers) {
    char endpoint[32];
    snprintf(endpoint, sizeof endpoint, "ep=bench-%06u", index);
    const char *query[] = {endpoint, "lt=300", "lwm2m=1.1", "b=U"};
    at += put_option(data + at, &number, 12, "\x28", 1);
    for (size_t i = 0; i < sizeof query / sizeof *query; i++) at += put_option(data + at, &number, 15, query[i], strlen(query[i]));
    data[at++] = 0xff;
    memcpy(data + at, LINKS, sizeof LINKS - 1);
    at += sizeof LINKS - 1;
  }
  device->length = at;
}

static void flush_socket(struct socket_state *socket) {
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  memset(messages, 0, sizeof *messages * (size_t)socket->queued);
  for (int i = 0; i < socket->queued; i++) {
    struct device *device = &devices[socket->queue[i]];
    parts[i].iov_base = device->request;
    parts[i].iov_len = device->length;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (int done = 0; done < socket->queued;) {
    int sent = sendmmsg(socket->fd, messages + done, (unsigned)(socket->queued - done), 0);
    /* What could not be sent counts as lost and is sent again like any lost datagram. */
    if (sent < 0) {
      send_errors++;
      break;
    }
    done += sent;
  }
  socket->queued = 0;
}

static void enqueue(uint32_t index, double at) {
  struct device *device = &devices[index];
  struct socket_state *socket = &sockets[device->socket];
  device->sent_at = at;
  socket->queue[socket->queued++] = index;
  if (socket->queued == BATCH) flush_socket(socket);
}

static void next_request(uint32_t index, double at) {
  struct device *device = &devices[index];
  uint16_t mid = sockets[device->socket].mid++;
  device->request[2] = (uint8_t)(mid >> 8);
  device->request[3] = (uint8_t)mid;
  device->outstanding = 1;
  idle--;
  enqueue(index, at);
}

static int wants_more(const struct device *device) { return sending && (each == 0 || device->answers < each); }

/* Only a piggybacked answer to the outstanding request counts. */
static void answer(int socket, const uint8_t *data, size_t length, double at) {
  if (length < 8 || data[0] != 0x64) {
    stray++;
    return;
  }
  uint32_t index = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
  struct device *device = index < device_count ? &devices[index] : NULL;
  if (!device || device->socket != socket || !device->outstanding || memcmp(device->request + 2, data + 2, 2) != 0) {
    stray++;
    return;
  }
  double micros = (at - device->sent_at) * 1e6;
  latencies[micros < SLOTS ? (micros < 0 ? 0 : (uint32_t)micros) : SLOTS - 1]++;
  if (data[1] == expected_code) received++;
  else refused++;
  device->outstanding = 0;
  device->answers++;
  idle++;
  if (wants_more(device)) next_request(index, at);
}

static void drain_socket(int index) {
  static uint8_t bytes[BATCH][MAX_ANSWER];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct socket_state *socket = &sockets[index];
  int batch = socket_count == device_count ? 1 : BATCH;
  memset(messages, 0, sizeof *messages * (size_t)batch);
  for (int i = 0; i < batch; i++) {
    parts[i].iov_base = bytes[i];
    parts[i].iov_len = MAX_ANSWER;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int count = recvmmsg(socket->fd, messages, (unsigned)batch, MSG_DONTWAIT, NULL);
  double at = now();
  for (int i = 0; i < count; i++) answer(index, bytes[i], messages[i].msg_len, at);
  flush_socket(socket);
}

static void sweep(double at) {
  for (uint32_t i = 0; i < device_count; i++) {
    if (!devices[i].outstanding || at - devices[i].sent_at < RETRANSMIT_AFTER) continue;
    retransmitted++;
    enqueue(i, at);
  }
  for (uint32_t i = 0; i < socket_count; i++)
    if (sockets[i].queued > 0) flush_socket(&sockets[i]);
}

/* Runs for `seconds`, or with `limit` until every device has had that many answers; then waits for what is still out. */
static double run(double seconds, uint32_t limit) {
  struct epoll_event events[EVENTS];
  double began = now(), swept = began, stopped = 0;
  each = limit;
  sending = 1;
  for (uint32_t i = 0; i < device_count; i++) {
    devices[i].answers = 0;
    next_request(i, began);
  }
  sweep(began);
  while (idle < device_count) {
    int count = epoll_wait(epoll, events, EVENTS, 20);
    for (int i = 0; i < count; i++) drain_socket((int)events[i].data.u32);
    double at = now();
    if (at - swept >= SWEEP_EVERY) {
      swept = at;
      sweep(at);
    }
    if (sending && limit == 0 && at - began >= seconds) {
      sending = 0;
      stopped = at;
    }
    if (stopped > 0 && at - stopped >= DRAIN) break;
  }
  /* Waiting for the last answers is not part of the measured time. */
  return (stopped > 0 ? stopped : now()) - began;
}

static double percentile(double share, uint64_t total) {
  uint64_t seen = 0, wanted = (uint64_t)((double)total * share);
  for (uint32_t i = 0; i < SLOTS; i++) {
    seen += latencies[i];
    if (seen > wanted) return i;
  }
  return SLOTS;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void open_sockets(const char *address, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) fail("address");
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if ((epoll = epoll_create1(0)) < 0) fail("epoll");
  for (uint32_t i = 0; i < socket_count; i++) {
    sockets[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (sockets[i].fd < 0) fail("socket");
    if (connect(sockets[i].fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
    sockets[i].mid = (uint16_t)rand();
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i].fd, &event) < 0) fail("epoll_ctl");
  }
}

int main(int count, char **arguments) {
  const char *address = "127.0.0.1", *kind = "get", *path = NULL;
  int port = 0;
  double warmup = 1, seconds = 3;
  uint32_t answers = 0;
  for (int i = 1; i + 1 < count; i += 2) {
    const char *name = arguments[i], *value = arguments[i + 1];
    if (strcmp(name, "--port") == 0) port = atoi(value);
    else if (strcmp(name, "--address") == 0) address = value;
    else if (strcmp(name, "--kind") == 0) kind = value;
    else if (strcmp(name, "--path") == 0) path = value;
    else if (strcmp(name, "--devices") == 0) device_count = (uint32_t)atoi(value);
    else if (strcmp(name, "--sockets") == 0) socket_count = (uint32_t)atoi(value);
    else if (strcmp(name, "--warmup") == 0) warmup = atof(value);
    else if (strcmp(name, "--seconds") == 0) seconds = atof(value);
    else if (strcmp(name, "--each") == 0) answers = (uint32_t)atoi(value);
    else errno = EINVAL, fail(name);
  }
  int registers = strcmp(kind, "register") == 0;
  if (path == NULL) path = registers ? "rd" : "time";
  if (socket_count == 0 || socket_count > device_count) socket_count = device_count;
  if (port <= 0 || device_count == 0 || strlen(path) > 64) errno = EINVAL, fail("options");
  expected_code = registers ? 0x41 : 0x45;
  srand((unsigned)getpid());
  devices = calloc(device_count, sizeof *devices);
  sockets = calloc(socket_count, sizeof *sockets);
  if (!devices || !sockets) fail("memory");
  open_sockets(address, port);
  for (uint32_t i = 0; i < device_count; i++) {
    devices[i].socket = (int)(i % socket_count);
    build(&devices[i], i, registers, path);
  }
  idle = device_count;

  run(warmup, answers > 0 ? (uint32_t)warmup : 0);
  printf("warm\n");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  received = refused = stray = retransmitted = send_errors = 0;
  memset(latencies, 0, sizeof latencies);
  /* What the warm-up could not get an answer for is given up. */
  for (uint32_t i = 0; i < device_count; i++) devices[i].outstanding = 0;
  idle = device_count;
  double cpu = cpu_seconds(), elapsed = run(seconds, answers);
  cpu = cpu_seconds() - cpu;
  uint64_t total = received + refused;
  printf("received=%llu seconds=%.6f per_second=%.1f p50_us=%.0f p90_us=%.0f p99_us=%.0f cpu_seconds=%.6f refused=%llu stray=%llu "
         "retransmitted=%llu send_errors=%llu\n",
         (unsigned long long)received, elapsed, (double)received / elapsed, percentile(0.5, total), percentile(0.9, total),
         percentile(0.99, total), cpu, (unsigned long long)refused, (unsigned long long)stray, (unsigned long long)retransmitted,
         (unsigned long long)send_errors);
  return 0;
}
