// PID 1 without a supervisor: stops all services at the same time, with their stop signal, a grace period and SIGKILL.
// Copies their output in the meantime. Never starts a program.
#include "supervise.h"

enum { KILLED_GRACE = 2000 };

u32 count_running(void) {
  u32 running = 0;
  for (u32 slot = 0; slot < pid1.run_count; slot++) running += pid1.runs[slot].pid > 0 && !pid1.runs[slot].exited;
  return running;
}

void begin_stop(int is_requested) {
  pid1.is_alone = 1;
  pid1.is_requested = is_requested;
  // Only a stop signal that arrives from now on is a second request.
  pid1.received = 0;
  // New connections fail at once, so that no command waits for a reply.
  if (pid1.control >= 0) sys_close(pid1.control);
  pid1.control = -1;
  // A stop request has one deadline, with or without a supervisor.
  pid1.deadline = (pid1.stop_received_at ? pid1.stop_received_at : sys_now()) + pid1.grace;
  // The remaining requests are dropped. Notify sockets are closed, so that no program waits for a reader.
  close_socket();
  for (u32 slot = 0; slot < pid1.run_count; slot++) {
    struct run *run = &pid1.runs[slot];
    if (run->phase != RUN_FREE && run->notify >= 0) sys_close(run->notify), run->notify = -1;
    if (run->pid <= 0 || run->exited) continue;
    if (!run->stop_sent) sys_kill(run->pid, run->stop_signal ? (int)run->stop_signal : SIGTERM);
    sys_kill(run->pid, SIGCONT);
  }
}

int code_of_stop(void) { return !pid1.is_requested ? EXIT_BUG : pid1.had_to_kill ? 128 + SIGKILL : 0; }

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
  if (pid1.is_init) sys_kill(-1, SIGKILL);
  else kill_children();
}

int continue_stop(i64 now) {
  if (pid1.received & pid1.stop_signals) pid1.deadline = now;
  pid1.received = 0;
  if (count_running() > 0 && now < pid1.deadline && !pid1.was_killed) return 0;
  if (!pid1.was_killed) pid1.deadline = now + KILLED_GRACE, pid1.had_to_kill = count_running() > 0;
  pid1.was_killed = 1;
  kill_all();
  reap_children();
  // A process that outlives SIGKILL is blocked in the kernel, by a device or a file system: wait at most KILLED_GRACE
  // for it.
  return sys_wait4(-1, NULL, WNOHANG) == -ECHILD || now >= pid1.deadline;
}

void drain(struct run *run, int pipe) {
  u8 bytes[4096];
  u32 at = 0;
  while (at < run->pipe_count && run->pipes[at] != pipe) at++;
  if (at == run->pipe_count) return;
  long size = sys_read(pipe, bytes, sizeof bytes);
  // A pipe at end of file would wake poll(2) continuously.
  if (size == 0) sys_close(pipe), run->pipes[at] = -1;
  // The first two pipes are standard output and standard error; any other pipe is for notifications.
  struct pollfd out = {.fd = at == 1 ? 2 : 1, .events = POLLOUT};
  struct time none = {0, 0};
  if (at < 2 && size > 0 && sys_poll(&out, 1, &none) == 1 && (out.revents & POLLOUT)) sys_write(out.fd, bytes, (size_t)size);
}
