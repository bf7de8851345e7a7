// `svc-super top`: waits for the child that executes the supervisor's file and draws on the whole terminal. If a signal killed the
// child, restores the terminal, because the child could not. Draws nothing.
#include "handover.h"

/** At least as large as the kernel's struct termios (TCGETS, TCSETSW: ioctl_tty(2)), whose fields are not read here. */
struct saved { u8 bytes[60]; };

/**
 * Ends every mode that `top` may have set: mouse reports, automatic wrapping off, a synchronized update, colours, the alternate
 * screen, a hidden cursor. src/cli/top/terminal.ts has the same text.
 */
static const char restore[] = "\033[?1006l\033[?1000l\033[?7h\033[?2026l\033[0m\033[?1049l\033[?25h";

/**
 * Stops this process: the child has sent SIGTSTP to its whole process group, and has stopped. The kernel discards the signal if no
 * shell can continue the group (setpgid(2), orphaned process groups).
 */
static void stop_here(void) {
  const sigmask all = ~0ull, others = ~sigbit(SIGTSTP);
  sys_kill((int)sys_getpid(), SIGTSTP);
  sys_mask(&others, NULL);
  sys_mask(&all, NULL);
}

/** Whether a signal must not be passed on: the child has received it too, or it concerns this process only. */
static int is_own(int signal) {
  return signal == SIGCHLD || signal == SIGCONT || signal == SIGWINCH || signal == SIGTTIN || signal == SIGTTOU;
}

/** Passes signals on until the child has ended; returns the wait status of the child. */
static int wait_for(int child) {
  struct signal_info info;
  int status = 0, signals = (int)sys_signalfd(~0ull);
  for (;;) {
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}};
    long ended = sys_wait4(child, &status, WNOHANG);
    if (ended != 0) return ended == child ? status : 0;
    sys_poll(fds, 1, NULL);
    while (sys_read(signals, &info, sizeof info) == sizeof info) {
      if (info.signo == SIGTSTP) stop_here();
      else if (!is_own((int)info.signo)) sys_kill(child, (int)info.signo);
    }
  }
}

int run_on_screen(const struct start *start, struct handover *handover) {
  struct saved before;
  long parent = sys_getpid(), child = sys(__NR_ioctl, 0, TCGETS, &before) == 0 ? sys_fork() : -1;
  if (child < 0) return hand_over(start, handover, 0);
  if (child == 0) {
    // If this process dies, the child has to end: the shell would read the terminal at the same time.
    sys(__NR_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (sys(__NR_getppid) != parent) sys_exit(128 + SIGTERM);
    sys_exit(hand_over(start, handover, 0));
  }
  sys_close(FD_CONTROL);
  int status = wait_for((int)child), signal = status & 127;
  if (signal == 0) return status >> 8 & 255;
  char number[24];
  sys_write(1, restore, sizeof restore - 1);
  sys(__NR_ioctl, 0, TCSETS + 1 /* TCSETSW */, &before);
  append_number(number, number + sizeof number, signal);
  MESSAGE("top was ended by signal ", number, "; the services run on");
  return 128 + signal;
}
