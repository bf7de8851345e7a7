// PID 1 with the supervisor as its child: starts it, executes its requests, reports events to it, and blocks only in
// poll(2). Events are kept as state until the socket has room, so that a supervisor that reads nothing costs no memory.
// If the supervisor dies, stops all services at once, in no order: stop signal, grace period, SIGKILL. Never reads the
// configuration.
#include "handover.h"
#include "spawn.h"

enum { EXIT_BUG = 70, DEFAULT_GRACE = 9000, KILLED_GRACE = 2000, REAPED_MOST = 512, REPORT_EVERY = 1000 };
enum { RLIMIT_NOFILE = 7, SIGNALFD_BATCH = 8 };
enum { NEWS_STARTED = 0, NEWS_EXITED = 1 };
/**
 * Signals that keep their default action in the supervisor, which ignores all others so that none ends it. 32 and 33
 * belong to libc; 62 is the runtime's (JSC_SIGNAL_FOR_GC in handover.c).
 */
#define KEPT_SIGNALS (sigbit(SIGCHLD) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGABRT) | sigbit(SIGBUS) | sigbit(SIGFPE) | \
                      sigbit(SIGSEGV) | sigbit(SIGSYS) | sigbit(SIGKILL) | sigbit(SIGSTOP) | sigbit(SIGCONT) | sigbit(32) | \
                      sigbit(33) | sigbit(62))

/** The stop signals until the supervisor sends its own (REQUEST_HELLO). */
#define DEFAULT_STOP (sigbit(SIGTERM) | sigbit(SIGINT) | sigbit(SIGQUIT) | sigbit(SIGPWR) | sigbit(SIGRTMIN + 3))

/** All of PID 1's state. */
static struct {
  const struct start *start;
  int self, is_init, signals, socket, supervisor, control;
  /** The supervisor has taken over. */
  int has_taken_over;
  u32 grace;
  sigmask stop_signals;
  struct inbox in;
  struct writer out;
  struct run *runs;
  size_t runs_size;
  u32 run_count, free_hint;
  /** The queue of reports, oldest first: slot << 1 | NEWS_STARTED or NEWS_EXITED. */
  u32 *news;
  size_t news_size;
  u32 news_from, news_to;
  /** Signals that were received and not reported yet, and the last sender of each. */
  sigmask received;
  struct { i32 code, pid; } senders[SIGNALS + 1];
  /** Orphans reaped, in total and as of the last report; below, the numbers of those reaped since that report. */
  u64 reaped, reaped_reported;
  i64 reaped_reported_at;
  u32 orphan_count;
  i32 orphans[REAPED_MOST];
  int watches;
  /** `is_alone`: stops everything without a supervisor. `was_killed`: SIGKILL was sent. */
  int is_alone, was_killed;
  i64 deadline;
  /** The table for poll(2), and the meaning of each entry: slot << 3 | POLLED_…. */
  struct pollfd *polled;
  u32 *tags;
  size_t polled_size, tags_size;
} pid1;

static void lose_supervisor(int status);
static void read_requests(void);

__attribute__((noreturn)) static void leave(int code) {
  close_control();
  // When PID 1 exits, the kernel kills its whole namespace. Elsewhere the supervisor would outlive its parent and go on
  // printing.
  if (!pid1.is_init && pid1.supervisor > 0) {
    sys_kill(pid1.supervisor, SIGKILL);
    sys_wait4(pid1.supervisor, NULL, 0);
  }
  sys_exit(code);
}

static void add_news(u32 slot, u32 kind) {
  // The queue always has room: it holds two reports for each entry of the table.
  pid1.news[pid1.news_to++ % (u32)(pid1.news_size / sizeof(u32))] = slot << 1 | kind;
}

/** The number of a free entry; minus an errno if memory is exhausted. */
static long new_slot(void) {
  for (u32 slot = pid1.free_hint; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].phase == RUN_FREE) return pid1.free_hint = slot + 1, slot;
  if (pid1.run_count * sizeof(struct run) + sizeof(struct run) > pid1.runs_size) {
    // The queue grows first, because it must have room for every entry of the table. Its contents move to the beginning
    // of a new one.
    size_t runs_size = pid1.runs_size ? pid1.runs_size * 2 : 16384, fresh_size = 0;
    u32 *before = pid1.news, size_before = (u32)(pid1.news_size / sizeof(u32));
    u32 *fresh = NULL;
    long failure = grow((void **)&fresh, &fresh_size, (runs_size / sizeof(struct run) + 1) * 2 * sizeof(u32));
    if (failure < 0) return failure;
    u32 count = 0;
    for (u32 at = pid1.news_from; at != pid1.news_to; at++) fresh[count++] = before[at % size_before];
    if (before) sys(__NR_munmap, before, pid1.news_size);
    pid1.news = fresh, pid1.news_size = fresh_size, pid1.news_from = 0, pid1.news_to = count;
    failure = grow((void **)&pid1.runs, &pid1.runs_size, runs_size);
    if (failure < 0) return failure;
  }
  return pid1.free_hint = pid1.run_count + 1, pid1.run_count++;
}

static struct run *find_run(u32 id) {
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].phase != RUN_FREE && pid1.runs[slot].id == id) return &pid1.runs[slot];
  return NULL;
}

static void free_run(struct run *run) {
  close_run(run);
  run->phase = RUN_FREE;
  run->pid = 0;
  if ((u32)(run - pid1.runs) < pid1.free_hint) pid1.free_hint = (u32)(run - pid1.runs);
}

// From the kernel.

static void reap(void) {
  int status;
  for (long pid; (pid = sys_wait4(-1, &status, WNOHANG)) > 0;) {
    if (pid == pid1.supervisor) {
      lose_supervisor(status);
      continue;
    }
    u32 slot = 0;
    while (slot < pid1.run_count && (pid1.runs[slot].pid != pid || pid1.runs[slot].exited)) slot++;
    if (slot == pid1.run_count) {
      if (pid1.orphan_count < REAPED_MOST) pid1.orphans[pid1.orphan_count] = (i32)pid;
      pid1.orphan_count++;
      pid1.reaped++;
      continue;
    }
    struct run *run = &pid1.runs[slot];
    run->exited = 1;
    run->status = status;
    if (run->phase == RUN_STARTING) {
      settle_run(run);
      add_news(slot, NEWS_STARTED);
    }
    if (run->phase == RUN_EXECUTING) add_news(slot, NEWS_EXITED);
  }
}

static void read_signals(void) {
  struct signal_info found[SIGNALFD_BATCH];
  long size;
  while ((size = sys_read(pid1.signals, found, sizeof found)) > 0) {
    for (struct signal_info *info = found; (u8 *)info < (u8 *)found + size; info++) {
      if (info->signo == SIGCHLD || info->signo > SIGNALS) continue;
      pid1.received |= sigbit(info->signo);
      pid1.senders[info->signo].code = info->code;
      pid1.senders[info->signo].pid = (i32)info->pid;
    }
  }
}

/**
 * Reports one datagram of a notify socket; 0 if there is none. The kernel closes descriptors that were sent along,
 * because `control` has no room for them.
 */
static int receive_notification(struct run *run) {
  u8 data[DATAGRAM_MOST], control[32];
  struct vector vector = {data, sizeof data};
  struct { void *name; u64 name_size; struct vector *vectors; u64 count; void *control; u64 control_size; i64 flags; } message = {
    NULL, 0, &vector, 1, control, sizeof control, 0};
  long size = sys(__NR_recvmsg, run->notify, &message, 0x40 /* MSG_DONTWAIT */);
  if (size < 0) return 0;
  i32 sender[3] = {0, -1, -1};
  // struct cmsghdr: length (8), level (4), type (4), then struct ucred: pid, uid, gid.
  if (message.control_size >= 28) memcpy(sender, control + 16, sizeof sender);
  // A truncated datagram is reported without text: its last line may be incomplete.
  if (message.flags & 0x20 /* MSG_TRUNC */) size = 0;
  begin_frame(&pid1.out, EVENT_NOTIFIED);
  put_u32(&pid1.out, run->id);
  put_u32(&pid1.out, (u32)sender[0]);
  put_u32(&pid1.out, (u32)sender[1]);
  put_text(&pid1.out, data, (u32)size);
  end_frame(&pid1.out);
  return 1;
}

// To the supervisor.

static void report_run(u32 slot, u32 kind) {
  struct run *run = &pid1.runs[slot];
  if (kind == NEWS_EXITED) {
    begin_frame(&pid1.out, EVENT_EXITED);
    put_u32(&pid1.out, run->id);
    put_u32(&pid1.out, (u32)run->status);
    end_frame(&pid1.out);
    run->reported = 1;
    if (run->released) free_run(run);
    return;
  }
  if (run->phase == RUN_FAILED) {
    begin_frame(&pid1.out, EVENT_FAILED);
    put_u32(&pid1.out, run->id);
    for (int at = 0; at < 3; at++) put_u32(&pid1.out, (u32)run->failure[at]);
    end_frame(&pid1.out);
    // If the failed child has not been reaped yet, reap() counts it as an orphan.
    free_run(run);
    return;
  }
  begin_frame(&pid1.out, EVENT_SPAWNED);
  put_u32(&pid1.out, run->id);
  put_u32(&pid1.out, (u32)run->pid);
  put_u64(&pid1.out, run->start);
  put_u32(&pid1.out, run->pipe_count);
  for (u32 at = 0; at < run->pipe_count; at++) put_u32(&pid1.out, (u32)run->pipes[at]);
  end_frame(&pid1.out);
}

static void report_orphans(i64 now) {
  u32 count = pid1.orphan_count < REAPED_MOST ? pid1.orphan_count : REAPED_MOST;
  begin_frame(&pid1.out, EVENT_REAPED);
  put_u64(&pid1.out, pid1.reaped);
  put_u32(&pid1.out, pid1.orphan_count <= REAPED_MOST);
  put_u32(&pid1.out, pid1.watches ? count : 0);
  for (u32 at = 0; pid1.watches && at < count; at++) put_u32(&pid1.out, (u32)pid1.orphans[at]);
  end_frame(&pid1.out);
  pid1.orphan_count = 0;
  pid1.reaped_reported = pid1.reaped;
  pid1.reaped_reported_at = now;
}

/** Reports signals before exits: a stop signal may be the cause of an exit that was found at the same time. */
static void report_all(i64 now) {
  while (pid1.received && writer_room(&pid1.out) >= EVENT_MOST) {
    u32 signal = (u32)__builtin_ctzll(pid1.received) + 1;
    pid1.received &= ~sigbit(signal);
    begin_frame(&pid1.out, EVENT_RECEIVED);
    put_u32(&pid1.out, signal);
    put_u32(&pid1.out, (u32)pid1.senders[signal].code);
    put_u32(&pid1.out, (u32)pid1.senders[signal].pid);
    end_frame(&pid1.out);
  }
  while (pid1.news_from != pid1.news_to && writer_room(&pid1.out) >= EVENT_MOST) {
    u32 news = pid1.news[pid1.news_from++ % (u32)(pid1.news_size / sizeof(u32))];
    report_run(news >> 1, news & 1);
  }
  // The counters index a table whose size is no power of two: they must not overflow.
  if (pid1.news_from == pid1.news_to) pid1.news_from = pid1.news_to = 0;
  int is_due = pid1.watches ? pid1.orphan_count > 0 : now - pid1.reaped_reported_at >= REPORT_EVERY;
  if (pid1.reaped != pid1.reaped_reported && is_due && writer_room(&pid1.out) >= EVENT_MOST) report_orphans(now);
}

// From the supervisor.

/**
 * Signals a process if its start time is still `start`. A child that has not been reaped keeps its number; for any
 * other process a pidfd prevents reuse of the number while the start time is compared.
 */
static long signal_process(int pid, u64 start, int signal) {
  // start_time returns 0 if there is no such process.
  if (pid <= 1 || start == 0) return -ESRCH;
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    if (pid1.runs[slot].pid == pid && !pid1.runs[slot].exited && pid1.runs[slot].start == start) return sys_kill(pid, signal);
  long held = sys(__NR_pidfd_open, pid, 0);
  if (held == -ESRCH) return held;
  // Without pidfds (before Linux 5.3), the number could be reused between these two calls; the interval is as short as
  // possible.
  long result = start_time(pid) == start ? 0 : -ESRCH;
  if (result == 0 && held >= 0) result = sys(__NR_pidfd_send_signal, held, signal, NULL, 0);
  if (result == -ENOSYS || (result == 0 && held < 0)) result = sys_kill(pid, signal);
  if (held >= 0) sys_close((int)held);
  return result;
}

static long signal_target(u32 target, i32 number, u64 start, int signal) {
  if (target == TARGET_PROCESS) return signal_process(number, start, signal);
  struct run *run = find_run((u32)number);
  if (!run || run->pid == 0 || run->exited) return -ESRCH;
  return sys_kill(target == TARGET_GROUP ? -run->pid : run->pid, signal);
}

static int handle_signal(struct reader *from) {
  enum { SHOWN_MOST = 256 };
  u32 sequence = get_u32(from), signal = get_u32(from), count = get_u32(from), failures = 0, shown = 0;
  u32 failed[SHOWN_MOST][2];
  if (signal > SIGNALS || (size_t)(from->end - from->at) != (size_t)count * 16) return 0;
  for (u32 at = 0; at < count; at++) {
    u32 target = get_u32(from);
    i32 number = (i32)get_u32(from);
    long result = signal_target(target, number, get_u64(from), (int)signal);
    if (result == 0) continue;
    failures++;
    if (shown < SHOWN_MOST) failed[shown][0] = at, failed[shown++][1] = (u32)-result;
  }
  begin_frame(&pid1.out, EVENT_SIGNALLED);
  put_u32(&pid1.out, sequence);
  put_u32(&pid1.out, failures);
  put_u32(&pid1.out, shown);
  for (u32 at = 0; at < shown; at++) put_u32(&pid1.out, failed[at][0]), put_u32(&pid1.out, failed[at][1]);
  end_frame(&pid1.out);
  return !from->bad;
}

static int handle_spawn(struct reader *payload) {
  static struct spawn spawn;
  struct run run;
  struct reader first = *payload;
  // A run that is known was requested before: its result has been reported, or will be.
  int is_known = find_run(get_u32(&first)) != NULL;
  long slot = is_known ? 0 : new_slot();
  if (slot < 0) return 0;
  if (!read_spawn(payload, &spawn)) return 0;
  if (is_known) return 1;
  start_run(pid1.start, &spawn, &run, pid1.is_init ? 0 : pid1.self);
  pid1.runs[slot] = run;
  if (run.phase == RUN_FAILED) add_news((u32)slot, NEWS_STARTED);
  return 1;
}

static int handle_release(struct reader *from) {
  struct run *run = find_run(get_u32(from));
  if (!run) return !from->bad;
  run->released = 1;
  if (run->reported) free_run(run);
  // The entry stays until its exit is reported; its descriptors are closed now.
  else if (run->phase == RUN_EXECUTING) close_run(run);
  return !from->bad;
}

/** Executes one request; 0 if it is unknown or malformed. */
static int handle(u32 type, struct reader *payload) {
  switch (type) {
    case REQUEST_HELLO:
      if (get_u32(payload) != PROTOCOL) return 0;
      pid1.grace = get_u32(payload);
      pid1.stop_signals = get_u64(payload);
      pid1.has_taken_over = 1;
      return !payload->bad;
    case REQUEST_SPAWN:
      return handle_spawn(payload);
    case REQUEST_SIGNAL:
      return handle_signal(payload);
    case REQUEST_RELEASE:
      return handle_release(payload);
    case REQUEST_WATCH:
      pid1.watches = get_u32(payload) != 0;
      // The numbers of orphans reaped before are not reported.
      pid1.orphan_count = 0;
      return !payload->bad;
    case REQUEST_END:
      leave((int)(get_u32(payload) & 255));
    default:
      return 0;
  }
}

/** Stops reading from the supervisor. */
static void close_socket(void) {
  if (pid1.socket >= 0) sys_close(pid1.socket);
  pid1.socket = -1;
  pid1.in.size = 0;
}

/** Kills a supervisor whose protocol this release does not know. */
static void refuse(const char *what, const char *number) {
  SAY("the supervisor ", what, number, ", which this release does not know: both files must be of one release");
  if (pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
  close_socket();
}

/** Handles the buffered requests while there is room for their replies. Returns whether it handled any. */
static int take_requests(void) {
  size_t at = 0;
  struct reader payload;
  for (u32 type; writer_room(&pid1.out) >= 2 * EVENT_MOST && (type = next_frame(&pid1.in, &at, &payload));) {
    if (type != FRAME_BAD && handle(type, &payload)) continue;
    char number[24];
    append_number(number, number + sizeof number, type);
    if (type == FRAME_BAD) refuse("sent a malformed frame", "");
    else refuse("sent request ", number);
    return 0;
  }
  drop_frames(&pid1.in, at);
  return at > 0;
}

static void read_requests(void) {
  long size = fill_inbox(&pid1.in, pid1.socket);
  if (size == -ENOMEM) {
    refuse("sent a frame that is too large", "");
    return;
  }
  take_requests();
  if (size > 0 || size == -EAGAIN || size == -EINTR || pid1.socket < 0) return;
  // The supervisor has closed its end: it is dead, or it exits with a code that PID 1 passes on. After it has taken
  // over, it cannot work without the socket.
  close_socket();
  if (pid1.has_taken_over && pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
}

// Without a supervisor.

/**
 * Handles the end of the supervisor. If it had not taken over, PID 1 exits with its code: an invalid configuration, or
 * a help text.
 */
static void lose_supervisor(int status) {
  char pid[24], code[24], count[24];
  append_number(pid, pid + sizeof pid, pid1.supervisor);
  pid1.supervisor = 0;
  // Requests that it sent before its end still count: REQUEST_HELLO and REQUEST_END change what happens below.
  if (pid1.socket >= 0) read_requests();
  int signal = status & 127;
  if (!pid1.has_taken_over && signal == 0) leave(status >> 8 & 255);
  append_number(code, code + sizeof code, signal ? signal : status >> 8 & 255);
  u32 running = 0;
  for (u32 slot = 0; slot < pid1.run_count; slot++) running += pid1.runs[slot].pid > 0 && !pid1.runs[slot].exited;
  append_number(count, count + sizeof count, running);
  SAY("the supervisor (pid ", pid, ") ", signal ? "was killed by signal " : "exited with code ", code, ": stopping ", count,
      " running processes, exit code 70");
  pid1.is_alone = 1;
  // Commands are to learn at once that no supervisor answers.
  if (pid1.control >= 0) sys_close(pid1.control);
  pid1.deadline = sys_now() + pid1.grace;
  // The remaining requests are dropped. Notify sockets are closed, so that no program waits for a reader.
  close_socket();
  for (u32 slot = 0; slot < pid1.run_count; slot++) {
    struct run *run = &pid1.runs[slot];
    if (run->phase != RUN_FREE && run->notify >= 0) sys_close(run->notify), run->notify = -1;
    if (run->pid <= 0 || run->exited) continue;
    sys_kill(run->pid, run->stop_signal ? (int)run->stop_signal : SIGTERM);
    sys_kill(run->pid, SIGCONT);
  }
}

/**
 * Sends SIGKILL to all children of this process. Finds them by scanning /proc, because not every kernel lists children.
 */
static void kill_children(void) {
  struct { u64 ino, offset; u16 size; u8 type; char name[]; } *entry;
  u8 entries[4096] __attribute__((aligned(8)));
  long folder = sys_open("/proc", O_RDONLY | O_DIRECTORY), size;
  if (folder < 0) return;
  while ((size = sys(__NR_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < size; at += entry->size) {
      entry = (void *)(entries + at);
      i64 pid = parse_number(entry->name);
      if (pid > 1 && parent_of((int)pid) == pid1.self) sys_kill((int)pid, SIGKILL);
    }
  }
  sys_close((int)folder);
}

/**
 * Sends SIGKILL to every process of the namespace or, if this is not PID 1, to its children. Their orphans become its
 * children and are killed by the next call.
 */
static void kill_all(void) {
  if (pid1.is_init) {
    sys_kill(-1, SIGKILL);
    return;
  }
  kill_children();
}

/** One step of the stop without a supervisor; returns whether the stop is complete. */
static int is_stopped(i64 now) {
  u32 running = 0;
  for (u32 slot = 0; slot < pid1.run_count; slot++)
    running += pid1.runs[slot].phase != RUN_FREE && pid1.runs[slot].pid > 0 && !pid1.runs[slot].exited;
  if (pid1.received & pid1.stop_signals) pid1.deadline = now;
  pid1.received = 0;
  if (running > 0 && now < pid1.deadline && !pid1.was_killed) return 0;
  if (!pid1.was_killed) pid1.deadline = now + KILLED_GRACE;
  pid1.was_killed = 1;
  kill_all();
  reap();
  // A process that outlives SIGKILL is blocked in the kernel, by a device or a file system: wait at most KILLED_GRACE
  // for it.
  return sys_wait4(-1, NULL, WNOHANG) == -ECHILD || now >= pid1.deadline;
}

/**
 * Copies output of a service to standard output if that accepts it, and discards it otherwise: a full pipe would block
 * the service.
 */
static void drain(struct run *run, int pipe) {
  u8 bytes[4096];
  u32 at = 0;
  while (at < run->pipe_count && run->pipes[at] != pipe) at++;
  if (at == run->pipe_count) return;
  long size = sys_read(pipe, bytes, sizeof bytes);
  // A pipe at end of file would wake poll(2) again and again.
  if (size == 0) sys_close(pipe), run->pipes[at] = -1;
  // The first two pipes are standard output and standard error; what is written to any other is a notification.
  struct pollfd out = {.fd = at == 1 ? 2 : 1, .events = POLLOUT};
  struct time none = {0, 0};
  if (at < 2 && size > 0 && sys_poll(&out, 1, &none) == 1 && (out.revents & POLLOUT)) sys_write(out.fd, bytes, (size_t)size);
}

// The loop.

/** What an entry of the poll table is: a descriptor of a run, or one of PID 1's own. */
enum { POLLED_SIGNALS, POLLED_SOCKET, POLLED_EXECUTION, POLLED_NOTIFY, POLLED_PIPE };

static void poll_for(u32 *count, int fd, short events, u32 slot, u32 what) {
  if (fd < 0 || grow((void **)&pid1.polled, &pid1.polled_size, (*count + 1) * sizeof(struct pollfd)) < 0) return;
  if (grow((void **)&pid1.tags, &pid1.tags_size, (*count + 1) * sizeof(u32)) < 0) return;
  pid1.polled[*count] = (struct pollfd){.fd = fd, .events = events};
  pid1.tags[(*count)++] = slot << 3 | what;
}

/** Milliseconds until the next timed action; -1: there is none. */
static i64 time_left(void) {
  i64 now = sys_now(), at = now;
  if (pid1.is_alone) at = pid1.was_killed ? now + 10 : pid1.deadline;
  else if (pid1.reaped != pid1.reaped_reported && !pid1.watches && writer_room(&pid1.out) >= EVENT_MOST) at = pid1.reaped_reported_at + REPORT_EVERY;
  else return -1;
  return at > now ? at - now : 0;
}

static u32 wait_for_events(void) {
  u32 count = 0;
  int reads = writer_room(&pid1.out) >= 2 * EVENT_MOST;
  int notes = pid1.socket >= 0 && writer_room(&pid1.out) >= DATAGRAM_MOST + EVENT_MOST;
  poll_for(&count, pid1.signals, POLLIN, 0, POLLED_SIGNALS);
  poll_for(&count, pid1.socket, (short)((reads ? POLLIN : 0) | (writer_empty(&pid1.out) ? 0 : POLLOUT)), 0, POLLED_SOCKET);
  for (u32 slot = 0; slot < pid1.run_count; slot++) {
    struct run *run = &pid1.runs[slot];
    if (run->phase == RUN_FREE) continue;
    if (run->phase == RUN_STARTING) poll_for(&count, run->execution, POLLIN, slot, POLLED_EXECUTION);
    if (notes) poll_for(&count, run->notify, POLLIN, slot, POLLED_NOTIFY);
    for (u32 at = 0; pid1.is_alone && at < run->pipe_count; at++) poll_for(&count, run->pipes[at], POLLIN, slot, POLLED_PIPE);
  }
  i64 left = time_left();
  struct time timeout = {left / 1000, left % 1000 * 1000000};
  return sys_poll(pid1.polled, count, left < 0 ? NULL : &timeout) > 0 ? count : 0;
}

/** Handles the events of one poll(2): signals and exits first, requests last. */
static void take_events(u32 count) {
  int has_requests = 0;
  for (u32 at = 0; at < count; at++) {
    if (!pid1.polled[at].revents) continue;
    // The run may have been reaped since, and its entry reused: compare the descriptors.
    struct run *run = &pid1.runs[pid1.tags[at] >> 3];
    int fd = pid1.polled[at].fd;
    switch (pid1.tags[at] & 7) {
      case POLLED_SIGNALS:
        read_signals();
        reap();
        break;
      case POLLED_SOCKET:
        has_requests = pid1.polled[at].revents & ~POLLOUT;
        break;
      case POLLED_EXECUTION:
        if (run->execution != fd) break;
        settle_run(run);
        if (run->phase != RUN_STARTING) add_news(pid1.tags[at] >> 3, NEWS_STARTED);
        break;
      case POLLED_NOTIFY:
        if (run->notify == fd && writer_room(&pid1.out) >= DATAGRAM_MOST + EVENT_MOST) receive_notification(run);
        break;
      case POLLED_PIPE:
        drain(run, fd);
    }
  }
  if (has_requests && pid1.socket >= 0) read_requests();
}

/** Reports what has happened, then waits for events and handles them. */
static void step(void) {
  i64 now = sys_now();
  if (pid1.is_alone && is_stopped(now)) leave(EXIT_BUG);
  // Requests that were read earlier may have waited for room for their replies, and handling them creates new reports.
  // No event would wake this process for either.
  do {
    if (pid1.socket < 0) break;
    report_all(now);
    flush_frames(&pid1.out, pid1.socket);
  } while (take_requests());
  take_events(wait_for_events());
}

__attribute__((noreturn)) static void loop(void) {
  for (;;) step();
}

// The start.

/** Whether /proc shows the processes of this PID namespace. Without it nothing can be supervised. */
static int has_proc(void) {
  char self[16] = {0};
  long size = sys(__NR_readlinkat, AT_FDCWD, "/proc/self", self, sizeof self - 1);
  return size > 0 && parse_number(self) == pid1.self;
}

/** Whether the kernel stores the mark of a run in a resource limit; gVisor does not. */
static int has_marks(void) {
  struct limit before, marked, found;
  if (sys(__NR_prlimit64, 0, 10 /* RLIMIT_LOCKS */, NULL, &before) < 0) return 0;
  // As large as the marks of src/pid1/children.ts: the hard limit may be lower.
  marked = (struct limit){1ull << 53, before.hard};
  int works = sys(__NR_prlimit64, 0, 10, &marked, NULL) == 0 && sys(__NR_prlimit64, 0, 10, NULL, &found) == 0 && found.soft == marked.soft;
  sys(__NR_prlimit64, 0, 10, &before, NULL);
  return works;
}

/**
 * Moves descriptors to the numbers that the supervisor expects, from FD_SOCKET on; first above these, so that none is
 * overwritten.
 */
static void place_descriptors(int *fds, int count) {
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) fds[at] = (int)sys_fcntl(fds[at], F_DUPFD_CLOEXEC, FD_SOCKET + count);
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) sys_dup3(fds[at], FD_SOCKET + at, 0);
}

__attribute__((noreturn)) static void start_supervisor(struct handover *handover, int socket, int control, int idle) {
  const struct kernel_sigaction ignored = {.handler = 1};
  const sigmask none = 0;
  int fds[] = {socket, (int)make_handover(pid1.start, handover), control, idle};
  if (fds[1] < 0) {
    SAY(NO_HANDOVER);
    sys_exit(EXIT_BUG);
  }
  sys(__NR_setsid);
  if (!pid1.is_init) sys(__NR_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  for (int signal = 1; signal <= SIGNALS; signal++)
    if (!(KEPT_SIGNALS & sigbit(signal))) sys_action(signal, &ignored, NULL);
  place_descriptors(fds, 4);
  sys_mask(&none, NULL);
  sys_exit(execute_supervisor(pid1.start, 0));
}

int supervise(const struct start *start) {
  int ends[2], idle[2];
  struct handover handover = {0};
  pid1.start = start;
  pid1.self = (int)sys_getpid();
  pid1.is_init = pid1.self == 1;
  pid1.grace = DEFAULT_GRACE;
  pid1.stop_signals = DEFAULT_STOP;
  if (!has_proc()) {
    SAY("cannot supervise: /proc does not show the processes of this PID namespace. Mount it: mount -t proc proc /proc");
    return 78;
  }
  if (!pid1.is_init) sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // The supervisor opens descriptors of this process through /proc. If its file is executable and not readable, the
  // kernel permits that only for a dumpable process.
  sys(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  for (int fd = 0; fd < 3; fd++)
    if (sys_fcntl(fd, F_GETFD, 0) == -EBADF) {
      int null = (int)open_null();
      if (null >= 0 && null != fd) sys_dup3(null, fd, 0), sys_close(null);
      if (null >= 0) sys_fcntl(fd, F_SETFD, 0);
    }
  if (sys(__NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
    for (int fd = 3; fd < 1024; fd++) sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
  const struct limit most = {start->files.hard, start->files.hard};
  sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &most, NULL);
  pid1.signals = (int)sys_signalfd(~0ull);
  if (pid1.signals < 0 || sys(__NR_socketpair, 1, 1 | O_CLOEXEC | O_NONBLOCK, 0, ends) < 0 || sys(__NR_pipe2, idle, O_CLOEXEC) < 0) {
    SAY("cannot supervise: no descriptors can be opened. Raise the limit of open files (ulimit -n)");
    return EXIT_BUG;
  }
  pid1.socket = ends[0];
  // With the initial capacity of 64 KiB (pipe(7)), writer and reader wait for each other again and again.
  sys_fcntl(1, F_SETPIPE_SZ, 1 << 20);
  sys_fcntl(2, F_SETPIPE_SZ, 1 << 20);
  add_line(&handover, "role=supervise", "");
  add_number(&handover, "pid=", pid1.self);
  add_number(&handover, "marks=", has_marks());
  pid1.control = listen_control(start, &handover);
  long pid = sys_fork();
  if (pid == 0) start_supervisor(&handover, ends[1], pid1.control, idle[0]);
  sys_close(ends[1]);
  sys_close(idle[1]);
  sys_close(idle[0]);
  if (pid < 0) {
    SAY("cannot start the supervisor: no process can be made. Raise the limit of processes (ulimit -u, pids.max)");
    leave(EXIT_BUG);
  }
  pid1.supervisor = (int)pid;
  loop();
}
