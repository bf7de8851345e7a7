// Finds and executes programs as execvp(3) does, with one difference: a file that the kernel does not recognize is run
// by a shell only if it is text. A shell would execute machine code of another architecture as commands, and would
// misread a first line that begins with a byte order mark. Searches the PATH of `envp`, or a default PATH if it has none.
#include "svc-super.h"

// Longer than the kernel accepts: a path that is cut off is still refused (ENAMETOOLONG).
enum { PATH_MOST = 4096 + 1, ARGUMENTS_MOST = 1 << 17, X_OK = 1 };
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Writes the first folder of `path` and `/file` to `to`. Returns the rest of `path`, or null after the last folder. */
static const char *next_candidate(const char *path, const char *file, char *to) {
  char *end = to, *limit = to + PATH_MOST;
  if (*path == ':' || !*path) end = append(end, limit, ".");
  while (*path && *path != ':' && end + 1 < limit) *end++ = *path++;
  while (*path && *path != ':') path++;
  *end = 0;
  append(append(end, limit, "/"), limit, file);
  return *path ? path + 1 : NULL;
}

static int has_slash(const char *file) {
  while (*file && *file != '/') file++;
  return *file;
}

/**
 * Whether a file that the kernel does not recognize (ENOEXEC) is text for the shell: not an ELF file, no byte order
 * mark, and no NUL in its first line, which is bash's rule. src/linux/executable.ts explains all other cases to the
 * user.
 */
static int is_script(const char *path) {
  enum { LOOKED_AT = 128 };
  u8 head[LOOKED_AT];
  long fd = sys_open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) return 0;
  long size = sys_read((int)fd, head, sizeof head);
  sys_close((int)fd);
  if (size >= 4 && memcmp(head, "\x7f" "ELF", 4) == 0) return 0;
  if (size >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0) return 0;
  for (long at = 0; at < size && head[at] != '\n'; at++)
    if (!head[at]) return 0;
  return size >= 0;
}

/** Executes one candidate; /bin/sh runs it if it is a script without `#!`. Returns only on failure: minus an errno. */
static long try(const char *path, char *const *argv, char *const *envp) {
  long result = sys_execve(path, argv, envp);
  if (result != -ENOEXEC || !is_script(path)) return result;
  // A limit of this program: the kernel limits the bytes of all arguments (execve(2)). Unused pages need no memory.
  static char *words[ARGUMENTS_MOST];
  size_t count = 0;
  words[count++] = "/bin/sh";
  words[count++] = (char *)path;
  if (*argv) argv++;
  while (*argv && count + 1 < ARGUMENTS_MOST) words[count++] = *argv++;
  if (*argv) return -E2BIG;
  words[count] = NULL;
  result = sys_execve("/bin/sh", words, envp);
  return result == -ENOENT ? -ENOEXEC : result;
}

long execute(const char *file, char *const *argv, char *const *envp) {
  char candidate[PATH_MOST];
  if (!*file) return -ENOENT;
  if (has_slash(file)) return try(file, argv, envp);
  const char *path = variable(envp, "PATH");
  long failure = -ENOENT;
  for (path = path ? path : default_path; path;) {
    path = next_candidate(path, file, candidate);
    long result = try(candidate, argv, envp);
    if (result == -EACCES) failure = result;
    else if (result != -ENOENT && result != -ENOTDIR && result != -ENAMETOOLONG && result != -ELOOP) return result;
  }
  return failure;
}

int is_program(const char *file, char *const *envp) {
  char candidate[PATH_MOST];
  if (!*file) return 0;
  const char *path = variable(envp, "PATH");
  for (path = has_slash(file) ? NULL : path ? path : default_path;;) {
    if (path) path = next_candidate(path, file, candidate);
    else if (has_slash(file)) append(candidate, candidate + PATH_MOST, file);
    else return 0;
    struct status found;
    // access(2) with X_OK also succeeds for folders.
    if (sys(__NR_faccessat, AT_FDCWD, candidate, X_OK) == 0 && sys_stat(AT_FDCWD, candidate, &found, 0) == 0 &&
        (found.mode & S_IFMT) == S_IFREG)
      return 1;
    if (!path) return 0;
  }
}
