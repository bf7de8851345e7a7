// Starts the supervisor, and its successor when it has ended: at once or after a pause, until too many have ended in a row.
// Kills a supervisor that does not respond. Services are not affected: PID 1 owns their pipes, sockets and exit statuses. The
// state for the successor is in checkpoint.c and in the table of runs.
#include "supervise.h"

/**
 * Signals that keep their default action in the supervisor, which ignores all others so that none ends it. 32 and 33
 * belong to libc; 62 is the runtime's (JSC_SIGNAL_FOR_GC in handover.c).
 */
#define KEPT_SIGNALS (sigbit(SIGCHLD) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGABRT) | sigbit(SIGBUS) | sigbit(SIGFPE) | \
                      sigbit(SIGSEGV) | sigbit(SIGSYS) | sigbit(SIGKILL) | sigbit(SIGSTOP) | sigbit(SIGCONT) | sigbit(32) | \
                      sigbit(33) | sigbit(62))

/** The first pause between two supervisors, and the wait for room in the process table, milliseconds. */
enum { PAUSE_FIRST = 100, FORK_PAUSE = 1000 };

/**
 * Moves descriptors to the numbers that the supervisor expects, from FD_PID1 on; first above these, so that none is
 * overwritten. -1 stands for a descriptor that there is not. Returns 0, or minus an errno.
 */
static long place_descriptors(int *fds, int count) {
  long placed = 0;
  for (int at = 0; at < count && placed >= 0; at++)
    if (fds[at] >= 0) fds[at] = (int)(placed = sys_fcntl(fds[at], F_DUPFD_CLOEXEC, FD_PID1 + count));
  for (int at = 0; at < count && placed >= 0; at++)
    if (fds[at] >= 0) placed = sys_dup3(fds[at], FD_PID1 + at, 0);
  return placed < 0 ? placed : 0;
}

/** Executes the supervisor's file. Runs in the child. */
__attribute__((noreturn)) static void become_supervisor(struct handover *handover, int socket, int idle) {
  const struct kernel_sigaction ignored = {.handler = 1};
  const sigmask none = 0;
  int fds[] = {socket, (int)make_handover(pid1.start, handover), pid1.control, idle};
  if (fds[1] < 0 || place_descriptors(fds, 4) < 0) {
    MESSAGE(NO_HANDOVER);
    sys_exit(EXIT_BUG);
  }
  sys(__NR_setsid);
  for (int signal = 1; signal <= SIGNALS; signal++)
    if (!(KEPT_SIGNALS & sigbit(signal))) sys_action(signal, &ignored, NULL);
  sys_mask(&none, NULL);
  sys_exit(execute_supervisor(pid1.start, 0));
}

/** Adds to the handover how many supervisors there were, and how those since the last takeover ended. */
static void add_deaths(struct handover *handover) {
  static const char kinds[][8] = {"exit ", "signal ", "hung "};
  if (pid1.restarts == 0) return;
  add_number(handover, "restarts=", pid1.restarts);
  add_number(handover, "died_at=", pid1.died_at);
  add_number(handover, "heard_at=", pid1.died_received_at);
  for (u32 at = 0; at < pid1.death_count; at++) {
    char line[32], *limit = line + sizeof line;
    append_number(append(line, limit, kinds[pid1.deaths[at] >> 8]), limit, pid1.deaths[at] & 255);
    add_line(handover, "death=", line);
  }
}

long launch_supervisor(void) {
  // The supervisor's threads read from `idle`, whose writing end the supervisor opens through /proc (src/platform/threads.ts).
  int ends[2], idle[2];
  long failure = sys(__NR_socketpair, 1, 1 | O_CLOEXEC | O_NONBLOCK, 0, ends);
  if (failure < 0) return failure;
  failure = sys(__NR_pipe2, idle, O_CLOEXEC);
  long pid = failure < 0 ? failure : sys_fork();
  if (pid == 0) {
    static struct handover handover;
    handover = pid1.handover;
    add_deaths(&handover);
    become_supervisor(&handover, ends[1], idle[0]);
  }
  if (failure >= 0) sys_close(idle[0]), sys_close(idle[1]);
  sys_close(ends[1]);
  if (pid < 0) {
    sys_close(ends[0]);
    return pid;
  }
  pid1.supervisor = (int)pid;
  pid1.socket = ends[0];
  pid1.started_at = pid1.received_at = pid1.last_received_at = sys_now();
  pid1.unanswered_since = 0;
  pid1.ping = PING_NONE;
  pid1.is_hung = pid1.has_taken_over = 0;
  return 0;
}

/** Counts a death. Returns the pause before the next supervisor, or -1 if too many have ended in a row. */
static i64 count_death(i64 now) {
  if (!pid1.has_taken_over) pid1.deaths_before++;
  else {
    pid1.deaths_before = 0;
    pid1.deaths_young = now - pid1.taken_over_at < YOUNG ? pid1.deaths_young + 1 : 0;
  }
  if (pid1.deaths_before >= pid1.settings.deaths_before_most || pid1.deaths_young >= pid1.settings.deaths_young_most) return -1;
  if (now - pid1.started_at >= YOUNG) pid1.pause = 0;
  i64 pause = pid1.pause;
  pid1.pause = pause == 0 ? PAUSE_FIRST : pid1.pause * 2;
  if (pid1.pause > pid1.settings.pause_most) pid1.pause = pid1.settings.pause_most;
  return pause < pid1.settings.pause_most ? pause : pid1.settings.pause_most;
}

/** Prepares the state for the successor: all records, all runs, and every pending event. */
static void begin_restoring(void) {
  pid1.is_restoring = pid1.restarts > 0;
  clear_writer(&pid1.out);
  pid1.pending_sent = 0;
  pid1.restore_record = pid1.restore_part = pid1.restore_run = 0;
  pid1.watches = 0;
  pid1.orphan_count = 0;
}

/** Prints how the supervisor has ended, and stops all services, because there is no successor. */
static void end_succession(int dead, int status, const char *why) {
  char pid[24], number[24], count[24];
  int signal = status & 127;
  const char *how = pid1.is_hung ? "was killed because it did not respond" : signal ? "was killed by signal " : "exited with code ";
  append_number(pid, pid + sizeof pid, dead);
  append_number(number, number + sizeof number, signal ? signal : status >> 8 & 255);
  append_number(count, count + sizeof count, count_running());
  MESSAGE("the supervisor (pid ", pid, ") ", how, pid1.is_hung ? "" : number, why, ": stopping ", count,
      " running processes, exit code 70");
  begin_stop(0);
}

void lose_supervisor(int status) {
  i64 now = sys_now();
  int signal = status & 127, dead = pid1.supervisor;
  pid1.supervisor = 0;
  read_last_requests();
  if (!pid1.was_taken_over && signal == 0) leave(status >> 8 & 255);
  if (pid1.is_alone) return;
  // No record was stored, because no service was started: the next supervisor starts like the first one. Not after one whose protocol
  // PID 1 has refused.
  int is_fresh = pid1.was_taken_over && !has_complete_checkpoint() && !pid1.has_refused && pid1.ends == 0 && count_running() == 0;
  if (!pid1.was_taken_over || (!has_complete_checkpoint() && !is_fresh)) {
    end_succession(dead, status, "");
    return;
  }
  u32 death = pid1.is_hung ? DEATH_HUNG << 8 : signal ? DEATH_SIGNAL << 8 | (u32)signal : DEATH_EXIT << 8 | (u32)(status >> 8 & 255);
  if (pid1.has_taken_over) pid1.death_count = 0, pid1.died_at = now, pid1.died_received_at = pid1.last_received_at;
  if (pid1.death_count < DEATHS_SHOWN) pid1.deaths[pid1.death_count++] = death;
  i64 pause = count_death(now);
  if (pause < 0) {
    end_succession(dead, status, pid1.deaths_young >= pid1.settings.deaths_young_most ? ", as those before it, soon after it had started"
                                                                       : ", as those before it, before it had started");
    return;
  }
  pid1.has_taken_over = 0;
  if (is_fresh) pid1.was_taken_over = 0;
  else pid1.restarts++;
  pid1.start_at = now + pause;
  if (pid1.stop_requested_at) pid1.stop_requested_at = now;
}

/** Whether the supervisor is stopped: by SIGSTOP, or by a tracer (proc_pid_stat(5)). */
static int is_stopped(void) {
  char state = process_state(pid1.supervisor);
  return state == 'T' || state == 't';
}

/**
 * The time since which a stop request has waited for a supervisor; 0: there is no request, or a supervisor carries it out. A
 * request also waits if the supervisor runs but does not respond.
 */
static i64 stop_waits_since(void) {
  if (!pid1.stop_requested_at || !pid1.has_taken_over || has_pending_stop()) return pid1.stop_requested_at;
  return pid1.unanswered_since > pid1.stop_requested_at ? pid1.unanswered_since : pid1.unanswered_since ? pid1.stop_requested_at : 0;
}

/** Whether PID 1 must carry out a stop request without a supervisor. */
static int is_stop_due(i64 now) {
  i64 since = stop_waits_since(), half = pid1.grace / 2;
  if (!since || now < since + pid1.settings.stop_wait) return 0;
  // A supervisor that runs and is slow has half of the grace period.
  return !pid1.has_taken_over || is_stopped() || (has_pending_stop() && now >= since + half);
}

/**
 * The time at which a ping is sent to the supervisor, or at which it is killed if it did not respond; -1: never. If another frame waits
 * for a response, the ping follows after half of the time, so that a supervisor that has no reason to respond to that frame responds
 * to the ping.
 */
static i64 hung_at(void) {
  i64 after = pid1.settings.hung_after;
  if (pid1.supervisor <= 0 || after == 0) return -1;
  if (!pid1.unanswered_since) return pid1.received_at + after;
  return pid1.unanswered_since + (pid1.ping ? after : after / 2);
}

static i64 earlier(i64 one, i64 other) { return one < 0 ? other : other < 0 || one < other ? one : other; }

i64 next_check_at(i64 now) {
  enum { TICK = 1000 };
  if (pid1.is_alone) return -1;
  i64 at = hung_at(), since = stop_waits_since();
  if (pid1.supervisor == 0) at = earlier(at, pid1.start_at);
  if (since) at = earlier(at, since + pid1.settings.stop_wait > now ? since + pid1.settings.stop_wait : now + TICK / 10);
  // Limits the wait, because an absence is detected only by a wait that ends late.
  return at > now + TICK && pid1.unanswered_since ? now + TICK : at;
}

void shift_deadlines(i64 by) {
  pid1.received_at += by;
  if (pid1.unanswered_since) pid1.unanswered_since += by;
  pid1.start_at += by;
  pid1.started_at += by;
  pid1.taken_over_at += by;
  if (pid1.stop_requested_at) pid1.stop_requested_at += by;
  if (pid1.stop_received_at) pid1.stop_received_at += by;
  pid1.deadline += by;
}

/** Kills the supervisor, and stops all services without it. */
static void stop_without(void) {
  char count[24];
  append_number(count, count + sizeof count, count_running());
  MESSAGE("a stop was requested, and the supervisor does not respond: stopping ", count, " running processes without it");
  if (pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
  begin_stop(1);
}

void check_supervisor(i64 now) {
  if (pid1.is_alone) return;
  if (is_stop_due(now)) {
    stop_without();
    return;
  }
  if (pid1.supervisor == 0 && now >= pid1.start_at) {
    // If no process or descriptor is available, the services keep running, and the next attempt may succeed.
    if (launch_supervisor() < 0) {
      if (!pid1.has_reported_no_room)
        MESSAGE("no supervisor can be started: no process or no descriptor is left. The services keep running; trying again every second");
      pid1.has_reported_no_room = 1;
      pid1.start_at = now + FORK_PAUSE;
    } else {
      pid1.has_reported_no_room = 0;
      begin_restoring();
    }
  }
  i64 at = hung_at();
  if (at < 0 || now < at) return;
  if (!pid1.ping) {
    pid1.ping = PING_DUE;
    if (!pid1.unanswered_since) pid1.unanswered_since = now;
    return;
  }
  pid1.is_hung = 1;
  pid1.ping = PING_NONE;
  pid1.unanswered_since = 0;
  pid1.received_at = now;
  sys_kill(pid1.supervisor, SIGKILL);
}
