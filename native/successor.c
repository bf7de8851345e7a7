// Starts the supervisor, and the next one when it has ended: at once or after a pause, until too many have ended in a row.
// Kills one that answers nothing. The services do not notice: PID 1 has their pipes, sockets and exits. What the successor
// needs to know is in checkpoint.c and in the table of runs.
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
 * Moves descriptors to the numbers that the supervisor expects, from FD_SOCKET on; first above these, so that none is
 * overwritten.
 */
static void place_descriptors(int *fds, int count) {
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) fds[at] = (int)sys_fcntl(fds[at], F_DUPFD_CLOEXEC, FD_SOCKET + count);
  for (int at = 0; at < count; at++)
    if (fds[at] >= 0) sys_dup3(fds[at], FD_SOCKET + at, 0);
}

/** In the child. */
__attribute__((noreturn)) static void become_supervisor(struct handover *handover, int socket, int idle) {
  const struct kernel_sigaction ignored = {.handler = 1};
  const sigmask none = 0;
  int fds[] = {socket, (int)make_handover(pid1.start, handover), pid1.control, idle};
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

/** What the handover says to a successor: how many there were before it, and how those since the last takeover ended. */
static void add_deaths(struct handover *handover) {
  static const char kinds[][8] = {"exit ", "signal ", "hung "};
  if (pid1.restarts == 0) return;
  add_number(handover, "restarts=", pid1.restarts);
  add_number(handover, "died_at=", pid1.died_at);
  add_number(handover, "heard_at=", pid1.died_heard_at);
  for (u32 at = 0; at < pid1.death_count && at < DEATHS_SHOWN; at++) {
    char line[32], *limit = line + sizeof line;
    append_number(append(line, limit, kinds[pid1.deaths[at] >> 8]), limit, pid1.deaths[at] & 255);
    add_line(handover, "death=", line);
  }
}

long launch_supervisor(void) {
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
  pid1.started_at = pid1.heard_at = pid1.last_heard_at = sys_now();
  pid1.asked_at = 0;
  pid1.ping = PING_NONE;
  pid1.is_hung = pid1.has_taken_over = 0;
  pid1.succession = SUCCESSION_NONE;
  return 0;
}

/** Notes a death, and returns the pause before the next supervisor, or -1: too many have ended in a row. */
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

/** Prepares what the next supervisor receives: all records, all runs, and every event that had no effect. */
static void begin_restoring(void) {
  pid1.is_restoring = pid1.restarts > 0;
  clear_writer(&pid1.out);
  pid1.untaken_sent = 0;
  pid1.restore_record = pid1.restore_part = pid1.restore_run = 0;
  pid1.watches = 0;
  pid1.orphan_count = 0;
}

/** Says how a supervisor has ended that has no successor, and stops everything. */
static void end_succession(int dead, int status, const char *why) {
  char pid[24], number[24], count[24];
  int signal = status & 127;
  append_number(pid, pid + sizeof pid, dead);
  append_number(number, number + sizeof number, signal ? signal : status >> 8 & 255);
  append_number(count, count + sizeof count, count_running());
  SAY("the supervisor (pid ", pid, ") ", signal ? "was killed by signal " : "exited with code ", number, why, ": stopping ", count,
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
  // Nothing was kept because nothing was started: the next one is a first one again.
  int is_fresh = pid1.was_taken_over && !is_kept() && !pid1.has_refused && pid1.ends == 0 && count_running() == 0;
  if (!pid1.was_taken_over || (!is_kept() && !is_fresh)) {
    end_succession(dead, status, "");
    return;
  }
  u32 death = pid1.is_hung ? DEATH_HUNG << 8 : signal ? DEATH_SIGNAL << 8 | (u32)signal : DEATH_EXIT << 8 | (u32)(status >> 8 & 255);
  if (pid1.has_taken_over) pid1.death_count = 0, pid1.died_at = now, pid1.died_heard_at = pid1.last_heard_at;
  if (pid1.death_count < DEATHS_SHOWN) pid1.deaths[pid1.death_count] = death;
  pid1.death_count++;
  i64 pause = count_death(now);
  if (pause < 0) {
    end_succession(dead, status, pid1.deaths_young >= pid1.settings.deaths_young_most ? ", as those before it, soon after it had started"
                                                                       : ", as those before it, before it had started");
    return;
  }
  pid1.has_taken_over = 0;
  if (is_fresh) pid1.was_taken_over = 0;
  else pid1.restarts++;
  pid1.succession = SUCCESSION_DUE;
  pid1.start_at = now + pause;
  if (pid1.stop_asked_at) pid1.stop_asked_at = now;
}

/** Whether the supervisor is stopped: by SIGSTOP, or by a tracer (proc_pid_stat(5)). */
static int is_stopped(void) {
  char state = process_state(pid1.supervisor);
  return state == 'T' || state == 't';
}

/**
 * Since when a stop request waits for a supervisor; 0: there is none, or a supervisor carries it out. One that runs and
 * answers nothing counts as well.
 */
static i64 stop_waits_since(void) {
  if (!pid1.stop_asked_at || !pid1.has_taken_over || has_untaken_stop()) return pid1.stop_asked_at;
  return pid1.asked_at > pid1.stop_asked_at ? pid1.asked_at : pid1.asked_at ? pid1.stop_asked_at : 0;
}

/** Whether a stop request has to be carried out without a supervisor. */
static int is_stop_due(i64 now) {
  i64 since = stop_waits_since(), half = pid1.grace / 2;
  if (!since || now < since + pid1.settings.stop_wait) return 0;
  // One that runs and is slow still has half of the time.
  return !pid1.has_taken_over || is_stopped() || (has_untaken_stop() && now >= since + half);
}

/** When the supervisor is asked whether it is there, or is killed because it did not answer; -1: never. */
static i64 hung_at(void) {
  i64 after = pid1.settings.hung_after;
  if (pid1.supervisor <= 0 || after == 0) return -1;
  if (!pid1.asked_at) return pid1.heard_at + after;
  return pid1.asked_at + (pid1.ping ? after : after / 2);
}

static i64 earlier(i64 one, i64 other) { return one < 0 ? other : other < 0 || one < other ? one : other; }

i64 attend_at(i64 now) {
  enum { TICK = 1000 };
  if (pid1.is_alone) return -1;
  i64 at = hung_at(), since = stop_waits_since();
  if (pid1.succession == SUCCESSION_DUE) at = earlier(at, pid1.start_at);
  if (since) at = earlier(at, since + pid1.settings.stop_wait > now ? since + pid1.settings.stop_wait : now + TICK / 10);
  // An absence is noticed only by a wait that ends late.
  return at > now + TICK && pid1.asked_at ? now + TICK : at;
}

void discount_absence(i64 by) {
  pid1.heard_at += by;
  if (pid1.asked_at) pid1.asked_at += by;
  pid1.start_at += by;
  pid1.started_at += by;
  pid1.taken_over_at += by;
  if (pid1.stop_asked_at) pid1.stop_asked_at += by;
  if (pid1.stop_received_at) pid1.stop_received_at += by;
}

/** Ends a supervisor that is of no more use, so that everything can be stopped without it. */
static void stop_without(void) {
  char count[24];
  append_number(count, count + sizeof count, count_running());
  SAY("asked to stop, and no supervisor answers: stopping ", count, " running processes without it");
  if (pid1.supervisor > 0) sys_kill(pid1.supervisor, SIGKILL);
  begin_stop(1);
}

void attend_supervisor(i64 now) {
  if (pid1.is_alone) return;
  if (is_stop_due(now)) {
    stop_without();
    return;
  }
  if (pid1.succession == SUCCESSION_DUE && now >= pid1.start_at) {
    // Without room for a process or descriptors the services go on; the next try may find some.
    if (launch_supervisor() < 0) {
      if (!pid1.has_reported_no_room)
        SAY("no supervisor can be started: no process or no descriptor is left. The services go on; trying again every second");
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
    if (!pid1.asked_at) pid1.asked_at = now;
    return;
  }
  pid1.is_hung = 1;
  pid1.ping = PING_NONE;
  pid1.asked_at = 0;
  pid1.heard_at = now;
  sys_kill(pid1.supervisor, SIGKILL);
}
