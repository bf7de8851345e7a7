/* The services that every contestant supervises in the benchmarks: small, static, and the same for all. Each writes its events
   to a named pipe, one line each: the monotonic clock in nanoseconds, its name, the event, a number.
   `mark PIPE NAME run | exit MS CODE | http PORT MS | lines MEGABYTES | storm COUNT`. Measures no contestant itself. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int events = -1;
static const char *name;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Shorter than PIPE_BUF, so that lines of many writers do not mix. */
static void tell_at(long long at, const char *event, long value) {
  char line[256];
  int length = snprintf(line, sizeof line, "%lld %s %s %ld\n", at, name, event, value);
  if (write(events, line, length) < 0) return;
}

static void tell(const char *event, long value) { tell_at(now(), event, value); }

static void rest(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) continue;
}

static void well_behaved(int signal) {
  tell("term", signal);
  _exit(0);
}

static void run(void) {
  for (;;) pause();
}

/* Listens at once, as servers that load do, and responds with 503 until MS have passed since its exec. */
static void serve(int port, long ms, long long began) {
  const int on = 1;
  int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(door, (struct sockaddr *)&here, sizeof here) < 0 || listen(door, 64) < 0) {
    tell("cannot-listen", errno);
    _exit(1);
  }
  const long long good_at = began + ms * 1000000LL;
  tell_at(good_at, "becomes-good", 0);
  long asked = 0;
  int told = 0;
  for (;;) {
    int caller = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    if (caller < 0) continue;
    char request[4096];
    struct timeval limit = {1, 0};
    setsockopt(caller, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ssize_t got = read(caller, request, sizeof request);
    if (got > 0) {
      asked += 1;
      const int good = now() >= good_at;
      const char *answer = good ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                                : "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\nConnection: close\r\n\r\nloading";
      if (good && !told) {
        told = 1;
        tell("good", asked);
      }
      if (write(caller, answer, strlen(answer)) < 0) tell("caller-gone", errno);
    }
    close(caller);
  }
}

/* Writes as fast as possible: lines of 160 bytes like those of a model server, 64 KiB per write. */
static void lines(long megabytes) {
  enum { LINE = 160, BLOCK = LINE * 400 };
  static char block[BLOCK];
  for (int at = 0; at < BLOCK; at += LINE) {
    char line[LINE + 1];
    int length = snprintf(line, sizeof line,
                          "INFO 12-01 01:48:42 [launcher.py:100] 127.0.0.1:%d - \"POST /v1/chat/completions HTTP/1.1\" 200 OK",
                          10000 + at / LINE);
    memset(line + length, ' ', LINE - length);
    line[LINE - 1] = '\n';
    memcpy(block + at, line, LINE);
  }
  /* Time to measure the previous usage of the contestant. */
  rest(400);
  const long blocks = megabytes * 1000000L / BLOCK;
  tell("flood", blocks * (BLOCK / LINE));
  for (long count = 0; count < blocks; count += 1) {
    for (ssize_t done = 0; done < BLOCK;) {
      ssize_t wrote = write(STDOUT_FILENO, block + done, BLOCK - done);
      if (wrote > 0) {
        done += wrote;
      } else if (errno == EAGAIN) {
        struct pollfd ready = {STDOUT_FILENO, POLLOUT, 0};
        poll(&ready, 1, -1);
      } else {
        tell("cannot-write", errno);
        run();
      }
    }
  }
  tell("written", megabytes);
}

/* COUNT orphans in one process group, all of which exit at the same time. The group exists until the last is reaped. */
static void storm(long count) {
  int gate[2], made[2];
  if (pipe(gate) < 0 || pipe(made) < 0) _exit(1);
  const pid_t maker = fork();
  if (maker == 0) {
    setpgid(0, 0);
    signal(SIGTERM, SIG_DFL);
    for (long index = 0; index < count; index += 1) {
      pid_t orphan = fork();
      if (orphan == 0) {
        char end;
        close(gate[1]);
        close(made[0]);
        close(made[1]);
        while (read(gate[0], &end, 1) < 0) continue;
        _exit(0);
      }
      if (orphan < 0) {
        tell("cannot-fork", errno);
        break;
      }
    }
    _exit(0);
  }
  setpgid(maker, maker);
  close(made[1]);
  waitpid(maker, NULL, 0);
  char end;
  while (read(made[0], &end, 1) < 0) continue;
  rest(50);
  tell("released", count);
  close(gate[1]);
  close(gate[0]);
  while (kill(-maker, 0) == 0 || errno != ESRCH) {
    struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
  }
  tell("reaped", count);
}

int main(int count, char **argument) {
  const long long began = now();
  if (count < 4) return 64;
  events = open(argument[1], O_WRONLY | O_CLOEXEC);
  name = argument[2];
  tell_at(began, "exec", getpid());
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  struct sigaction ending = {.sa_handler = well_behaved};
  sigaction(SIGTERM, &ending, NULL);
  /* pm2 requests a stop this way. */
  sigaction(SIGINT, &ending, NULL);
  const char *mode = argument[3];
  if (strcmp(mode, "exit") == 0 && count == 6) {
    rest(atol(argument[4]));
    const int code = atoi(argument[5]);
    tell("exit", code);
    _exit(code);
  }
  if (strcmp(mode, "http") == 0 && count == 6) serve(atoi(argument[4]), atol(argument[5]), began);
  if (strcmp(mode, "lines") == 0 && count == 5) lines(atol(argument[4]));
  if (strcmp(mode, "storm") == 0 && count == 5) storm(atol(argument[4]));
  run();
}
