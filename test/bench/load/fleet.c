/*
 * A fleet of LwM2M devices on loopback: each has an address of its own in 127.0.0.0/8, all share one UDP socket and one port, so that
 * a hundred thousand of them need no hundred thousand sockets.
 *
 *   fleet --port N [--devices N] [--window N]
 *
 * Reads one command a line from standard input and prints one line of "name=value" pairs when it is done:
 *   register      every device registers once, and notes its registration id
 *   update N      N Updates in all, the devices in turn
 *   notify N      N Confirmable notifications in all, the observed devices in turn
 *   quit
 * At any time it answers an Observe with a value, and notes the token. Closed loop: `--window` messages outstanding, each sent again
 * after a second. One thread; Linux only (IP_PKTINFO).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MESSAGE = 512, ID = 10, FIRST_HOST = 0x7f010000, ACKS = 64 };
enum phase { NOTHING, REGISTER, UPDATE, NOTIFY };

static const double RETRANSMIT_AFTER = 1.0;
static const char LINKS[] = "</>;rt=\"oma.lwm2m\";ct=\"60 110 112\",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</3303/0>,</3303/1>";

struct device {
  char id[ID];
  uint8_t token[8];
  uint8_t token_length;
  uint8_t outstanding;
  uint16_t mid;
  uint32_t sequence;
  double sent_at;
};

static struct device *devices;
static uint32_t device_count = 1000, window = 64;
static struct sockaddr_in server;
static int fd;
static enum phase phase;
static uint64_t wanted, started, answered, refused, retransmitted;
static uint32_t next_device, under_way;
/* Devices with a message outstanding, for the sweep; gaps are closed as it goes. */
static uint32_t *waiting, waiting_count;

static void fail(const char *what) {
  fprintf(stderr, "fleet: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void send_from(uint32_t index, const uint8_t *data, size_t length) {
  char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
  struct iovec part = {.iov_base = (void *)data, .iov_len = length};
  struct msghdr message = {.msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(FIRST_HOST + index)};
  memcpy(CMSG_DATA(header), &info, sizeof info);
  /* What could not be sent is sent again like any lost datagram. */
  (void)sendmsg(fd, &message, 0);
}

/* RFC 7252 3.1, for lengths below 269. */
static size_t put_option(uint8_t *at, unsigned *number, unsigned option, const void *value, size_t length) {
  size_t size = 1;
  unsigned delta = option - *number;
  at[0] = (uint8_t)((delta < 13 ? delta : 13) << 4 | (length < 13 ? length : 13));
  if (delta >= 13) at[size++] = (uint8_t)(delta - 13);
  if (length >= 13) at[size++] = (uint8_t)(length - 13);
  memcpy(at + size, value, length);
  *number = option;
  return size + length;
}

static size_t put_value(uint8_t *at, struct device *device) {
  unsigned number = 0;
  uint8_t observe[3] = {(uint8_t)(device->sequence >> 16), (uint8_t)(device->sequence >> 8), (uint8_t)device->sequence};
  size_t size = put_option(at, &number, 6, observe, 3);
  size += put_option(at + size, &number, 12, "", 0);
  at[size++] = 0xff;
  return size + (size_t)sprintf((char *)at + size, "%u.5", device->sequence % 100);
}

static void send_message(uint32_t index) {
  struct device *device = &devices[index];
  uint8_t data[MAX_MESSAGE] = {0x44, 0x02, (uint8_t)(device->mid >> 8), (uint8_t)device->mid,
                               (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index};
  size_t at = 8;
  unsigned number = 0;
  switch (phase) {
    case REGISTER: {
      char endpoint[32];
      at += put_option(data + at, &number, 11, "rd", 2);
      at += put_option(data + at, &number, 12, "\x28", 1);
      int length = snprintf(endpoint, sizeof endpoint, "ep=fleet-%06u", index);
      at += put_option(data + at, &number, 15, endpoint, (size_t)length);
      at += put_option(data + at, &number, 15, "lt=86400", 8);
      at += put_option(data + at, &number, 15, "lwm2m=1.1", 9);
      at += put_option(data + at, &number, 15, "b=U", 3);
      data[at++] = 0xff;
      memcpy(data + at, LINKS, sizeof LINKS - 1);
      at += sizeof LINKS - 1;
      break;
    }
    case UPDATE:
      at += put_option(data + at, &number, 11, "rd", 2);
      at += put_option(data + at, &number, 11, device->id, ID);
      break;
    case NOTIFY:
      data[0] = (uint8_t)(0x40 | device->token_length);
      data[1] = 0x45;
      memcpy(data + 4, device->token, device->token_length);
      at = 4u + device->token_length;
      at += put_value(data + at, device);
      break;
    case NOTHING:
      return;
  }
  device->sent_at = now();
  send_from(index, data, at);
}

/* The Location-Path of a 2.01: the second of its two segments. */
static int read_location(const uint8_t *data, size_t length, size_t at, char *id) {
  unsigned number = 0, segments = 0;
  while (at < length && data[at] != 0xff) {
    unsigned delta = data[at] >> 4, size = data[at] & 15;
    at++;
    if (delta > 12 || size > 12 || at + size > length) return 0;
    number += delta;
    if (number == 8 && ++segments == 2 && size == ID) {
      memcpy(id, data + at, ID);
      return 1;
    }
    at += size;
  }
  return 0;
}

static void finished(struct device *device, int good) {
  device->outstanding = 0;
  under_way--;
  if (good) answered++;
  else refused++;
}

static void on_observe(uint32_t index, const uint8_t *data, size_t length) {
  struct device *device = &devices[index];
  size_t token_length = data[0] & 15;
  if (token_length > sizeof device->token || length < 4 + token_length) return;
  uint8_t answer[MAX_MESSAGE] = {(uint8_t)(0x60 | token_length), 0x45, data[2], data[3]};
  memcpy(answer + 4, data + 4, token_length);
  memcpy(device->token, data + 4, token_length);
  device->token_length = (uint8_t)token_length;
  device->sequence++;
  size_t at = 4 + token_length;
  at += put_value(answer + at, device);
  send_from(index, answer, at);
}

static void receive(uint32_t index, const uint8_t *data, size_t length) {
  if (length < 4 || index >= device_count) return;
  struct device *device = &devices[index];
  unsigned type = data[0] >> 4 & 3;
  if (type == 0) {
    if (data[1] == 1) on_observe(index, data, length);
    return;
  }
  if (!device->outstanding || data[2] != (uint8_t)(device->mid >> 8) || data[3] != (uint8_t)device->mid) return;
  switch (phase) {
    case REGISTER:
      finished(device, data[1] == 0x41 && read_location(data, length, 4 + (data[0] & 15u), device->id));
      break;
    case UPDATE:
      finished(device, data[1] == 0x44);
      break;
    case NOTIFY:
      finished(device, type == 2 && data[1] == 0);
      break;
    case NOTHING:
      break;
  }
}

/* False when there is no device that could send. */
static int begin_one(void) {
  for (uint32_t tries = 0; tries < device_count; tries++) {
    uint32_t index = next_device;
    struct device *device = &devices[index];
    next_device = (next_device + 1) % device_count;
    if (device->outstanding || (phase == NOTIFY && device->token_length == 0)) continue;
    device->mid++;
    device->sequence++;
    device->outstanding = 1;
    under_way++;
    started++;
    waiting[waiting_count++] = index;
    send_message(index);
    return 1;
  }
  return 0;
}

static void drain(void) {
  for (int i = 0; i < ACKS; i++) {
    uint8_t data[MAX_MESSAGE];
    char control[256];
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length < 0) return;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != IPPROTO_IP || header->cmsg_type != IP_PKTINFO) continue;
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(header), sizeof info);
      receive(ntohl(info.ipi_addr.s_addr) - FIRST_HOST, data, (size_t)length);
    }
  }
}

static void sweep(double at) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < waiting_count; i++) {
    uint32_t index = waiting[i];
    if (!devices[index].outstanding) continue;
    waiting[kept++] = index;
    if (at - devices[index].sent_at < RETRANSMIT_AFTER) continue;
    retransmitted++;
    send_message(index);
  }
  waiting_count = kept;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run(enum phase what, uint64_t count) {
  double began = now(), swept = began, cpu = cpu_seconds();
  phase = what;
  wanted = count;
  started = answered = refused = retransmitted = 0;
  waiting_count = 0;
  if (what == REGISTER) next_device = 0;
  while (answered + refused < wanted) {
    while (under_way < window && started < wanted && waiting_count < device_count && begin_one()) continue;
    if (under_way == 0) break;
    struct pollfd poll_socket = {.fd = fd, .events = POLLIN};
    (void)poll(&poll_socket, 1, 20);
    drain();
    double at = now();
    if (at - swept >= 0.1 || waiting_count >= device_count) {
      swept = at;
      sweep(at);
    }
  }
  phase = NOTHING;
  printf("answered=%llu refused=%llu retransmitted=%llu seconds=%.6f cpu_seconds=%.6f\n", (unsigned long long)answered,
         (unsigned long long)refused, (unsigned long long)retransmitted, now() - began, cpu_seconds() - cpu);
  fflush(stdout);
}

int main(int count, char **arguments) {
  int port = 0, on = 1, room = 1 << 22;
  for (int i = 1; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "--port") == 0) port = atoi(arguments[i + 1]);
    else if (strcmp(arguments[i], "--devices") == 0) device_count = (uint32_t)atoi(arguments[i + 1]);
    else if (strcmp(arguments[i], "--window") == 0) window = (uint32_t)atoi(arguments[i + 1]);
    else errno = EINVAL, fail(arguments[i]);
  }
  if (port <= 0 || device_count == 0 || device_count > 0xf00000 || window == 0) errno = EINVAL, fail("options");
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  devices = calloc(device_count, sizeof *devices);
  waiting = calloc(device_count, sizeof *waiting);
  if (!devices || !waiting) fail("memory");
  if ((fd = socket(AF_INET, SOCK_DGRAM, 0)) < 0) fail("socket");
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0) fail("bind");
  if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0) fail("IP_PKTINFO");
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  srand((unsigned)getpid());
  for (uint32_t i = 0; i < device_count; i++) devices[i].mid = (uint16_t)rand();

  char line[64];
  size_t filled = 0;
  for (;;) {
    struct pollfd both[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (poll(both, 2, -1) < 0) fail("poll");
    if (both[1].revents) drain();
    if (!both[0].revents) continue;
    ssize_t size = read(0, line + filled, sizeof line - 1 - filled);
    if (size <= 0) return 0;
    filled += (size_t)size;
    line[filled] = 0;
    char *end = strchr(line, '\n');
    if (!end) {
      if (filled == sizeof line - 1) errno = EINVAL, fail("command");
      continue;
    }
    filled = 0;
    unsigned long long amount = 0;
    if (strncmp(line, "register", 8) == 0) run(REGISTER, device_count);
    else if (sscanf(line, "update %llu", &amount) == 1) run(UPDATE, amount);
    else if (sscanf(line, "notify %llu", &amount) == 1) run(NOTIFY, amount);
    else if (strncmp(line, "quit", 4) == 0) return 0;
    else errno = EINVAL, fail(line);
  }
}
