// `svc-super exec` on a terminal: the command gets a pseudo-terminal (pty(7)) as its controlling terminal, so that line
// editing, window size, Ctrl-C and job control work for it. Copies bytes between the two terminals until the
// supervisor's file exits with the command's code. Never starts the command: the supervisor's file requests that.
#include "handover.h"

/** struct termios of the kernel, not that of libc: ioctl_tty(2). */
struct settings { u32 input, output, control, local; u8 line, characters[19]; };
enum { BUFFER = 8192 };

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
    if (written > 0) at += written;
    else if (written != -EINTR && written != -EAGAIN) break;
  }
  return size > 0 ? size : 0;
}

static void pass_input(int terminal, struct typed *typed, int is_readable) {
  if (typed->from == typed->to) {
    long size = is_readable ? sys_read(0, typed->bytes, sizeof typed->bytes) : 0;
    typed->from = 0;
    typed->to = size > 0 ? (u32)size : 0;
  }
  long written = typed->from < typed->to ? sys_write(terminal, typed->bytes + typed->from, typed->to - typed->from) : 0;
  if (written > 0) typed->from += (u32)written;
}

/** Copies input, output and signals until the child has ended. Returns its wait status. */
static int pass_on(int terminal, int child) {
  struct typed typed = {.from = 0, .to = 0};
  struct signal_info info;
  int status = 0, has_ended = 0, signals = (int)sys_signalfd(~0ull);
  while (!has_ended) {
    int is_waiting = typed.from < typed.to;
    struct pollfd fds[] = {
      {.fd = signals, .events = POLLIN},
      {.fd = is_waiting ? -1 : 0, .events = POLLIN},
      {.fd = terminal, .events = (short)(POLLIN | (is_waiting ? POLLOUT : 0))},
    };
    sys_poll(fds, 3, NULL);
    if (fds[2].revents & POLLIN) pass_output(terminal);
    if (is_waiting || fds[1].revents) pass_input(terminal, &typed, fds[1].revents != 0);
    while (sys_read(signals, &info, sizeof info) == sizeof info) {
      if (info.signo == SIGWINCH) copy_size(0, terminal);
      else if (info.signo != SIGCHLD) sys_kill(child, (int)info.signo);
    }
    has_ended = sys_wait4(child, &status, WNOHANG) == child;
  }
  while (pass_output(terminal)) continue;
  return status;
}

int exec_on_terminal(const struct start *start, struct handover *handover) {
  struct settings before, raw;
  char path[32];
  int locked = 0;
  u32 number;
  int is_terminal = sys(__NR_ioctl, 0, TCGETS, &before) == 0 && sys(__NR_ioctl, 1, TCGETS, &raw) == 0;
  long terminal = is_terminal ? sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK) : -1;
  if (terminal < 0 || sys(__NR_ioctl, terminal, TIOCSPTLCK, &locked) < 0 || sys(__NR_ioctl, terminal, TIOCGPTN, &number) < 0)
    return hand_over(start, handover, 0);
  append_number(append(path, path + sizeof path, "/dev/pts/"), path + sizeof path, number);
  // Held open, so that the terminal does not hang up before all output of the command was read.
  sys_open(path, O_RDWR | O_NOCTTY);
  copy_size(0, (int)terminal);
  raw = before;
  make_raw(&raw);
  long child = sys_fork();
  if (child == 0) {
    add_line(handover, "terminal=", path);
    sys_exit(hand_over(start, handover, 0));
  }
  if (child < 0) {
    MESSAGE("cannot run the command: no process can be created");
    return 70;
  }
  sys_close(FD_CONTROL);
  sys(__NR_ioctl, 0, TCSETS + 1 /* TCSETSW */, &raw);
  int status = pass_on((int)terminal, (int)child);
  sys(__NR_ioctl, 0, TCSETS + 1, &before);
  return status & 127 ? 128 + (status & 127) : status >> 8 & 255;
}
