// `svc-super exec` and `shell` on a terminal: the command gets a pseudo-terminal (pty(7)) as its controlling terminal, so that
// line editing, window size, Ctrl-C and job control work for it. Copies bytes between the two terminals until the
// supervisor's file exits with the command's code, and restores the user's terminal, even if this process is killed.
// Never starts the command: the supervisor's file requests that.
#include "handover.h"

/** struct termios of the kernel, not that of libc: ioctl_tty(2). */
struct settings { u32 input, output, control, local; u8 line, characters[19]; };
enum { BUFFER = 8192 };

/** The user's terminal: its settings before, and those that this file sets. */
static struct settings before, raw;
/** Whether the user's terminal has had `raw`. */
static int has_been_raw;

static long get_settings(int fd, struct settings *settings) { return sys(__NR_ioctl, fd, TCGETS, settings); }
/** A process in the background may do this only if it blocks SIGTTOU, as all processes here do. */
static void set_settings(int fd, const struct settings *settings) { sys(__NR_ioctl, fd, TCSETSW, settings); }

/** Whether a shell or another program has not changed the settings that this file has set. */
static int is_raw(void) {
  struct settings now;
  return get_settings(0, &now) == 0 && now.input == raw.input && now.output == raw.output && now.local == raw.local;
}

/** Input that the command's terminal has not accepted yet. */
struct typed { u8 bytes[BUFFER]; u32 from, to; };

/** Turns off all line editing of the user's terminal, because the command's terminal does it. */
static void make_raw(struct settings *settings) {
  settings->input &= ~(u32)(002 | 020 | 040 | 0100 | 0200 | 0400 | 02000);  // BRKINT INPCK ISTRIP INLCR IGNCR ICRNL IXON
  settings->local &= ~(u32)(001 | 002 | 010 | 0100 | 0100000);              // ISIG ICANON ECHO ECHONL IEXTEN
  settings->output &= ~(u32)001;                                           // OPOST
}

static void copy_size(int from, int to) {
  u16 size[4];
  if (sys(__NR_ioctl, from, TIOCGWINSZ, size) == 0) sys(__NR_ioctl, to, TIOCSWINSZ, size);
}

/** Copies the available output to standard output. Returns the number of bytes read; 0 if there is none now. */
static long pass_output(int terminal) {
  u8 bytes[BUFFER];
  long size = sys_read(terminal, bytes, sizeof bytes);
  for (long at = 0; at < size;) {
    long written = sys_write(1, bytes + at, (size_t)(size - at));
    struct pollfd writable = {.fd = 1, .events = POLLOUT};
    if (written > 0) at += written;
    else if (written == -EAGAIN) sys_poll(&writable, 1, NULL);
    else if (written != -EINTR) break;
  }
  return size > 0 ? size : 0;
}

/** Returns 0 when the user's terminal is gone. */
static int pass_input(int terminal, struct typed *typed, int is_readable) {
  long size = 1;
  if (typed->from == typed->to) {
    if (is_readable) size = sys_read(0, typed->bytes, sizeof typed->bytes);
    typed->from = 0;
    typed->to = is_readable && size > 0 ? (u32)size : 0;
  }
  long written = typed->from < typed->to ? sys_write(terminal, typed->bytes + typed->from, typed->to - typed->from) : 0;
  if (written > 0) typed->from += (u32)written;
  return size > 0 || size == -EINTR || size == -EAGAIN;
}

static int is_in_foreground(void) {
  i32 group = 0;
  return sys(__NR_ioctl, 0, TIOCGPGRP, &group) < 0 || group == sys(__NR_getpgid, 0);
}

/** Takes the user's terminal, at first and again after a stop: the shell has changed its settings. In the background it is the shell's. */
static void take_terminal(int terminal) {
  if (!is_in_foreground()) return;
  set_settings(0, &raw);
  has_been_raw = 1;
  copy_size(0, terminal);
}

/** Stops this process as the default action of SIGTSTP would, with the user's terminal as it was before. */
static void stop_here(int terminal) {
  if (is_in_foreground() && is_raw()) set_settings(0, &before);
  sys_kill((int)sys_getpid(), SIGSTOP);
  take_terminal(terminal);
}

/** `child`: the supervisor's file. */
static void pass_signal(int signal, int terminal, int child) {
  if (signal == SIGWINCH) copy_size(0, terminal);
  else if (signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) stop_here(terminal);
  else if (signal == SIGCONT) take_terminal(terminal);
  else if (signal != SIGCHLD) sys_kill(child, signal);
}

/** Copies input, output and signals (of the signalfd `signals`) until the child has ended. Returns its wait status. */
static int pass_on(int terminal, int signals, int child) {
  struct typed typed = {.from = 0, .to = 0};
  struct signal_info info;
  int status = 0, has_ended = 0, has_user = 1;
  while (!has_ended) {
    int is_waiting = typed.from < typed.to;
    struct pollfd fds[] = {
      {.fd = signals, .events = POLLIN},
      {.fd = is_waiting || !has_user ? -1 : 0, .events = POLLIN},
      {.fd = terminal, .events = (short)(POLLIN | (is_waiting ? POLLOUT : 0))},
    };
    sys_poll(fds, 3, NULL);
    // A shell sends no SIGCONT when it brings a job to the foreground that it has started in the background.
    if (fds[1].revents && !has_been_raw) take_terminal(terminal);
    if (fds[2].revents & POLLIN) pass_output(terminal);
    if ((is_waiting || fds[1].revents) && !pass_input(terminal, &typed, fds[1].revents != 0)) {
      if (!is_in_foreground()) {
        // SIGTTIN is blocked: the read has failed instead (setpgid(2)).
        stop_here(terminal);
        continue;
      }
      // A terminal that is not the controlling one sends no signal when it disappears.
      has_user = 0;
      sys_kill(child, SIGHUP);
    }
    while (sys_read(signals, &info, sizeof info) == sizeof info) pass_signal((int)info.signo, terminal, child);
    has_ended = sys_wait4(child, &status, WNOHANG) == child;
  }
  while (pass_output(terminal)) continue;
  return status;
}

/**
 * Starts a process that restores the user's terminal if this process is killed. Returns the descriptor to close at the end,
 * or minus an errno.
 */
static long start_keeper(int *keeper) {
  int ends[2];
  u8 byte;
  long failure = sys(__NR_pipe2, ends, O_CLOEXEC);
  if (failure < 0) return failure;
  long child = sys_fork();
  if (child == 0) {
    sys_close(ends[1]);
    // Returns at the end of the other process, whatever its cause.
    sys_read(ends[0], &byte, 1);
    if (is_raw()) set_settings(0, &before);
    sys_exit(0);
  }
  sys_close(ends[0]);
  *keeper = (int)child;
  if (child >= 0) return ends[1];
  sys_close(ends[1]);
  return child;
}

int exec_on_terminal(const struct start *start, struct handover *handover) {
  char path[32];
  int keeper = -1, self = (int)sys_getpid();
  int locked = 0;
  u32 number;
  int is_terminal = get_settings(0, &before) == 0 && get_settings(1, &raw) == 0;
  long terminal = is_terminal ? sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK) : -1;
  if (terminal < 0 || sys(__NR_ioctl, terminal, TIOCSPTLCK, &locked) < 0 || sys(__NR_ioctl, terminal, TIOCGPTN, &number) < 0)
    return hand_over(start, handover, 0);
  append_number(append(path, path + sizeof path, "/dev/pts/"), path + sizeof path, number);
  raw = before;
  make_raw(&raw);
  // The other end is held open, so that the terminal does not hang up before all output of the command was read.
  int signals = (int)sys_signalfd(~0ull);
  if (signals < 0 || sys_open(path, O_RDWR | O_NOCTTY) < 0) return hand_over(start, handover, 0);
  copy_size(0, (int)terminal);
  set_settings((int)terminal, &before);
  long child = sys_fork();
  if (child == 0) {
    end_with_parent(self);
    add_line(handover, "terminal=", path);
    sys_exit(hand_over(start, handover, 0));
  }
  if (child < 0) {
    MESSAGE("cannot run the command: no process can be created");
    return 70;
  }
  sys_close(FD_CONTROL);
  long kept = start_keeper(&keeper);
  take_terminal((int)terminal);
  int status = pass_on((int)terminal, signals, (int)child);
  if (is_in_foreground() || is_raw()) set_settings(0, &before);
  if (kept >= 0) {
    sys_close((int)kept);
    sys_wait4(keeper, NULL, 0);
  }
  return status & 127 ? 128 + (status & 127) : status >> 8 & 255;
}
