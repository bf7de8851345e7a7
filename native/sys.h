// System calls and the few constants that svc-super needs, for x86-64 and arm64, without a C library. Every wrapper
// returns what the kernel returns: a value, or minus an errno (errno(3)). Nothing here keeps state or decides anything.
// Compiled with HOSTED the same code is linked to libc and its sanitizers, for tests and fuzzing.
#pragma once
#include <asm/ioctls.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;
typedef int64_t i64;

#if defined(__x86_64__)
static inline long syscall6(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long syscall6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "svc-super runs on x86-64 and arm64"
#endif

/** `sys(NUMBER, arguments…)`: up to six arguments, pointers included. */
#define sys_pick(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define sys(...) sys_pick(__VA_ARGS__, sys6, sys5, sys4, sys3, sys2, sys1, sys0)(__VA_ARGS__)
#define sys0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define sys1(n, a) syscall6(n, (long)(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b) syscall6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys3(n, a, b, c) syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys4(n, a, b, c, d) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sys5(n, a, b, c, d, e) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys6(n, a, b, c, d, e, f) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/** Signal numbers of signal(7), the same on both architectures. */
enum {
  SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9,
  SIGSEGV = 11, SIGPIPE = 13, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20, SIGTTIN = 21,
  SIGTTOU = 22, SIGXFSZ = 25, SIGWINCH = 28, SIGPWR = 30, SIGSYS = 31, SIGRTMIN = 34, SIGNALS = 64
};

/** A signal set in the kernel's format: bit n-1 is signal n. */
typedef u64 sigmask;
#define sigbit(signal) (1ull << ((signal) - 1))

/** struct sigaction of the kernel (rt_sigaction(2)); not that of libc. */
struct kernel_sigaction {
  u64 handler;  // 0 default, 1 ignored
  u64 flags;
  u64 restorer;
  sigmask mask;
};
enum { SIG_BLOCKED_SET = 2 /* SIG_SETMASK */ };

/** One record of a signalfd(2), 128 bytes. */
struct signal_info {
  u32 signo;
  i32 error, code;
  u32 pid, uid;
  u8 rest[108];
};

/** The kernel's struct stat (stat(2)), named up to the size. */
#if defined(__x86_64__)
struct status { u64 dev, ino, nlink; u32 mode, uid, gid, pad; u64 rdev; i64 size; u8 rest[88]; };
#else
struct status { u64 dev, ino; u32 mode, nlink, uid, gid; u64 rdev, pad; i64 size; u8 rest[72]; };
#endif
/** stat(2) of `path` relative to the descriptor `folder` (or AT_FDCWD); `flags`: 0 or AT_SYMLINK_NOFOLLOW. */
#define sys_stat(folder, path, status, flags) sys(__NR_newfstatat, folder, path, status, flags)

struct time { i64 seconds, nanoseconds; };
struct limit { u64 soft, hard; };  // prlimit(2)
enum { RLIMIT_NOFILE = 7, RLIMIT_LOCKS = 10 };
enum { MADV_DONTDUMP = 16 };
struct vector { const void *base; size_t length; };  // writev(2)

static inline long sys_read(int fd, void *to, size_t size) { return sys(__NR_read, fd, to, size); }
static inline long sys_write(int fd, const void *from, size_t size) { return sys(__NR_write, fd, from, size); }
static inline long sys_close(int fd) { return sys(__NR_close, fd); }
static inline long sys_open(const char *path, int flags) { return sys(__NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0); }
static inline long sys_fcntl(int fd, int what, long value) { return sys(__NR_fcntl, fd, what, value); }
static inline long sys_dup3(int from, int to, int flags) { return sys(__NR_dup3, from, to, flags); }
static inline long sys_kill(int pid, int signal) { return sys(__NR_kill, pid, signal); }
static inline long sys_wait4(int pid, int *status, int flags) { return sys(__NR_wait4, pid, status, flags, 0); }
static inline long sys_getpid(void) { return sys(__NR_getpid); }
/** fork(2): 0 in the child. */
static inline long sys_fork(void) { return sys(__NR_clone, SIGCHLD, 0, 0, 0, 0); }
static inline long sys_mask(const sigmask *next, sigmask *before) {
  return sys(__NR_rt_sigprocmask, SIG_BLOCKED_SET, next, before, sizeof(sigmask));
}
static inline long sys_action(int signal, const struct kernel_sigaction *next, struct kernel_sigaction *before) {
  return sys(__NR_rt_sigaction, signal, next, before, sizeof(sigmask));
}
/** A descriptor that delivers the signals of `mask`, closed on exec, non-blocking: signalfd(2). */
static inline long sys_signalfd(sigmask mask) { return sys(__NR_signalfd4, -1, &mask, sizeof mask, O_CLOEXEC | O_NONBLOCK); }
/** Waits for events of `count` descriptors; without a limit if `timeout` is null: ppoll(2), which changes its own copy. */
static inline long sys_poll(struct pollfd *fds, unsigned count, const struct time *timeout) {
  struct time left = timeout ? *timeout : (struct time){0, 0};
  return sys(__NR_ppoll, fds, count, timeout ? &left : NULL, NULL, 0);
}
static inline long sys_execve(const char *path, char *const *argv, char *const *envp) { return sys(__NR_execve, path, argv, envp); }
__attribute__((noreturn)) static inline void sys_exit(int code) {
  for (;;) sys(__NR_exit_group, code);
}
/** Milliseconds of CLOCK_MONOTONIC (clock_gettime(2)). */
static inline i64 sys_now(void) {
  struct time now = {0, 0};
  sys(__NR_clock_gettime, 1, &now);
  return now.seconds * 1000 + now.nanoseconds / 1000000;
}

// The compiler may emit calls of these (text.c defines them). With HOSTED, libc defines them.
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
void *memmove(void *to, const void *from, size_t size);
size_t strlen(const char *text);

static inline int same(const char *one, const char *other) {
  while (*one && *one == *other) one++, other++;
  return *one == *other;
}
/** Returns the part of `text` that follows its prefix `start`; null if `text` does not begin with `start`. */
static inline const char *after(const char *text, const char *start) {
  while (*start && *text == *start) text++, start++;
  return *start ? NULL : text;
}
/** The value of an environment variable; null if it is not set. */
static inline const char *variable(char *const *envp, const char *name) {
  for (; *envp; envp++) {
    const char *value = after(*envp, name);
    if (value && *value == '=') return value + 1;
  }
  return NULL;
}
