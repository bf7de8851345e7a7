// Fuzzes PID 1's side of the protocol with the supervisor, in one process and under sanitizers. Includes the sources of
// PID 1 (native/supervise.h lists them) and native/spawn.c, which read frames from a real socket.
//
//   frames SECONDS SEED        random inputs, each from its own seed
//   frames 0 SEED              the input of one seed, as printed with a failure
//
// Descriptors, memory, sockets and the clock are real. Processes are simulated: never forks, and never sends a signal.
#include "../../native/supervise.h"

int printf(const char *format, ...);
int fflush(void *stream);
__attribute__((noreturn)) void abort(void);
long strtol(const char *text, char **end, int base);
void __sanitizer_set_death_callback(void (*callback)(void));

enum { CHILDREN = 400, FIRST_PID = 4200000, RUNS = 24, INPUT_MOST = 1 << 20, ROUNDS = 40 };

/** A start time that no process of the machine has: small ones belong to the kernel's threads. */
static const u64 NEVER = 1ull << 50;

// Random numbers: xorshift64* (Vigna 2016).

static u64 seed, dice;

static u32 roll(u32 below) {
  dice ^= dice >> 12;
  dice ^= dice << 25;
  dice ^= dice >> 27;
  return (u32)((dice * 2685821657736338717ull) >> 32) % below;
}

static int chance(u32 percent) { return roll(100) < percent; }

static void show_seed(void) {
  printf("input of seed %llu\n", (unsigned long long)seed);
  fflush(NULL);
}

static void fail_with(const char *what) {
  printf("found: %s\n", what);
  show_seed();
  abort();
}

#define MUST(holds) ((holds) ? (void)0 : fail_with(#holds))

// The simulated part of the kernel: processes, signals and the exit.

static struct {
  i32 pids[CHILDREN];
  u32 count;
  i32 last;
  int is_over, code;
  void *end[5];
} kernel;

/** Writes what a child may write before it exits. The writing end is the only non-blocking pipe open for writing. */
static void report_for_child(void) {
  const i32 reports[][3] = {{STEP_EXEC, 2, 0}, {STEP_LIMIT, 1, 7}, {0, 5, 0}, {-1, -1, -1}};
  u32 which = roll(4), size = chance(90) ? 12 : roll(12);
  for (int fd = 3; fd < 64; fd++)
    if ((sys_fcntl(fd, F_GETFL, 0) & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK)) {
      sys_write(fd, reports[which], size);
      return;
    }
}

static long fake_fork(void) {
  if (chance(5) || kernel.count == CHILDREN) return -EAGAIN;
  if (chance(30)) report_for_child();
  return kernel.pids[kernel.count++] = ++kernel.last;
}

static long fake_wait(int pid, int *status, int flags) {
  if (kernel.count == 0) return -ECHILD;
  if (pid > 0) return pid;
  if (chance(40)) return 0;
  u32 at = roll(kernel.count);
  i32 found = kernel.pids[at];
  kernel.pids[at] = kernel.pids[--kernel.count];
  if (status) *status = chance(50) ? (int)roll(256) << 8 : (int)roll(127) + 1;
  return found;
}

static long fake_kill(int pid, int signal) {
  MUST(signal >= 0 && signal <= SIGNALS);
  // Never the own process group, and -1 only with SIGKILL.
  MUST(pid != 0 && (pid != -1 || signal == SIGKILL));
  MUST(pid == -1 || (pid < 0 ? -pid : pid) >= FIRST_PID);
  for (u32 at = 0; at < kernel.count; at++)
    if (kernel.pids[at] == (pid < 0 ? -pid : pid)) return 0;
  return pid == -1 ? 0 : -ESRCH;
}

__attribute__((noreturn)) static void fake_exit(int code) {
  kernel.is_over = 1;
  kernel.code = code;
  __builtin_longjmp(kernel.end, 1);
}

static void check_block(void);

/**
 * Never waits. If the program would wait without a limit, checks that no work is left. Processes end here, because PID 1
 * handles exits before the requests of the same poll(2).
 */
static long fake_poll(struct pollfd *fds, unsigned count, const struct time *timeout) {
  const struct time none = {0, 0};
  long found = sys_poll(fds, count, &none);
  if (found == 0 && !timeout) check_block();
  if (chance(30)) reap_children();
  return found;
}

#define sys_fork() fake_fork()
#define sys_wait4(pid, status, flags) fake_wait(pid, status, flags)
#define sys_kill(pid, signal) fake_kill(pid, signal)
#define sys_exit(code) fake_exit(code)
#define sys_poll(fds, count, timeout) fake_poll(fds, count, timeout)
#undef MESSAGE
#define MESSAGE(...) ((void)(const char *const[]){__VA_ARGS__})
// System calls that do not exist, as on a kernel without pidfds: every signal passes through fake_kill.
#undef __NR_pidfd_open
#undef __NR_pidfd_send_signal
#define __NR_pidfd_open 100000
#define __NR_pidfd_send_signal 100000
#include "../../native/spawn.c"
#include "../../native/supervise.c"
#include "../../native/runs.c"
#include "../../native/requests.c"
#include "../../native/reports.c"
#include "../../native/checkpoint.c"
#include "../../native/successor.c"
#include "../../native/alone.c"
#include "../../native/loop.c"

// Inputs: mostly well-formed frames, some of which are then changed.

static u8 input[INPUT_MOST];
static u32 size;

static void add(const void *bytes, u32 count) {
  if (size + count > sizeof input) return;
  memcpy(input + size, bytes, count);
  size += count;
}

static void add_u32(u32 number) { add(&number, sizeof number); }
static void add_u64(u64 number) { add(&number, sizeof number); }
static u32 any_u32(void) { return chance(70) ? roll(70) : chance(50) ? roll(~0u) : ~0u - roll(3); }

static void add_text(const char *text) {
  add_u32((u32)strlen(text) + 1);
  add(text, (u32)strlen(text) + 1);
}

/** The name of all notify sockets. Contains the time, because all processes share the abstract namespace. */
static char notify_name[64];

static void add_random_text(void) {
  static const char *const texts[] = {"", "/", "/no/such", "/etc/passwd", "a\xff", NULL, "/proc/self/fd/0"};
  const char *text = texts[roll(7)];
  add_text(text ? text : notify_name);
}

static void add_texts(u32 count) {
  static const u8 zeros[4096];
  u32 each = chance(95) ? roll(8) + 1 : roll(4000) + 1;
  add_u32(count);
  add_u32(count * each);
  for (u32 at = 0; at < count; at++) {
    for (u32 byte = 1; byte < each; byte++) add("x", 1);
    add(zeros, 1);
  }
}

static void add_spawn(void) {
  u32 count;
  add_u32(roll(RUNS)), add_u32(chance(98) ? roll(65) : any_u32()), add_u64(roll(3));
  add_u32(roll(32));
  for (int at = 0; at < 5; at++) add_u32(any_u32());
  add_u32(count = roll(4));
  while (count--) add_u32(roll(10));
  add_u32(count = roll(20));
  while (count--) add_u64(roll(10));
  add_u32(count = roll(4));
  while (count--) add_u32(roll(16)), add_u64(any_u32()), add_u64(any_u32());
  add_text(chance(80) ? "" : notify_name);
  add_random_text();
  add_random_text();
  add_u32(count = chance(98) ? roll(6) : roll(14));
  for (u32 at = 0; at < count; at++) {
    add_u32(chance(98) ? roll(256) : any_u32()), add_u32(chance(98) ? roll(4) : any_u32());
    add_u32(chance(95) ? roll(3) : roll(14)), add_random_text();
  }
  add_texts(chance(97) ? roll(5) + 1 : 0);
  add_texts(chance(97) ? roll(5) : roll(200));
}

static void add_signal(void) {
  u32 count = chance(95) ? roll(6) : roll(600);
  add_u32(roll(100)), add_u32(chance(98) ? roll(65) : any_u32()), add_u32(count);
  for (u32 at = 0; at < count; at++)
    add_u32(roll(3)), add_u32(chance(60) ? roll(RUNS) : FIRST_PID + roll(100)), add_u64(roll(2) * NEVER);
}

/** Adds a request whose reply has 2 KB. */
static void add_failures(void) {
  enum { TARGETS = 256 };
  add_u32(16 + 16 * TARGETS), add_u32(REQUEST_SIGNAL), add_u32(0), add_u32(9), add_u32(TARGETS);
  for (u32 at = 0; at < TARGETS; at++) add_u32(TARGET_MAIN), add_u32(RUNS + 1), add_u64(0);
}

/** Adds only REQUEST_SPAWN, which has no immediate reply. */
static int only_spawns;

static void add_records(void) {
  u32 count = roll(5);
  add_u32(count);
  while (count--) {
    u32 length = chance(90) ? roll(60) : roll(9000);
    add_u32(chance(98) ? roll(20) : any_u32()), add_u32(chance(98) ? length : any_u32());
    while (length--) add("r", 1);
  }
}

static void add_frame(void) {
  static const u8 types[] = {1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 4, 5, 7, 7, 8, 9};
  u32 from = size, type = only_spawns ? (u32)REQUEST_SPAWN : chance(99) ? types[roll(sizeof types)] : chance(20) ? (u32)REQUEST_END : any_u32();
  add_u32(0), add_u32(type);
  switch (type) {
    case REQUEST_HELLO:
      add_u32(chance(99) ? PROTOCOL : any_u32()), add_u32(any_u32()), add_u64(any_u32());
      add_u32(chance(70) ? 0 : any_u32());
      for (int at = 0; at < 4; at++) add_u32(any_u32());
      break;
    case REQUEST_KEEP: add_records(); break;
    case REQUEST_BATCH:
      for (u32 count = roll(4); count--;) add_frame();
      break;
    case REQUEST_SPAWN: add_spawn(); break;
    case REQUEST_SIGNAL: add_signal(); break;
    default: add_u32(roll(RUNS));
  }
  u32 length = size - from - 4;
  if (size + 64 < sizeof input) memcpy(input + from, &length, sizeof length);
}

static void make_input(void) {
  size = 0;
  // The replies fill all buffers if they are not read.
  u32 failures = chance(15) ? 60 + roll(200) : 0;
  for (u32 count = failures; count--;) add_failures();
  only_spawns = failures > 0 && chance(50);
  for (u32 count = chance(90) ? roll(30) + 1 : roll(600); count--;) add_frame();
  if (size == 0 || chance(50)) return;
  for (u32 count = roll(6); count--;) {
    u32 at = roll(size), wild = any_u32();
    if (chance(60)) input[at] = (u8)roll(256);
    else if (chance(50) && at + 4 < size) memcpy(input + at, &wild, sizeof wild);
    else if (chance(50)) size = at + 1;
    else memmove(input + at, input + at / 2, size - at);
  }
}

// Events from PID 1.

static struct { u8 bytes[1 << 20]; u32 size; } output;
static enum { NONE, SPAWNED, EXITED } runs[RUNS + 1];

static void check_event(u32 type, const u8 *at, u32 length) {
  u32 words[4] = {0};
  memcpy(words, at, length < sizeof words ? length : sizeof words);
  u32 run = words[0] < RUNS ? words[0] : RUNS, count = 0;
  switch (type) {
    case EVENT_SPAWNED:
      memcpy(&count, at + 16, sizeof count);
      MUST(length == 20 + 4 * count && count <= STREAMS_MOST && (i32)words[1] >= FIRST_PID);
      MUST(run == RUNS || runs[run] != SPAWNED);
      runs[run] = SPAWNED;
      break;
    case EVENT_FAILED:
      MUST(length == 16 && (run == RUNS || runs[run] != SPAWNED));
      break;
    case EVENT_EXITED:
      MUST(length == 8 && (run == RUNS || runs[run] == SPAWNED));
      runs[run] = EXITED;
      break;
    case EVENT_REAPED: MUST(length >= 16); break;
    case EVENT_SIGNALLED: MUST(length == 12 + 8 * words[2] && words[1] >= words[2]); break;
    case EVENT_PING: MUST(length == 0); break;
    case EVENT_RECEIVED: MUST(length == 12 && words[0] >= 1 && words[0] <= SIGNALS); break;
    default: MUST(type == EVENT_NOTIFIED);
  }
}

static void read_output(int fd) {
  long found = sys_read(fd, output.bytes + output.size, sizeof output.bytes - output.size);
  if (found > 0) output.size += (u32)found;
  u32 at = 0, length, type;
  while (output.size - at >= 8) {
    memcpy(&length, output.bytes + at, 4);
    memcpy(&type, output.bytes + at + 4, 4);
    MUST(length >= 4 && length <= DATAGRAM_MOST + EVENT_MOST);
    if (output.size - at - 4 < length) break;
    check_event(type, output.bytes + at + 8, length - 4);
    at += 4 + length;
  }
  memmove(output.bytes, output.bytes + at, output.size - at);
  output.size -= at;
}

/** Sends a datagram, sometimes one that is too long, to the notify socket, if a run has one. */
static void send_notification(void) {
  static int socket = -1;
  struct { u16 family; char path[108]; } address = {.family = AF_UNIX};
  size_t length = strlen(notify_name);
  memcpy(address.path + 1, notify_name, length);
  if (socket < 0) socket = (int)sys(__NR_socket, AF_UNIX, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, 0);
  sys(__NR_sendto, socket, input, chance(80) ? roll(50) : roll(DATAGRAM_MOST + 100), 0, &address, sizeof address.family + 1 + length);
}

// One input.

static void begin(int socket) {
  const int small = 4096;
  if (chance(50)) sys(__NR_setsockopt, socket, SOL_SOCKET, 7 /* SO_SNDBUF */, &small, sizeof small);
  pid1.in.size = 0;
  pid1.out.from = pid1.out.to = 0;
  pid1.run_count = pid1.free_hint = pid1.reports_from = pid1.reports_to = pid1.orphan_count = 0;
  pid1.received = 0;
  pid1.reaped = pid1.reaped_reported = 0;
  pid1.watches = pid1.is_alone = pid1.is_requested = pid1.was_killed = pid1.had_to_kill = 0;
  pid1.has_taken_over = pid1.was_taken_over = pid1.has_refused = pid1.is_hung = pid1.is_restoring = 0;
  clear_writer(&pid1.pending);
  pid1.pending_sent = pid1.restarts = pid1.deaths_before = pid1.deaths_young = pid1.death_count = pid1.pause = 0;
  pid1.ends = pid1.last_run = 0;
  pid1.stop_requested_at = pid1.stop_received_at = pid1.unanswered_since = pid1.start_at = 0;
  pid1.started_at = pid1.received_at = pid1.last_received_at = sys_now();
  pid1.ping = PING_NONE;
  pid1.settings = default_settings;
  if (chance(70)) pid1.settings.hung_after = 0;
  if (store.records) memset(store.records, 0, store.records_size);
  store.count = store.is_incomplete = 0;
  store.used = store.unused = 0;
  pid1.grace = 0;
  pid1.self = pid1.is_init = 1;
  pid1.signals = pid1.control = -1;
  pid1.socket = socket;
  if (pid1.runs) memset(pid1.runs, 0, pid1.runs_size);
  memset(runs, 0, sizeof runs);
  output.size = 0;
  kernel.count = 0;
  kernel.last = FIRST_PID;
  kernel.is_over = 0;
  pid1.supervisor = kernel.pids[kernel.count++] = ++kernel.last;
}

static int has_whole_frame(void) {
  size_t at = 0;
  struct reader payload;
  return next_frame(&pid1.in, &at, &payload) != 0;
}

/** Checks that no request and no report is left while nothing waits to be written: no event would wake PID 1 for it. */
static void check_block(void) {
  if (pid1.socket < 0 || !writer_empty(&pid1.out)) return;
  MUST(!has_whole_frame());
  MUST(pid1.reports_from == pid1.reports_to);
  MUST(pid1.received == 0 || writer_room(&pid1.pending) < EVENT_MOST);
}

static void play(int other) {
  u32 sent = 0;
  int reads = chance(70), loses = chance(20);
  for (u32 round = 0; round < ROUNDS || sent < size; round++) {
    u32 chunk = chance(50) ? size - sent : roll(2000);
    if (chunk > size - sent) chunk = size - sent;
    long written = chunk && pid1.socket >= 0 ? sys(__NR_sendto, other, input + sent, chunk, 0x4040, 0, 0) : 0;
    if (written > 0) sent += (u32)written;
    if (pid1.socket < 0 || (round > 4000 && !reads)) sent = size;
    if (chance(20)) pid1.received |= sigbit(roll(SIGNALS) + 1);
    if (loses && chance(3) && pid1.supervisor > 0) lose_supervisor((int)roll(127) + 1);
    step();
    MUST(pid1.out.to <= OUT_MOST);
    if (chance(10)) send_notification();
    if (loses && chance(2)) sys(__NR_shutdown, other, 2 /* SHUT_RDWR */);
    if (reads && chance(60)) read_output(other);
  }
  // Once the buffers have room, no request and no report may be left that no event would wake PID 1 for.
  for (u32 round = 0; round < 100 && pid1.socket >= 0; round++) read_output(other), step();
  if (pid1.socket < 0) return;
  read_output(other);
  MUST(!has_whole_frame());
  MUST(pid1.reports_from == pid1.reports_to || !writer_empty(&pid1.out));
}

static void end(int other) {
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].phase != RUN_FREE) close_run(&pid1.runs[slot]);
  if (pid1.socket >= 0) sys_close(pid1.socket);
  sys_close(other);
}

static int lowest_free(void) {
  long fd = sys(__NR_dup, 0);
  sys_close((int)fd);
  return (int)fd;
}

static void attempt(u64 with) {
  int ends[2];
  seed = with;
  dice = with * 0x9e3779b97f4a7c15ull + 1;
  int before = lowest_free();
  make_input();
  MUST(sys(__NR_socketpair, 1, 1 | O_CLOEXEC | O_NONBLOCK, 0, ends) == 0);
  begin(ends[0]);
  if (__builtin_setjmp(kernel.end) == 0) play(ends[1]);
  MUST(!kernel.is_over || (kernel.code >= 0 && kernel.code <= 255));
  end(ends[1]);
  MUST(lowest_free() == before);
}

int main(int argc, char **argv) {
  static struct start start;
  u64 from = argc > 2 ? (u64)strtol(argv[2], NULL, 10) : 1, count = 0;
  i64 until = sys_now() + 1000 * (argc > 1 ? strtol(argv[1], NULL, 10) : 10);
  pid1.start = &start;
  append_number(append(notify_name, notify_name + 40, "svc-super-fuzz-"), notify_name + sizeof notify_name, sys_now());
  // Opens its socket before the first input, because `attempt` checks that an input leaves no descriptor open.
  send_notification();
  __sanitizer_set_death_callback(show_seed);
  do attempt(from + count++);
  while (sys_now() < until);
  printf("%llu inputs\n", (unsigned long long)count);
  return 0;
}
